//! Settings, each declared once: its field, its default, and its number for a host.
//!
//! A host gives some settings, and none of the others: [`BusOptions`](crate::BusOptions) has a place
//! for each, and becomes a [`BusConfig`](crate::BusConfig), which has them all. A host that hands over
//! nothing but numbers puts the defaults in by itself, by the same declarations: it hands over all of
//! them, in the order of the [`Setting`]s.

use crate::clock::Clock;
use crate::config::{BackpressureMode, Format, Scheduler};
use std::time::Duration;

/// The declaration of a setting.
#[derive(Debug)]
pub struct Setting {
    /// The field, such as `max_delay`.
    pub field: &'static str,
    /// Its name for a host, such as `maxDelayMs`.
    pub name: &'static str,
    /// The values that a host may give.
    pub unit: Unit,
    /// The default, where it is not the same number always.
    pub default: Option<&'static str>,
    /// The default as a number.
    pub number: fn() -> f64,
    /// The lines of its documentation.
    pub about: &'static [&'static str],
}

/// The numbers that a host may give for a setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unit {
    /// A whole number in a range.
    Whole(u64, u64),
    /// A whole number in a range, or infinity.
    WholeOrInfinity(u64, u64),
    /// Bytes, 1 to this many.
    Bytes(u64),
    /// Milliseconds.
    Millis,
    /// Milliseconds, of which the field counts thousandths.
    Micros,
    /// Milliseconds above 0.
    SomeMillis,
    /// Milliseconds above 0, or infinity.
    SomeMillisOrInfinity,
    /// From 0 to 1.
    Share,
    /// Above 0 and at most 1.
    SomeShare,
    /// 0 or 1.
    Flag,
    /// One of two names: 1 for the second, and 0 for the first.
    Choice([&'static str; 2]),
    /// 64 bits, as two numbers: the high half, and the low half.
    Halves,
    /// [`BackpressureMode`]: the rate of a sample, and otherwise 0 for the oldest, -1 for the newest,
    /// -2 for the producer.
    Backpressure,
    /// 1 if the host has one.
    Presence,
    /// A number that the host's store declares.
    OfStore,
}

/// The largest size on a target with 32 bits.
pub(crate) const MAX_SIZE: u64 = u32::MAX as u64;

/// Numbers in the order of the settings.
pub(crate) struct Numbers<'a>(pub(crate) &'a [[u8; 8]]);

// Nothing is inlined: called some thirty times, it would make up a twentieth of the npm package's
// module.
impl Numbers<'_> {
    /// The next number; NaN behind the last.
    #[inline(never)]
    pub(crate) fn take(&mut self) -> f64 {
        self.0.split_off_first().map_or(f64::NAN, |number| f64::from_le_bytes(*number))
    }

    #[inline(never)]
    pub(crate) fn read<T: Numeric>(&mut self, setting: &mut T) {
        *setting = T::from_number(self.take());
    }

    /// 64 bits from two numbers.
    pub(crate) fn halves(&mut self, setting: &mut u64) {
        *setting = (self.take() as u64) << 32 | self.take() as u64;
    }

    /// Microseconds from milliseconds.
    pub(crate) fn micros(&mut self, setting: &mut u64) {
        *setting = (self.take() * 1000.0) as u64;
    }
}

/// A value that a host gives as a number.
pub(crate) trait Numeric: Sized {
    fn from_number(number: f64) -> Self;

    fn number(&self) -> f64;
}

macro_rules! numeric {
    ($($type:ty),+) => {
        $(
            impl Numeric for $type {
                fn from_number(number: f64) -> Self {
                    number as Self
                }

                fn number(&self) -> f64 {
                    *self as f64
                }
            }
        )+
    };
}

numeric!(u16, u32, u64, usize, f64);

impl Numeric for bool {
    fn from_number(number: f64) -> Self {
        number != 0.0
    }

    fn number(&self) -> f64 {
        u8::from(*self).into()
    }
}

impl Numeric for Duration {
    fn from_number(ms: f64) -> Self {
        Self::from_nanos(Clock::nanos_of(ms))
    }

    fn number(&self) -> f64 {
        self.as_secs_f64() * 1000.0
    }
}

/// Infinity stands for none.
impl Numeric for Option<Duration> {
    fn from_number(ms: f64) -> Self {
        ms.is_finite().then(|| Duration::from_number(ms))
    }

    fn number(&self) -> f64 {
        self.map_or(f64::INFINITY, |duration| duration.number())
    }
}

impl Numeric for Format {
    fn from_number(number: f64) -> Self {
        if number == 0.0 { Self::Ndjson } else { Self::Json }
    }

    fn number(&self) -> f64 {
        u8::from(*self == Self::Json).into()
    }
}

impl Numeric for Scheduler {
    fn from_number(number: f64) -> Self {
        if number == 0.0 { Self::Auto } else { Self::Manual }
    }

    fn number(&self) -> f64 {
        u8::from(*self == Self::Manual).into()
    }
}

impl Numeric for BackpressureMode {
    fn from_number(number: f64) -> Self {
        match number as i64 {
            0 => Self::DropOldest,
            -1 => Self::DropNewest,
            -2 => Self::FailProducer,
            _ => Self::Sample { rate: number as u32 },
        }
    }

    fn number(&self) -> f64 {
        match *self {
            Self::DropOldest => 0.0,
            Self::DropNewest => -1.0,
            Self::FailProducer => -2.0,
            Self::Sample { rate } => rate.into(),
        }
    }
}

/// Replaces a setting by one that is given.
#[inline(never)]
pub(crate) fn give<T: Copy>(setting: &mut T, given: &Option<T>) {
    if let Some(given) = given {
        *setting = *given;
    }
}

/// Declares a group of settings: the struct that has them all with their defaults, and the struct
/// of those that are given. Each has fields of its own after `and`.
///
/// A setting is `field: type = default, "name", unit`, and then, where there is something to say:
/// `default "…"`, in words; `read function`, which reads it from [`Numbers`].
macro_rules! settings {
    (
        $(#[$config_meta:meta])*
        pub struct $Config:ident {
            $(
                $(#[doc = $about:literal])+
                $field:ident: $type:ty = $value:expr, $name:literal, $unit:expr
                $(, default $default:literal)? $(, read $read:path)?;
            )+
        }
        $(and { $($(#[$more_meta:meta])+ $more:ident: $more_type:ty = $more_value:expr;)+ })?

        $(#[$options_meta:meta])*
        pub struct $Options:ident
        $({ $($(#[$extra_meta:meta])+ $extra:ident: $extra_type:ty = $extra_value:expr;)+ })?
    ) => {
        $(#[$config_meta])*
        pub struct $Config {
            $($(#[doc = $about])+ pub $field: $type,)+
            $($($(#[$more_meta])+ pub $more: $more_type,)+)?
        }

        impl $Config {
            // A constant is copied; made field by field, it would be code.
            pub(crate) const DEFAULT: Self = Self {
                $($field: $value,)+
                $($($more: $more_value,)+)?
            };

            /// Reads the settings of this group alone.
            pub(crate) fn read(&mut self, numbers: &mut $crate::settings::Numbers<'_>) {
                $(settings!(@read numbers self.$field $(, $read)?);)+
            }
        }

        impl Default for $Config {
            fn default() -> Self {
                Self::DEFAULT
            }
        }

        $(#[$options_meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $Options {
            $($(#[doc = $about])+ pub $field: Option<$type>,)+
            $($($(#[$extra_meta])+ pub $extra: $extra_type,)+)?
        }

        impl Default for $Options {
            fn default() -> Self {
                Self::NONE
            }
        }

        impl $Options {
            pub(crate) const NONE: Self = Self {
                $($field: None,)+
                $($($extra: $extra_value,)+)?
            };

            /// The settings of this group, in the order in which their numbers cross.
            pub const SETTINGS: &[$crate::settings::Setting] = &[$(
                $crate::settings::Setting {
                    field: stringify!($field),
                    name: $name,
                    unit: $unit,
                    default: settings!(@optional $($default)?),
                    number: || $crate::settings::Numeric::number(&{
                        let value: $type = $value;
                        value
                    }),
                    about: &[$($about),+],
                },
            )+];

            /// Replaces the settings of this group that are given.
            pub(crate) fn give(&self, config: &mut $Config) {
                $($crate::settings::give(&mut config.$field, &self.$field);)+
            }
        }
    };
    (@optional) => { None };
    (@optional $text:literal) => { Some($text) };
    (@read $numbers:ident $setting:expr) => { $numbers.read(&mut $setting) };
    (@read $numbers:ident $setting:expr, $read:path) => { $read($numbers, &mut $setting) };
}

pub(crate) use settings;
