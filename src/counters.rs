//! Structs of counts, each declared once: its fields, and the order in which a host is handed their
//! numbers.

use crate::shard::ShardState;

/// A field of a struct of counts.
#[derive(Debug)]
pub struct Field {
    /// Its name, such as `in_flight`.
    pub name: &'static str,
    /// Its numbers.
    pub shape: Shape,
    /// The lines of its documentation.
    pub about: &'static [&'static str],
}

/// The numbers of a field.
#[derive(Debug)]
pub enum Shape {
    /// One number.
    Count,
    /// One number, of milliseconds for nanoseconds.
    Millis,
    /// 1 for a shard that drains, and 0 for others.
    State,
    /// The numbers of each field.
    Group(&'static [Field]),
    /// The numbers of each item, up to the end.
    List(&'static [Field]),
}

/// A value with numbers.
pub(crate) trait Counts {
    const SHAPE: Shape;

    fn append(&self, numbers: &mut Vec<f64>);
}

impl Counts for u64 {
    const SHAPE: Shape = Shape::Count;

    #[inline(never)]
    fn append(&self, numbers: &mut Vec<f64>) {
        numbers.push(*self as f64);
    }
}

impl Counts for u16 {
    const SHAPE: Shape = Shape::Count;

    fn append(&self, numbers: &mut Vec<f64>) {
        u64::from(*self).append(numbers);
    }
}

impl Counts for ShardState {
    const SHAPE: Shape = Shape::State;

    fn append(&self, numbers: &mut Vec<f64>) {
        u64::from(*self == Self::Draining).append(numbers);
    }
}

/// Nanoseconds that a host counts in milliseconds.
pub(crate) struct Nanos(pub(crate) u64);

impl Counts for Nanos {
    const SHAPE: Shape = Shape::Millis;

    fn append(&self, numbers: &mut Vec<f64>) {
        numbers.push(self.0 as f64 / 1e6);
    }
}

/// Declares a struct of counts. Of a field `as Type`, the numbers are those of that type.
macro_rules! counters {
    ($(
        $(#[$meta:meta])*
        pub struct $Struct:ident {
            $($(#[doc = $about:literal])+ $field:ident: $type:ty $(as $shown:ident)?,)+
            $(@each $(#[doc = $list_about:literal])+ $list:ident: Vec<$item:ty>,)?
        }
    )+) => {$(
        $(#[$meta])*
        pub struct $Struct {
            $($(#[doc = $about])+ pub $field: $type,)+
            $($(#[doc = $list_about])+ pub $list: Vec<$item>,)?
        }

        impl $Struct {
            /// The fields, in the order in which their numbers cross.
            pub const FIELDS: &[$crate::counters::Field] = &[
                $($crate::counters::Field {
                    name: stringify!($field),
                    shape: counters!(@shape $type $(as $shown)?),
                    about: &[$($about),+],
                },)+
                $($crate::counters::Field {
                    name: stringify!($list),
                    shape: $crate::counters::Shape::List(<$item>::FIELDS),
                    about: &[$($list_about),+],
                },)?
            ];

            /// All numbers, for hosts that are handed nothing else.
            #[must_use]
            pub fn numbers(&self) -> Vec<f64> {
                let mut numbers = Vec::new();
                $crate::counters::Counts::append(self, &mut numbers);
                numbers
            }
        }

        impl $crate::counters::Counts for $Struct {
            const SHAPE: $crate::counters::Shape = $crate::counters::Shape::Group(Self::FIELDS);

            fn append(&self, numbers: &mut Vec<f64>) {
                $(counters!(@value self.$field $(, $shown)?).append(numbers);)+
                $(self.$list.iter().for_each(|item| item.append(numbers));)?
            }
        }
    )+};
    (@shape $type:ty) => { <$type as $crate::counters::Counts>::SHAPE };
    (@shape $type:ty as $shown:ident) => { <$shown as $crate::counters::Counts>::SHAPE };
    (@value $value:expr) => { $value };
    (@value $value:expr, $shown:ident) => { $shown($value) };
}

pub(crate) use counters;
