//! wasm-bindgen's programs: one that makes the glue, and one that runs tests. Their version must be
//! exactly that of the crate.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use xshell::{Shell, cmd};

use crate::{cache, exec, locked_version, say};

const PROGRAM: &str = "shardbus-bindgen";
const RUNNER: &str = "wasm-bindgen-test-runner";

/// Finds the program of `xtask/bindgen`, or builds it.
pub fn set_up(sh: &Shell) -> Result<PathBuf> {
    let [glue, support] =
        ["wasm-bindgen", "wasm-bindgen-cli-support"].map(|package| locked_version(sh, package));
    let (glue, support) = (glue?, support?);
    ensure!(
        glue == support,
        "Cargo.lock has wasm-bindgen {glue} and wasm-bindgen-cli-support {support}: \
         give both the same version in Cargo.toml and xtask/bindgen/Cargo.toml"
    );
    let source = sh.read_file("xtask/bindgen/src/main.rs")?;
    let recipe = [support, compiler(sh)?, source].join("\n");
    let directory = cache::once(PROGRAM, &recipe, |to| {
        say("building wasm-bindgen (half a minute)");
        // Nobody debugs it, and it runs for less than a second.
        let build = cmd!(sh, "cargo build --package {PROGRAM} --target-dir target/bindgen");
        exec(build.env("CARGO_PROFILE_DEV_DEBUG", "0"))?;
        let built = format!("target/bindgen/debug/{PROGRAM}{}", std::env::consts::EXE_SUFFIX);
        sh.create_dir(to)?;
        Ok(sh.copy_file(built, to)?)
    })?;
    Ok(directory.join(PROGRAM))
}

/// Finds the program that runs tests, or installs it.
pub fn test_runner(sh: &Shell) -> Result<PathBuf> {
    let version = locked_version(sh, "wasm-bindgen")?;
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
