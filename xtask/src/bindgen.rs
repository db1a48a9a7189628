//! wasm-bindgen's program that runs tests. Its version must be exactly that of the crate.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

use crate::{cache, exec, locked_version, say};

const RUNNER: &str = "wasm-bindgen-test-runner";

/// Finds the program that runs tests, or installs it.
pub fn test_runner(sh: &Shell) -> Result<PathBuf> {
    let version = locked_version(sh, "Cargo.lock", "wasm-bindgen")?;
    let recipe = [&*version, &*compiler(sh)?].join("\n");
    let directory = cache::once(RUNNER, &recipe, |to| install_runner(sh, &version, to))?;
    Ok(directory.join("bin").join(RUNNER))
}

fn install_runner(sh: &Shell, version: &str, to: &Path) -> Result<()> {
    let package = format!("wasm-bindgen-cli@{version}");
    say(format_args!("installing {package} (a minute)"));
    // Not `--locked`: its lock file may name versions that a mirror does not have. Compiled for
    // tests of some seconds.
    let install = cmd!(sh, "cargo install {package} --bin {RUNNER} --root {to} --debug")
        .args(["--no-default-features", "--target-dir", "target/bindgen"])
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    exec(install).with_context(|| format!("{package} could not be installed"))
}

fn compiler(sh: &Shell) -> Result<String> {
    Ok(cmd!(sh, "rustc --verbose --version").quiet().read()?)
}
