//! The log of a schedule.

use std::collections::VecDeque;

/// Lines that are written down on a replay, and cost nothing otherwise.
#[derive(Debug)]
pub struct Trace {
    is_on: bool,
    most: usize,
    lines: VecDeque<String>,
}

impl Trace {
    pub fn off() -> Self {
        Self { is_on: false, most: 0, lines: VecDeque::new() }
    }

    /// Keeps the last `lines` lines, or all.
    pub fn on(lines: Option<usize>) -> Self {
        Self { is_on: true, most: lines.unwrap_or(usize::MAX), lines: VecDeque::new() }
    }

    #[inline]
    pub const fn is_on(&self) -> bool {
        self.is_on
    }

    #[cold]
    pub fn write(&mut self, line: String) {
        if self.lines.len() == self.most {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    pub fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }
}

/// Writes a line if anybody wants to read it.
macro_rules! note {
    ($ledger:expr, $($line:tt)+) => {
        if $ledger.trace.is_on() {
            $ledger.trace.write(format!($($line)+));
        }
    };
}

pub(crate) use note;
