//! Runs a script on the crate.

use crate::answers::{self, Answers, text};
use crate::script::{Answer, Backpressure, Format, Options, Script, Step};
use shardbus::{
    AbandonReason, Abandoned, Action, BackpressureMode, BatchOptions, BusOptions, Clock, EventBus,
    Failure, Lease, Outcome, RetryOptions,
};
use std::time::Duration;

/// The nonce of the first host. Each later one has the next.
const NONCE: u64 = 7;

/// The answers of the crate.
pub fn on_crate(script: &Script) -> Answers {
    let mut answers = Answers::default();
    let mut nonce = NONCE;
    let mut host = Host { bus: bus(&script.options, nonce), now: 0, script };
    for step in &script.steps {
        match step {
            Step::Offer(events) => {
                for (payload, key) in events {
                    let key = key.as_ref().map(String::as_bytes);
                    answers.accepted.push(host.bus.ingest(payload.as_bytes(), key).is_ok());
                }
            }
            Step::Flush => host.flush(&mut answers),
            Step::Drain(max_bytes) => {
                let mut room = *max_bytes;
                while let Some(batch) = host.bus.drain(room) {
                    room -= batch.body().len();
                    answers.drained.push(text(&batch));
                }
            }
            Step::Kill(attempts) => {
                host.send_until_killed(*attempts, &mut answers);
                let copies: Vec<_> =
                    host.bus.stage(host.now).iter().map(|batch| batch.encode()).collect();
                nonce += 1;
                host.bus = bus(&script.options, nonce);
                host.restore(&copies, &mut answers);
            }
        }
    }
    answers.counts = answers::counts(&host.bus.stats());
    answers
}

fn bus(options: &Options, nonce: u64) -> EventBus {
    let batch = BatchOptions {
        max_size: Some(options.batch.max_size),
        max_bytes: options.batch.max_bytes,
        adaptive: Some(options.batch.adaptive),
        ..BatchOptions::default()
    };
    let retry = options.retry.as_ref();
    let retry = RetryOptions {
        max_attempts: retry.map(|retry| retry.max_attempts),
        base_delay: retry.map(|retry| Duration::from_millis(retry.base_delay_ms)),
        max_delay: retry.map(|retry| Duration::from_millis(retry.max_delay_ms)),
        ..RetryOptions::default()
    };
    let options = BusOptions {
        shards: options.shards,
        capacity: options.capacity,
        max_bytes: options.max_bytes,
        max_event_bytes: options.max_event_bytes,
        backpressure: options.backpressure.map(|policy| match policy {
            Backpressure::DropOldest => BackpressureMode::DropOldest,
            Backpressure::DropNewest => BackpressureMode::DropNewest,
            Backpressure::FailProducer => BackpressureMode::FailProducer,
            Backpressure::Sample(rate) => BackpressureMode::Sample { rate },
        }),
        format: options.format.map(|format| match format {
            Format::Ndjson => shardbus::Format::Ndjson,
            Format::Json => shardbus::Format::Json,
        }),
        scheduler: Some(shardbus::Scheduler::Manual),
        batch,
        retry: Some(retry),
        ..BusOptions::default()
    };
    let bus = EventBus::new(options, Clock::manual(0)).expect("a script's options keep the rules");
    bus.seed(nonce);
    bus
}

struct Host<'a> {
    bus: EventBus,
    now: u64,
    script: &'a Script,
}

impl Host<'_> {
    fn flush(&mut self, answers: &mut Answers) {
        let flush = self.bus.begin_flush();
        while self.bus.flush_report(flush).is_some_and(|report| report.pending > 0) {
            self.act(answers);
        }
        self.drive(answers);
        self.bus.end_flush(flush);
    }

    /// Sends so many attempts, of which the last has no answer.
    fn send_until_killed(&mut self, attempts: usize, answers: &mut Answers) {
        let _ = self.bus.begin_flush();
        let mut begun = 0;
        while begun < attempts {
            match self.bus.poll(self.now) {
                Action::Send(lease) => {
                    begun += 1;
                    note_attempt(&lease, answers);
                    if begun < attempts {
                        self.answer(&lease);
                    }
                }
                Action::WaitUntil(then) => self.now = then,
                other => panic!("a host that will be killed has {other:?}"),
            }
        }
    }

    /// Restores copies of an earlier run, and delivers them.
    fn restore(&mut self, copies: &[Vec<u8>], answers: &mut Answers) {
        let flush = self.bus.begin_flush();
        self.bus.begin_restore();
        for copy in copies {
            while !self.bus.wants_restored() {
                self.act(answers);
            }
            self.bus.restore(copy).expect("the copy is whole");
        }
        self.bus.end_restore();
        while self.bus.is_restoring() {
            self.act(answers);
        }
        self.bus.end_flush(flush);
    }

    /// Acts until there is nothing to do now.
    fn drive(&mut self, answers: &mut Answers) {
        while self.act(answers) {}
    }

    /// One action. Returns false if there was none, though time went on.
    fn act(&mut self, answers: &mut Answers) -> bool {
        match self.bus.poll(self.now) {
            Action::Send(lease) => {
                note_attempt(&lease, answers);
                self.answer(&lease);
            }
            Action::Abandoned(Abandoned { reason, batch, .. }) => {
                let reason = match reason {
                    AbandonReason::Retries => "retries",
                    AbandonReason::Permanent => "permanent",
                    AbandonReason::Expired => "expired",
                    AbandonReason::Shutdown => "shutdown",
                };
                let lost = (batch.sequence_start, reason.to_owned(), text(&batch));
                answers.lost.entry(batch.shard_id).or_default().push(lost);
            }
            Action::WaitUntil(then) => {
                self.now = then;
                return false;
            }
            _ => return false,
        }
        true
    }

    fn answer(&self, lease: &Lease) {
        let batch = &lease.batch;
        let answer = self.script.answer(batch.sequence_start, lease.attempt, &text(batch));
        let retry_after = Duration::ZERO;
        let failure = match answer {
            Answer::Delivered => return assert!(self.bus.acknowledge(lease.id, self.now)),
            Answer::Single => {
                let outcomes = runs(batch.events().map(|event| outcome(&event.raw)));
                return assert!(self.bus.settle(lease.id, &outcomes, self.now));
            }
            Answer::Unavailable => Failure::Unavailable { retry_after },
            Answer::Refused => Failure::Refused { retry_after },
            Answer::Permanent => Failure::Permanent,
            Answer::Split => Failure::Split,
        };
        assert!(self.bus.fail(lease.id, failure, self.now));
    }
}

fn note_attempt(Lease { attempt, batch, .. }: &Lease, answers: &mut Answers) {
    let host = batch.process_nonce - NONCE;
    let attempt = (host, batch.sequence_start, *attempt, text(batch));
    answers.attempts.entry(batch.shard_id).or_default().push(attempt);
}

/// Runs of equal outcomes, each with its length.
fn runs(outcomes: impl Iterator<Item = Outcome>) -> Vec<(usize, Outcome)> {
    let mut runs: Vec<(usize, Outcome)> = Vec::new();
    for outcome in outcomes {
        match runs.last_mut() {
            Some((len, last)) if *last == outcome => *len += 1,
            _ => runs.push((1, outcome)),
        }
    }
    runs
}

fn outcome(event: &[u8]) -> Outcome {
    let event = String::from_utf8_lossy(event);
    if event.contains("reject") {
        Outcome::Failed(Failure::Permanent)
    } else if event.contains("retry") {
        Outcome::Failed(Failure::Refused { retry_after: Duration::ZERO })
    } else {
        Outcome::Delivered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Table;

    #[test]
    fn the_scripts_of_the_table_have_the_expected_counts() {
        for script in Table::read().scripts {
            let answers = on_crate(&script);
            assert_eq!(answers.counts["pending"], 0, "{}", script.name);
            assert!(!script.expect.is_empty(), "{} expects something", script.name);
            for (name, expected) in &script.expect {
                assert_eq!(answers.counts.get(&**name), Some(expected), "{}: {name}", script.name);
            }
        }
    }
}
