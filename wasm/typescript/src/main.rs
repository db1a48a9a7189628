//! `shardbus-typescript`: writes the npm package's files for the declarations of the core and the
//! module: options, counters, rules, codes and the order in which their numbers cross. Run it in
//! the root of the repository.

mod calls;
mod groups;
mod layout;
mod options;
mod prose;
mod reference;
mod schema;
mod stats;

use std::path::Path;

/// A file and its content.
type File = (&'static str, String);

/// The beginning of each file.
const HEADER: &str = "// Written by `cargo xtask build` from declarations in Rust: the tables `settings!`, `counters!`,\n\
                      // `codes!` and `rules!` in `src/`, and those in `wasm/src`. Edit those instead.\n\n";

/// The files as they should be. Of those that a person wrote, only a part is written.
fn files(root: &Path) -> std::io::Result<Vec<File>> {
    let page = std::fs::read_to_string(root.join(reference::PATH))?;
    Ok(vec![
        ("pkg-js/src/generated/calls.ts", HEADER.to_owned() + &calls::write()),
        ("pkg-js/src/generated/layout.ts", HEADER.to_owned() + &layout::write()),
        ("pkg-js/src/generated/options.ts", HEADER.to_owned() + &options::write()),
        ("pkg-js/src/generated/schema.ts", HEADER.to_owned() + &schema::write()),
        ("pkg-js/src/generated/stats.ts", HEADER.to_owned() + &stats::write()),
        (reference::PATH, reference::write(&page)),
    ])
}

fn main() -> std::io::Result<()> {
    let root = Path::new(".");
    for (path, content) in files(root)? {
        let path = root.join(path);
        // A file that is as it should be keeps its time.
        if std::fs::read_to_string(&path).is_ok_and(|old| old == content) {
            continue;
        }
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(path, content)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_that_are_checked_in_are_those_that_follow_from_the_core() -> std::io::Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for (path, content) in files(&root)? {
            let found = std::fs::read_to_string(root.join(path)).unwrap_or_default();
            assert!(found == content, "{path} is out of date: run `cargo xtask build`");
        }
        Ok(())
    }
}
