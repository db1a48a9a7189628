//! Locks between processes: two steps that need the same thing must not make it at once.

use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result};

const LOCKS: &str = "target/locks";

/// Waits for the lock of this name, which lasts until the file is dropped.
pub fn wait_for(name: &str) -> Result<File> {
    std::fs::create_dir_all(LOCKS)?;
    let path = Path::new(LOCKS).join(name.replace(['/', '\\'], "-"));
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    file.lock().with_context(|| path.display().to_string())?;
    Ok(file)
}
