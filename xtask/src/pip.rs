//! Python packages, from lists with their hashes.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

use crate::{Unavailable, cache, exec, say};

/// Installs the packages of a list, and returns their directory in the cache: `PYTHONPATH` for programs
/// that use them. pip makes only scripts executable, so `programs` have the paths of the others there.
pub fn install(sh: &Shell, name: &str, list: &str, programs: &[&str]) -> Result<PathBuf> {
    let requirements = sh.read_file(list)?;
    let python = cmd!(sh, "python3 -m pip --version").quiet().ignore_stderr().read();
    let python = python.context(Unavailable("python3 or its pip is missing"))?;
    let recipe = [&[&*python, &requirements], programs].concat().join("\n");
    cache::once(name, &recipe, |to| {
        say(format_args!("installing the Python packages that {list} lists"));
        let pip = cmd!(sh, "python3 -m pip install --quiet --disable-pip-version-check");
        let pip = pip.args(["--root-user-action=ignore", "--no-deps", "--require-hashes"]);
        let pip = pip.args(["--only-binary=:all:", "--requirement", list, "--target"]);
        exec(pip.arg(to)).with_context(|| format!("pip could not install {list}"))?;
        programs.iter().try_for_each(|program| exec(cmd!(sh, "chmod +x {to}/{program}")))
    })
}
