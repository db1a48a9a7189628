//! The manifests of `pkg-js` for npm and for JSR, which must agree on every field that both have.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xshell::Shell;

use crate::locked_version;

const NPM: &str = "pkg-js/package.json";
const JSR: &str = "pkg-js/jsr.json";

/// npm's exports that are no JavaScript modules; JSR exports modules only.
const NO_MODULES: [&str; 2] = ["./bus.wasm", "./package.json"];

/// Fails if the crate and the two packages differ in their version, or the packages in their
/// entries.
pub fn check(sh: &Shell) -> Result<()> {
    let [npm, jsr] = [read(sh, NPM)?, read(sh, JSR)?];
    let cargo = locked_version(sh, "Cargo.lock", "shardbus")?;
    for (file, manifest) in [(NPM, &npm), (JSR, &jsr)] {
        let version = &manifest["version"];
        ensure!(
            *version == cargo.as_str(),
            "{file} has version {version}, Cargo.toml {cargo}: make them equal"
        );
    }

    let mut expected = exports(&npm).context("package.json has exports")?;
    expected.retain(|name| !NO_MODULES.contains(name));
    let found = exports(&jsr).context("jsr.json has exports")?;
    let different: Vec<_> = expected.symmetric_difference(&found).collect();
    ensure!(different.is_empty(), "{NPM} and {JSR} do not both export {different:?}");
    for name in found {
        let npm = &npm["exports"][name]["default"]["default"];
        let jsr = &jsr["exports"][name];
        ensure!(npm == jsr, "{name} is {npm} in {NPM}, and {jsr} in {JSR}");
    }
    check_older_resolution(&npm)
}

/// Fails if compilers that know no `exports` do not find the same types.
fn check_older_resolution(npm: &Value) -> Result<()> {
    for (name, export) in npm["exports"].as_object().context("package.json has exports")? {
        let older = match name.trim_start_matches("./") {
            "." => &npm["types"],
            "package.json" => continue,
            name => &npm["typesVersions"]["*"][name][0],
        };
        let types = if export["types"].is_string() { export } else { &export["default"] };
        ensure!(*older == types["types"], "{name} has no entry in `typesVersions` of {NPM}");
    }
    Ok(())
}

/// The modules among npm's `exports`: the name and the types of each.
pub fn modules(sh: &Shell) -> Result<Vec<(String, String)>> {
    let npm = read(sh, NPM)?;
    let names = exports(&npm).context("package.json has exports")?;
    let modules = names.into_iter().filter(|name| !NO_MODULES.contains(name));
    let with_types = modules.map(|name| {
        let types = npm["exports"][name]["default"]["types"].as_str();
        Ok((name.to_owned(), types.with_context(|| format!("{name} has types"))?.to_owned()))
    });
    with_types.collect()
}

fn read(sh: &Shell, file: &str) -> Result<Value> {
    serde_json::from_str(&sh.read_file(file)?).with_context(|| format!("{file} is not JSON"))
}

fn exports(manifest: &Value) -> Option<BTreeSet<&str>> {
    Some(manifest["exports"].as_object()?.keys().map(String::as_str).collect())
}
