//! Hashes of a build's inputs and outputs, by which a build finds that it has nothing to do.

use std::path::{Path, PathBuf};

use anyhow::Result;
use xxhash_rust::xxh3::Xxh3;

/// Prefixes of the environment variables that change the compiler's output.
const VARIABLES: [&str; 6] = [
    "RUSTC",
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
];

/// The hash of files, of all files in directories but those for which `is_left_out`, and of `facts`
/// that no file has. A missing file and an empty one have different hashes.
pub fn fingerprint(
    paths: &[&str],
    is_left_out: impl Fn(&Path) -> bool,
    facts: &[String],
) -> Result<String> {
    let mut hash = Xxh3::new();
    let mut add = |part: &[u8]| {
        hash.update(&part.len().to_le_bytes());
        hash.update(part);
    };
    for path in paths {
        for file in files(path)?.iter().filter(|file| !is_left_out(file)) {
            add(file.as_os_str().as_encoded_bytes());
            add(&std::fs::read(file).unwrap_or_default());
            add(if file.exists() { b"is there" } else { b"is missing" });
        }
    }
    facts.iter().for_each(|fact| add(fact.as_bytes()));
    Ok(format!("{:032x}", hash.digest128()))
}

/// The environment variables that change the compiler's output.
pub fn compiler_variables() -> Vec<String> {
    let variables = std::env::vars_os()
        .map(|(name, value)| format!("{}={}", name.to_string_lossy(), value.to_string_lossy()));
    let mut variables: Vec<_> = variables
        .filter(|variable| VARIABLES.iter().any(|beginning| variable.starts_with(beginning)))
        .collect();
    variables.sort();
    variables
}

/// All files under a directory, or the file itself.
pub fn files(path: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    let path = path.as_ref();
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in path.read_dir()? {
        found.extend(files(entry?.path())?);
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use xshell::Shell;

    use super::*;

    /// A new hash of a directory after each change of it.
    #[test]
    fn files_are_told_apart_by_name_content_and_presence() -> Result<()> {
        let sh = Shell::new()?;
        let dir = sh.create_temp_dir()?;
        let root = dir.path().to_string_lossy().into_owned();
        let missing = format!("{root}/missing");
        let now = || {
            let is_left_out = |path: &Path| path.ends_with("made");
            fingerprint(&[&root, &missing], is_left_out, &["fact".to_owned()])
        };
        sh.write_file(format!("{root}/a/b"), "1")?;
        let mut seen = vec![now()?];
        sh.write_file(format!("{root}/a/b"), "2")?;
        seen.push(now()?);
        sh.write_file(format!("{root}/a/c"), "")?;
        seen.push(now()?);
        sh.remove_path(format!("{root}/a/b"))?;
        seen.push(now()?);
        sh.write_file(&missing, "")?;
        seen.push(now()?);
        let last = seen.len() - 1;
        sh.write_file(format!("{root}/made"), "3")?;
        assert_eq!(now()?, seen[last], "what is left out does not count");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), last + 1, "every change shows");
        Ok(())
    }
}
