//! `shardbus-wit`: writes the parts of `wit/types.wit` that follow from the declarations of the
//! core: options with their bounds and defaults, and counts. Run it in the root of the repository.

mod options;
mod prose;
mod stats;

use std::path::Path;

/// The file, of which the parts between marks are written.
const PATH: &str = "wit/types.wit";

/// The file as it should be, made of the one that is there; `None` if that lacks a mark.
fn write(file: &str) -> Option<String> {
    between(&between(file, "options", &options::write())?, "counts", &stats::write())
}

/// Replaces the text between two marks.
fn between(text: &str, name: &str, content: &str) -> Option<String> {
    let (begin, end) = (format!("  // <{name} of the core>\n"), format!("  // </{name}>\n"));
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{content}{end}{after}"))
}

fn main() -> std::io::Result<()> {
    let path = Path::new(PATH);
    let old = std::fs::read_to_string(path)?;
    let new = write(&old).ok_or_else(|| std::io::Error::other(format!("{PATH} lacks a mark")))?;
    // A file that is as it should be keeps its time.
    if new == old { Ok(()) } else { std::fs::write(path, new) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shardbus::{AbandonReason, IngestionError, RestoreError, ScalingError};

    fn file() -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(PATH);
        std::fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn the_file_that_is_checked_in_is_the_one_that_follows_from_the_core() {
        let file = file();
        assert!(file.contains("record options {"), "{PATH} has its marks");
        let is_current = write(&file).is_some_and(|new| new == file);
        assert!(is_current, "{PATH} is out of date: run `cargo xtask component`");
    }

    #[test]
    fn a_file_that_lacks_a_mark_is_not_taken_for_a_current_one() {
        for mark in ["<options of the core>", "</options>", "<counts of the core>", "</counts>"] {
            assert_eq!(write(&file().replace(mark, "")), None, "{mark}");
        }
    }

    /// The names of an enum's or a variant's cases.
    fn cases(file: &str, name: &str) -> Vec<String> {
        let begin = [format!("  enum {name} {{\n"), format!("  variant {name} {{\n")];
        let (_, rest) = begin
            .iter()
            .find_map(|begin| file.split_once(begin.as_str()))
            .unwrap_or_else(|| panic!("{PATH} has no {name}"));
        let body = rest.split_once("\n  }").map_or(rest, |(body, _)| body);
        let names = body.lines().map(str::trim).filter(|line| !line.starts_with("///"));
        let mut names: Vec<_> =
            names.map(|line| line.split(['(', ',']).next().unwrap_or(line).to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn errors_have_the_codes_of_the_core() {
        for (name, codes) in [
            ("rejection", IngestionError::CODES),
            ("restore-error", RestoreError::CODES),
            ("scaling-error", ScalingError::CODES),
            ("abandon-reason", AbandonReason::CODES),
        ] {
            let mut expected: Vec<_> = codes.iter().map(|(name, _)| prose::kebab(name)).collect();
            expected.sort();
            assert_eq!(cases(&file(), name), expected, "{name}");
        }
    }

    #[test]
    fn the_version_is_that_of_the_crate() {
        let crate_version = include_str!("../../../Cargo.toml");
        let version = crate_version
            .lines()
            .skip_while(|line| *line != "[package]")
            .find_map(|line| line.strip_prefix("version = \""))
            .map(|version| version.trim_end_matches('"'));
        let package = file()
            .lines()
            .find_map(|line| Some(line.strip_prefix("package shardbus:bus@")?.to_owned()));
        assert_eq!(package.as_deref().map(|it| it.trim_end_matches(';')), version);
    }
}
