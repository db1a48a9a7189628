//! The resource `bus`.

use crate::async_bus as wit;
use crate::options::{config_error, options, rejection};
use crate::shared::Shared;
use crate::worker::work;
use crate::{counts, storeless};
use shardbus::{Clock, EventBus};
use std::rc::Rc;
use wasip3::clocks::monotonic_clock;
use wasip3::random::random::get_random_u64;
use wit_bindgen::spawn_local;

/// The owner of a bus, whose worker ends with it.
pub struct Bus {
    shared: Rc<Shared>,
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.shared.is_over.set(true);
        self.shared.changes.tell();
    }
}

impl wit::GuestBus for Bus {
    async fn create(given: wit::Options) -> Result<wit::Bus, wit::ConfigError> {
        storeless::check(&given)?;
        let core = EventBus::new(options(given), Clock::manual(0)).map_err(config_error)?;
        core.seed(get_random_u64());
        let shared = Rc::new(Shared::new(core));
        drop(spawn_local(work(Rc::clone(&shared))));
        Ok(wit::Bus::new(Self { shared }))
    }

    fn ingest(&self, payload: Vec<u8>, key: Option<Vec<u8>>) -> Result<(), wit::Rejection> {
        self.shared.set_clock();
        let accepted = self.shared.core.ingest(&payload, key.as_deref());
        self.shared.changes.tell();
        accepted.map(drop).map_err(|error| rejection(&error))
    }

    async fn ready(&self) {
        let Shared { core, changes, .. } = &*self.shared;
        let _awaited = self.shared.await_room();
        while !core.is_ready() && !core.is_closed() {
            // So that the worker sends early.
            changes.tell();
            changes.after(changes.count()).await;
        }
    }

    async fn flush(&self) -> wit::FlushReport {
        counts::report(self.shared.flush(None).await.report())
    }

    async fn close(&self, timeout: u64) -> wit::FlushReport {
        let Shared { core, changes, is_over, .. } = &*self.shared;
        core.close();
        let flush = self.shared.flush(monotonic_clock::now().checked_add(timeout)).await;
        if flush.report().pending > 0 {
            core.abandon_everything();
        }
        is_over.set(true);
        changes.tell();
        counts::report(flush.report())
    }

    fn stats(&self) -> wit::Stats {
        self.shared.set_clock();
        counts::stats(self.shared.core.stats())
    }
}
