//! Rules that did not hold.

use std::any::Any;
use std::fmt;

/// A rule, and how it was broken.
#[derive(Debug)]
pub struct Violation {
    rule: &'static str,
    detail: String,
}

/// The result of a check. Boxed, because a violation is rare.
pub(crate) type CheckResult<T = ()> = Result<T, Box<Violation>>;

impl Violation {
    #[cold]
    pub(crate) fn new(rule: &'static str, detail: fmt::Arguments<'_>) -> Box<Self> {
        Box::new(Self { rule, detail: detail.to_string() })
    }

    /// A panic is never right.
    #[cold]
    pub(crate) fn of_panic(panic: &(dyn Any + Send)) -> Box<Self> {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Self::new("nothing panics", format_args!("{}", text.unwrap_or("without a word")))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.rule)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail) }
    }
}

/// Fails with a rule, and with what there is to say about it, unless a condition holds.
macro_rules! ensure {
    ($holds:expr, $rule:literal) => {
        ensure!($holds, $rule, "")
    };
    ($holds:expr, $rule:literal, $($detail:tt)+) => {
        if !$holds {
            return Err(crate::violation::Violation::new($rule, format_args!($($detail)+)));
        }
    };
}

/// Fails unless two values are equal.
macro_rules! ensure_eq {
    ($left:expr, $right:expr, $rule:literal) => {{
        let (left, right) = (&$left, &$right);
        ensure!(*left == *right, $rule, "{left:?} instead of {right:?}");
    }};
}

pub(crate) use {ensure, ensure_eq};
