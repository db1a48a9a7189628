//! Rows of numbers that cross to JavaScript, and the codes among them. They are declared here; the
//! TypeScript is written from it.

use shardbus::{Abandoned, BatchHead, Clock, Format, Lease};

/// Declares rows: a function that makes each, and the names of its numbers.
macro_rules! rows {
    ($(
        $(#[$meta:meta])*
        $name:ident as $names:ident($from:ident: $type:ty) { $($number:ident: $value:expr,)+ }
    )+) => {$(
        /// The names of [`
        #[doc = stringify!($name)]
        /// `].
        pub const $names: &[&str] = &[$(stringify!($number)),+];

        $(#[$meta])*
        #[must_use]
        pub fn $name($from: $type) -> [f64; $names.len()] {
            [$($value),+]
        }
    )+};
}

rows! {
    /// A batch without its body. Numbers of 64 bits are in halves.
    batch as BATCH(head: &BatchHead) {
        shard: f64::from(head.shard_id),
        sequence: head.sequence_start as f64,
        count: head.len as f64,
        is_json: f64::from(u8::from(head.format == Format::Json)),
        nonce_high: high(head.process_nonce),
        nonce_low: low(head.process_nonce),
        first_high: high(head.first_timestamp),
        first_low: low(head.first_timestamp),
        last_high: high(head.last_timestamp),
        last_low: low(head.last_timestamp),
    }

    /// A lease without its batch: the attempt is 1 for the first; when to cut it off.
    lease as LEASE(lease: &Lease) {
        lease: lease.id as f64,
        attempt: f64::from(lease.attempt),
        deadline_ms: Clock::millis_of(lease.deadline),
    }

    /// The time of the next poll, and the [leeway](shardbus::EventBus::leeway) until then.
    wait as WAIT(wait: &(u64, (usize, usize))) {
        wake_ms: Clock::millis_of(wait.0),
        events: wait.1.0 as f64,
        bytes: wait.1.1 as f64,
    }

    /// The reason for which a batch was given up, and its attempts.
    abandoned as ABANDONED(abandoned: &Abandoned) {
        reason: f64::from(abandoned.reason.code()),
        attempts: f64::from(abandoned.attempts),
    }
}

/// Declares codes.
macro_rules! codes {
    ($(#[$meta:meta])* $module:ident { $($(#[$code_meta:meta])* $name:ident $text:literal = $code:literal,)+ }) => {
        $(#[$meta])*
        pub mod $module {
            $($(#[$code_meta])* pub const $name: u32 = $code;)+

            /// All of them, by name.
            pub const CODES: &[(&str, u32)] = &[$(($text, $code)),+];
        }
    };
}

codes! {
    /// The next thing to do.
    step {
        /// Nothing.
        IDLE "Idle" = 0,
        /// Poll again at the time that the row has, or once its leeway is used up.
        WAIT_UNTIL "WaitUntil" = 1,
        /// Send the batch, then answer the lease that the row has.
        SEND "Send" = 2,
        /// The batch was given up; the row says why.
        ABANDONED "Abandoned" = 3,
        /// Write the batch to the store.
        STORE "Store" = 4,
        /// Let others have their turn, then begin a task and poll again.
        YIELD "Yield" = 5,
        /// Read the batch from the store; the row has it without its body.
        LOAD "Load" = 6,
        /// Forget the attempts of the owner of the flush that the row has, and end the flush.
        LOST "Lost" = 7,
    }
}

/// The result of the event path if the handle or a length is wrong. For a rejection, it returns
/// [`IngestionError::code`](shardbus::IngestionError::code), and for an accepted event its shard,
/// which is not negative.
pub const MISUSED: i32 = -7;

/// The number that a single event's failure adds to its [code](shardbus::Failure::code). One that was delivered
/// has 0.
pub const FAILED: i32 = 1;

/// A value that crosses as a number.
pub(crate) trait Number {
    fn of(number: f64) -> Self
    where
        Self: Sized;

    fn number(self) -> f64;
}

macro_rules! numbers {
    ($($type:ty),+) => {
        $(
            impl Number for $type {
                fn of(number: f64) -> Self {
                    // By way of 64 bits, so that a negative number wraps.
                    number as i64 as Self
                }

                fn number(self) -> f64 {
                    self as f64
                }
            }
        )+
    };
}

numbers!(u32, i32, usize);

impl Number for f64 {
    fn of(number: f64) -> Self {
        number
    }

    fn number(self) -> f64 {
        self
    }
}

impl Number for bool {
    fn of(number: f64) -> Self {
        number != 0.0
    }

    fn number(self) -> f64 {
        f64::from(u8::from(self))
    }
}

impl Number for () {
    fn of(_: f64) {}

    fn number(self) -> f64 {
        0.0
    }
}

/// A number from its high and its low half.
#[must_use]
pub const fn whole(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

/// The high half of a number.
#[must_use]
pub const fn high(number: u64) -> f64 {
    (number >> 32) as u32 as f64
}

/// The low half of a number.
#[must_use]
pub const fn low(number: u64) -> f64 {
    number as u32 as f64
}
