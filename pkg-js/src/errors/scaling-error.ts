import { ShardbusError } from "./shardbus-error.js";

/** Why the number of shards does not change. */
export type ScalingRefusal =
  | "at-max-shards"
  | "at-min-shards"
  | "in-cooldown"
  | "no-memory"
  | "off";

const SENTENCES: { readonly [reason in ScalingRefusal]: string } = {
  "at-max-shards": "There are as many shards as there may be; raise `scaling.maxShards`",
  "at-min-shards": "There are as few shards as there may be; lower `scaling.minShards`",
  "in-cooldown": "The number of shards changed a moment ago; try again after `scaling.cooldownMs`",
  "no-memory": "There is no memory for so many more shards; add fewer",
  off: "The number of shards is fixed; pass `scaling` to let it change",
};

/** `scaleUp` or `scaleDown` did not change the number of shards. */
export class ScalingError extends ShardbusError {
  override name = "ScalingError" as const;
  readonly code = "ERR_SCALING";
  /** Why. */
  readonly reason: ScalingRefusal;

  constructor(reason: ScalingRefusal) {
    super(SENTENCES[reason]);
    this.reason = reason;
  }
}
