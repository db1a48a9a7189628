// The extent of a run: rounds, and events per round, after a warm-up that lasts until engines have
// compiled the hot code. The figures of the start include the cost of compiling.

/** All of it, as carefully as the committed results. */
const full = {
  verified: 20_000,
  warmUp: 200_000,
  slowWarmUp: 20_000,
  rounds: 7,
  events: 1_000_000,
  slowEvents: 30_000,
  turns: { rounds: 800, warmUp: 500 },
  turnRounds: 5,
  nativeRounds: 21,
  elsewhere: { rounds: 3, events: 400_000, slowEvents: 10_000 },
  held: 500_000,
  heldRounds: 7,
  curve: [0, 100_000, 200_000, 300_000, 400_000, 500_000],
  curveRounds: 3,
  backlog: 1_000_000,
  startRounds: 15,
};

/** The same table in five minutes, where a machine is half as quick as others. */
const quick = {
  verified: 5000,
  warmUp: 60_000,
  slowWarmUp: 5000,
  rounds: 4,
  events: 150_000,
  slowEvents: 5000,
  turns: { rounds: 250, warmUp: 150 },
  turnRounds: 1,
  nativeRounds: 5,
  elsewhere: { rounds: 1, events: 40_000, slowEvents: 2000 },
  held: 500_000,
  heldRounds: 3,
  curve: [0, 250_000, 500_000],
  curveRounds: 1,
  backlog: 1_000_000,
  startRounds: 5,
};

/** Shows within a minute that everything works; the figures mean nothing. */
const smoke = {
  verified: 3000,
  warmUp: 1000,
  slowWarmUp: 1000,
  rounds: 1,
  events: 4000,
  slowEvents: 2000,
  turns: { rounds: 3, warmUp: 1 },
  turnRounds: 1,
  nativeRounds: 1,
  elsewhere: undefined,
  held: 10_000,
  heldRounds: 1,
  curve: [0, 10_000],
  curveRounds: 1,
  backlog: 10_000,
  startRounds: 1,
};

export const plans = { full, quick, smoke };
