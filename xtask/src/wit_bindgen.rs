//! The Rust code for the interfaces in `wit/`, which wit-bindgen writes.
//!
//! It is checked in: compiling wit-bindgen takes more time than everything else about a component, and
//! `wit/` seldom changes.

use std::path::Path;

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};
use xxhash_rust::xxh3::xxh3_128;

use crate::component::Component;
use crate::{cache, exec, freshness, say};

/// That of the crate in the components' manifests.
const VERSION: &str = "0.63.0";

/// Records with a default, in which nothing is given.
const WITH_DEFAULT: [&str; 2] =
    ["shardbus:bus/types@0.1.0/options", "shardbus:bus/types@0.1.0/batch-options"];

/// Lints that the written code is exempt from.
const ALLOWED: &str = "#![allow(missing_docs, unsafe_op_in_unsafe_fn, unused_qualifications, clippy::all, \
     clippy::pedantic, reason = \"written by wit-bindgen\")]\n";

/// Writes the code of a component's world into its crate, unless it is there already.
pub fn write(sh: &Shell, component: &Component) -> Result<()> {
    let Component { name, world, interfaces, .. } = component;
    let (path, header) = (path(component), header(Path::new("."), component)?);
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
    let (tool, out) = (tool.join("bin/wit-bindgen"), format!("target/component/{name}-bindings"));
    let defaults = WITH_DEFAULT.iter().flat_map(|record| {
        ["--additional-type-attributes".to_owned(), format!("{record}=#[derive(Default)]")]
    });
    let write =
        cmd!(sh, "{tool} rust").args(*interfaces).args(["--generate-all", "--world", world]);
    exec(write.args(defaults).args(["--out-dir", &out]))?;
    let file = world.rsplit(['/', '%']).next().unwrap_or_default();
    let code = sh.read_file(format!("{out}/{file}.rs"))?;
    sh.write_file(&path, format!("{header}{ALLOWED}{code}"))?;
    exec(cmd!(sh, "rustfmt --edition 2024 {path}"))
}

fn path(component: &Component) -> String {
    format!("{}/src/bindings.rs", component.folder)
}

/// The first line of the code: a hash of all that it depends on.
fn header(root: &Path, component: &Component) -> Result<String> {
    let mut inputs = VERSION.as_bytes().to_vec();
    for folder in component.interfaces {
        for file in freshness::files(root.join(folder))? {
            inputs.extend(std::fs::read(file)?);
        }
    }
    let (hash, from) = (xxh3_128(&inputs), component.interfaces.join("`, `"));
    Ok(format!("// Written by `cargo xtask component` from `{from}`, whose hash is {hash:032x}.\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::COMPONENTS;
    use crate::component_examples::EXAMPLES;

    fn all() -> impl Iterator<Item = &'static Component> {
        COMPONENTS.iter().chain(&EXAMPLES)
    }

    #[test]
    fn the_code_that_is_checked_in_is_that_of_the_interfaces() -> Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for component in all() {
            let (path, header) = (path(component), header(&root, component)?);
            let code = std::fs::read_to_string(root.join(&path))?;
            assert!(code.starts_with(&header), "{path} is old: run `cargo xtask component`");
        }
        Ok(())
    }

    #[test]
    fn the_components_link_the_version_that_writes_their_code() -> Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for Component { folder, .. } in all() {
            let manifest = root.join(folder).join("Cargo.toml");
            let dependency = format!("wit-bindgen = {{ version = \"={VERSION}\"");
            let is_linked = std::fs::read_to_string(&manifest)?.contains(&dependency);
            assert!(is_linked, "{} has another version than {VERSION}", manifest.display());
        }
        Ok(())
    }
}
