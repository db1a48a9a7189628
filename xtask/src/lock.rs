//! Locks between processes: two steps that need the same thing must not make it at once.

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result};

const LOCKS: &str = "target/locks";

/// Waits for the lock of this name, which lasts until the file is dropped.
pub fn wait_for(name: &str) -> Result<File> {
    std::fs::create_dir_all(LOCKS)?;
    wait_for_file(&Path::new(LOCKS).join(name.replace(['/', '\\'], "-")))
}

/// Waits for the lock on a file, which is made if it is missing.
pub fn wait_for_file(path: &Path) -> Result<File> {
    let file = File::create(path).with_context(|| path.display().to_string())?;
    file.lock().with_context(|| path.display().to_string())?;
    Ok(file)
}
