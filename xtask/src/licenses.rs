//! The licences of others' code in the npm package: compiled into `bus.wasm`, or bundled. They ask
//! to be shipped along.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use xshell::{Shell, cmd};

use crate::toolchain::TARGET;

/// Their path in the package.
pub const FILE: &str = "pkg-js/THIRD-PARTY-LICENSES";

/// Texts for packages that come without one.
const STANDARD_LIBRARY: &str = include_str!("licenses/rust-std.txt");
const MIT: &str = include_str!("licenses/mit.txt");

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    authors: Vec<String>,
    source: Option<String>,
    manifest_path: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    kind: Option<String>,
}

/// Writes them, given the npm packages that are bundled.
pub fn write(sh: &Shell, bundled: &[&str]) -> Result<()> {
    let text = "The files of this package contain the software below, under the licences that \
                follow each name. The package's own licences are in LICENSE-MIT and \
                LICENSE-APACHE.\n";
    let mut entries = vec![text.to_owned()];
    entries.push(entry("The Rust standard library", STANDARD_LIBRARY));
    entries.extend(crates(sh)?);
    for package in bundled {
        entries.push(npm_package(sh, package)?);
    }
    Ok(sh.write_file(FILE, entries.join("\n"))?)
}

fn entry(name: &str, text: &str) -> String {
    format!("{}\n{name}\n\n{}\n", "=".repeat(80), text.trim())
}

/// Of the crates that are compiled into the module.
fn crates(sh: &Shell) -> Result<Vec<String>> {
    let metadata = cmd!(sh, "cargo metadata --format-version 1 --locked");
    let metadata = metadata.args(["--filter-platform", TARGET]).quiet().read()?;
    let Metadata { packages, resolve } = serde_json::from_str(&metadata)?;
    let packages: BTreeMap<_, _> = packages.iter().map(|it| (it.id.as_str(), it)).collect();
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|it| (it.id.as_str(), it)).collect();
    let is_root = |it: &&&Package| it.name == "shardbus-wasm" && it.source.is_none();
    let root = packages.values().find(is_root).context("the workspace has the module's crate")?;

    let (mut found, mut open) = (BTreeSet::new(), vec![root.id.as_str()]);
    while let Some(id) = open.pop() {
        if !found.insert(id) {
            continue;
        }
        for dependency in &nodes[id].deps {
            // A package that runs only at build time is not in it.
            let is_linked = dependency.dep_kinds.iter().any(|it| it.kind.is_none());
            let is_macro = |it: &Target| it.kind.iter().any(|kind| kind == "proc-macro");
            let id = dependency.pkg.as_str();
            if is_linked && !packages[id].targets.iter().any(is_macro) {
                open.push(id);
            }
        }
    }
    let mut found: Vec<_> = found.into_iter().map(|id| packages[id]).collect();
    found.retain(|package| package.source.is_some());
    found.sort_by_key(|it| &it.name);
    found.into_iter().map(|package| krate(sh, package)).collect()
}

fn krate(sh: &Shell, package: &Package) -> Result<String> {
    let Package { name, version, authors, .. } = package;
    let license = package.license.as_deref().unwrap_or_default();
    let directory = Path::new(&package.manifest_path).parent().context("a manifest is a file")?;
    let mut texts = texts(sh, directory)?;
    if texts.is_empty() {
        ensure!(license.contains("MIT"), "{name} {version} comes without the text of {license}");
        texts.push(MIT.replace("{copyright}", &format!("Copyright (c) {}", authors.join(", "))));
    }
    Ok(entry(&format!("{name} {version}: {license}"), &texts.join("\n\n")))
}

fn npm_package(sh: &Shell, name: &str) -> Result<String> {
    let directory = format!("node_modules/{name}");
    let manifest = sh.read_file(format!("{directory}/package.json"))?;
    let manifest: serde_json::Value = serde_json::from_str(&manifest)?;
    let [version, license] = ["version", "license"].map(|it| manifest[it].as_str().unwrap_or("?"));
    let texts = texts(sh, Path::new(&directory))?;
    ensure!(!texts.is_empty(), "{name} {version} comes without the text of {license}");
    Ok(entry(&format!("{name} {version}: {license}"), &texts.join("\n\n")))
}

/// The texts that come with a package. Where one can choose between Apache-2.0 and MIT, this chooses
/// the shorter one.
fn texts(sh: &Shell, directory: &Path) -> Result<Vec<String>> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    let mut files = sh.read_dir(directory)?;
    files.retain(|path| name(path).starts_with("LICENSE") || name(path).starts_with("LICENCE"));
    if files.iter().any(|path| name(path).contains("MIT")) {
        files.retain(|path| !name(path).contains("APACHE"));
    }
    files.iter().map(|path| Ok(sh.read_file(path)?)).collect()
}

/// Checks that a project in which the packed package is installed has the licences of all that is
/// carried: those that the code itself speaks of, and those that are known.
pub fn check(sh: &Shell, project: &Path) -> Result<()> {
    let package = project.join("node_modules/shardbus");
    let text = sh.read_file(package.join("THIRD-PARTY-LICENSES"))?;
    let has = |name: &str| text.lines().any(|line| line.starts_with(name));
    // Without one of them, the list is made wrongly.
    let crates = ["bytes ", "memchr ", "serde_json ", "xxhash-rust "];
    let others = ["idb ", "The Rust standard library"];
    for name in crates.into_iter().chain(others) {
        ensure!(has(name), "THIRD-PARTY-LICENSES does not speak of {name}");
    }
    for own in ["LICENSE-MIT", "LICENSE-APACHE"] {
        ensure!(sh.path_exists(package.join(own)), "the package has no {own}");
    }
    // Each bundled file names the package that it is from.
    for file in crate::freshness::files(package.join("dist"))? {
        if file.extension().is_none_or(|extension| extension != "js") {
            continue;
        }
        let banners = sh.read_file(&file)?;
        let banners = banners.lines().filter_map(|line| line.strip_prefix("/*! "));
        for name in banners.filter_map(|line| line.split(' ').next()) {
            let is_there = has(&format!("{name} "));
            ensure!(is_there, "{}: THIRD-PARTY-LICENSES lacks {name}", file.display());
        }
    }
    Ok(())
}
