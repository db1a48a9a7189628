//! The Rust code for the interfaces in `wit/`, which wit-bindgen writes.
//!
//! It is checked in: compiling wit-bindgen takes more time than everything else about a component, and
//! `wit/` seldom changes.

use std::path::Path;

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};
use xxhash_rust::xxh3::xxh3_128;

use crate::{cache, exec, freshness, say};

/// That of the crate in the components' manifests.
const VERSION: &str = "0.63.0";

/// Writes the code of a world into a crate, unless it is there already.
pub fn write(sh: &Shell, world: &str) -> Result<()> {
    let (path, header) = (path(world), header(Path::new("."))?);
    if sh.read_file(&path).is_ok_and(|code| code.starts_with(&header)) {
        return Ok(());
    }
    let package = format!("wit-bindgen-cli@{VERSION}");
    let tool = cache::once("wit-bindgen", VERSION, |to| {
        say(format_args!("installing {package} (some minutes)"));
        let install = cmd!(sh, "cargo install {package} --root {to} --debug")
            .args(["--no-default-features", "--features", "rust"])
            .args(["--target-dir", "target/wit-bindgen"])
            .env("CARGO_PROFILE_DEV_DEBUG", "0");
        exec(install).with_context(|| format!("{package} could not be installed"))
    })?;
    let (tool, out) = (tool.join("bin/wit-bindgen"), format!("target/component/{world}-bindings"));
    exec(cmd!(sh, "{tool} rust wit --world {world} --out-dir {out}"))?;
    let code = sh.read_file(format!("{out}/{world}.rs"))?;
    sh.write_file(&path, format!("{header}{code}"))?;
    exec(cmd!(sh, "rustfmt --edition 2024 {path}"))
}

fn path(world: &str) -> String {
    format!("component/{world}/src/bindings.rs")
}

/// The first line of the code: a hash of all that it depends on.
fn header(root: &Path) -> Result<String> {
    let mut inputs = VERSION.as_bytes().to_vec();
    for file in freshness::files(root.join("wit"))? {
        inputs.extend(std::fs::read(file)?);
    }
    let hash = xxh3_128(&inputs);
    Ok(format!("// Written by `cargo xtask component` from `wit/`, whose hash is {hash:032x}.\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::{COMPONENTS, Component};

    #[test]
    fn the_code_that_is_checked_in_is_that_of_the_interfaces() -> Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let header = header(&root)?;
        for component in &COMPONENTS {
            let path = path(component.name);
            let code = std::fs::read_to_string(root.join(&path))?;
            assert!(code.starts_with(&header), "{path} is old: run `cargo xtask component`");
        }
        Ok(())
    }

    #[test]
    fn the_components_link_the_version_that_writes_their_code() -> Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for Component { name, .. } in &COMPONENTS {
            let manifest = root.join(format!("component/{name}/Cargo.toml"));
            let dependency = format!("wit-bindgen = {{ version = \"={VERSION}\"");
            let is_linked = std::fs::read_to_string(&manifest)?.contains(&dependency);
            assert!(is_linked, "{} has another version than {VERSION}", manifest.display());
        }
        Ok(())
    }
}
