//! The worker of a bus, which sends its batches in the background.

use crate::batches::{batch, failure, outcome};
use crate::shared::{Shared, wait_until};
use crate::sink;
use futures::future::{Either, select};
use shardbus::{Action, Failure, Lease};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use wasip3::clocks::monotonic_clock;
use wit_bindgen::spawn_local;

/// No answer in time.
const NO_ANSWER: Failure = Failure::Unavailable { retry_after: Duration::ZERO };

/// Carries out the actions of the core, until the bus is over.
pub async fn work(shared: Rc<Shared>) {
    while !shared.is_over.get() {
        let seen = shared.changes.count();
        shared.set_clock();
        match shared.core.poll(monotonic_clock::now()) {
            Action::Send(lease) => drop(spawn_local(deliver(Rc::clone(&shared), lease))),
            Action::WaitUntil(then) => shared.change_or(seen, then).await,
            Action::Idle => shared.changes.after(seen).await,
            // Counted. The others are for hosts with a store or an event loop.
            _ => shared.changes.tell(),
        }
    }
}

/// Makes one attempt, and reports its outcome.
async fn deliver(shared: Rc<Shared>, lease: Lease) {
    let attempt = pin!(sink::deliver(batch(&lease.batch), lease.attempt));
    let timeout = pin!(wait_until(lease.deadline));
    let answer = select(attempt, timeout).await;
    let (core, now) = (&shared.core, monotonic_clock::now());
    match answer {
        Either::Left((Ok(outcomes), _)) if outcomes.is_empty() => core.acknowledge(lease.id, now),
        Either::Left((Ok(outcomes), _)) => {
            let outcomes: Vec<_> = outcomes.into_iter().map(outcome).collect();
            core.settle(lease.id, &outcomes, now)
        }
        Either::Left((Err(given), _)) => core.fail(lease.id, failure(given), now),
        Either::Right(_) => core.fail(lease.id, NO_ANSWER, now),
    };
    shared.changes.tell();
}
