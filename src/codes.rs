//! Numbers for the variants of an enum, for hosts that have none.

/// Gives each variant of an enum its number and its name. No two kinds of variants that a host tells
/// apart have the same.
macro_rules! codes {
    ($enum:ident { $($name:literal = $code:literal: $($variant:ident)|+),+ $(,)? }) => {
        impl $enum {
            /// All numbers that [`code`](Self::code) may return, with their names.
            pub const CODES: &[(&str, i32)] = &[$(($name, $code)),+];

            /// Tells the variants apart where there are no enums.
            #[must_use]
            pub const fn code(&self) -> i32 {
                match self {
                    $($(Self::$variant { .. })|+ => $code,)+
                }
            }
        }
    };
}

pub(crate) use codes;
