//! Stamps: files that record the inputs of a slow step, so that it runs once for the same inputs.

use std::path::Path;

use anyhow::Result;
use xshell::Shell;

use crate::lock;

/// Runs `make` unless `stamp` says that it succeeded with the same inputs before.
///
/// The stamp holds the inputs themselves, so that nothing is rebuilt because a clock or a checkout
/// touched a file, and nothing is kept because it failed to.
pub fn once(
    sh: &Shell,
    stamp: &Path,
    inputs: &[u8],
    make: impl FnOnce() -> Result<()>,
) -> Result<()> {
    if is_current(stamp, inputs) {
        return Ok(());
    }
    let _lock = lock::wait_for(&stamp.to_string_lossy())?;
    if is_current(stamp, inputs) {
        return Ok(());
    }
    sh.remove_path(stamp)?;
    make()?;
    Ok(sh.write_file(stamp, inputs)?)
}

/// True if `stamp` was written for these inputs.
pub fn is_current(stamp: &Path, inputs: &[u8]) -> bool {
    std::fs::read(stamp).is_ok_and(|written| written == inputs)
}
