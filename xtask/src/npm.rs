//! Node and the npm workspace: the packages that build and check `pkg-js`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use xshell::{Shell, cmd};

use crate::{exec, say, stamp};

const OLDEST_NODE: u32 = 20;

/// Checks Node, and installs the packages of `package-lock.json`.
pub fn set_up(sh: &Shell) -> Result<()> {
    let version = cmd!(sh, "node --version").quiet().read();
    let version =
        version.with_context(|| format!("install Node {OLDEST_NODE} or newer, with npm"))?;
    let major = version.trim_start_matches('v').split('.').next();
    ensure!(
        major.and_then(|major| major.parse().ok()) >= Some(OLDEST_NODE),
        "Node {version} is too old: install {OLDEST_NODE} or newer"
    );

    install(sh, ".")
}

/// Installs the packages of a directory's `package-lock.json`.
pub fn install(sh: &Shell, directory: &str) -> Result<()> {
    let path = Path::new(directory);
    let lock = sh.read_binary_file(path.join("package-lock.json"))?;
    stamp::once(sh, &path.join("node_modules/.xtask-stamp"), &lock, || {
        say(format_args!("installing the npm packages that {directory}/package-lock.json lists"));
        let install = exec(cmd!(sh, "npm ci --no-audit --no-fund --prefix {directory}"));
        install.context("`npm ci` failed: it needs the npm registry, and a package-lock.json that matches every package.json (`npm install` updates it)")
    })
}

/// A program that an npm package brings.
pub fn bin(name: &str) -> PathBuf {
    let file = if cfg!(windows) { format!("{name}.cmd") } else { name.to_owned() };
    Path::new("node_modules/.bin").join(file)
}
