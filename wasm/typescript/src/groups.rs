//! The groups of options, in the order in which their numbers cross.

use shardbus::{BatchOptions, BusOptions, RetryOptions, ScalingOptions, Setting, Unit};

/// A group of options.
pub struct Group {
    /// Its name among the options of a bus; empty for the options of the bus itself.
    pub name: &'static str,
    /// The TypeScript interface that has them.
    pub interface: &'static str,
    /// The interface's documentation.
    pub about: &'static str,
    /// A number that crosses first: whether the group is there, and whether it is by default.
    pub presence: Option<(&'static str, bool)>,
    /// Its options.
    pub settings: &'static [Setting],
}

/// All groups: [`BusConfig::from_numbers`](shardbus::BusConfig::from_numbers) reads their numbers.
pub const GROUPS: [Group; 4] = [
    Group {
        name: "",
        interface: "BusLimits",
        about: "The limits of a bus, and the time of an attempt.",
        presence: None,
        settings: BusOptions::SETTINGS,
    },
    Group {
        name: "batch",
        interface: "BatchOptions",
        about: "The size of batches, and their longest wait.",
        presence: None,
        settings: BatchOptions::SETTINGS,
    },
    Group {
        name: "retry",
        interface: "RetryOptions",
        about: "The limits of retrying. An outage of the destination ends nothing: batches that wait for its\n\
                return are lost only for want of room (`maxBytes`, `capacity`) or for their age (`maxAgeMs`).",
        presence: Some(("given.retry !== false", true)),
        settings: RetryOptions::SETTINGS,
    },
    Group {
        name: "scaling",
        interface: "ScalingOptions",
        about: "The conditions on which the number of shards changes.",
        presence: Some(("!!given.scaling", false)),
        settings: ScalingOptions::SETTINGS,
    },
];

/// Tells whether an option is a number or a boolean for its users as well. The others have types and
/// checks of their own, written by hand.
pub fn is_plain(setting: &Setting) -> bool {
    !matches!(
        setting.unit,
        Unit::Choice(_) | Unit::Halves | Unit::Backpressure | Unit::Presence | Unit::OfStore
    )
}
