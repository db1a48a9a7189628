//! Tools that take minutes to make, kept where other clones of the repository find them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xxhash_rust::xxh3::xxh3_128;

use crate::lock;

/// The directory of a tool that `make` fills, given a path that does not exist yet, unless that was
/// done before with the same `recipe`: all that the tool depends on.
pub fn once(tool: &str, recipe: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    once_in(&root()?, tool, recipe, make)
}

fn once_in(
    root: &Path,
    tool: &str,
    recipe: &str,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let directory = entry(root, tool, recipe);
    if directory.is_dir() {
        return Ok(directory);
    }
    std::fs::create_dir_all(root).with_context(|| root.display().to_string())?;
    let _lock = lock::wait_for_file(&directory.with_extension("lock"))?;
    if !directory.is_dir() {
        // A directory gets its final name once it is complete.
        let part = directory.with_extension("part");
        if part.exists() {
            std::fs::remove_dir_all(&part)?;
        }
        make(&part)?;
        std::fs::rename(&part, &directory)?;
    }
    Ok(directory)
}

/// True if the cache has the tool.
pub fn has(tool: &str, recipe: &str) -> bool {
    root().is_ok_and(|root| entry(&root, tool, recipe).is_dir())
}

fn entry(root: &Path, tool: &str, recipe: &str) -> PathBuf {
    root.join(format!("{tool}-{:032x}", xxh3_128(recipe.as_bytes())))
}

/// `shardbus` in the user's directory for caches.
fn root() -> Result<PathBuf> {
    let given = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let given = given.filter(|path| path.is_absolute());
    let home = || std::env::home_dir().map(|home| home.join(".cache"));
    let caches = given.or_else(home).context("there is no home directory: set XDG_CACHE_HOME")?;
    Ok(caches.join("shardbus"))
}

#[cfg(test)]
mod tests {
    use anyhow::bail;
    use xshell::Shell;

    use super::*;

    #[test]
    fn a_tool_is_made_once_for_each_recipe_and_kept_only_if_that_succeeds() -> Result<()> {
        let sh = Shell::new()?;
        let root = sh.create_temp_dir()?;
        let make = |path: &Path| Ok(std::fs::create_dir(path)?);
        let again = |_: &Path| bail!("made again");
        assert!(once_in(root.path(), "tool", "1", again).is_err());
        let first = once_in(root.path(), "tool", "1", make)?;
        assert_eq!(once_in(root.path(), "tool", "1", again)?, first);
        assert_ne!(once_in(root.path(), "tool", "2", make)?, first);
        Ok(())
    }
}
