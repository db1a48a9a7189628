//! Checks that the same sources make the same module, wherever they are.
//!
//! Later steps read nothing but the module. Another compiler makes another module: rustup's and
//! Debian's do even of one release, because Debian's has a later LLVM and another path of the standard
//! library. So two builds of one toolchain, in two folders, are compared.

use anyhow::{Context as _, Result, ensure};
use xshell::{Shell, cmd};

use crate::toolchain::Tools;
use crate::{lock, package, say};

/// Compiles the module here and in a copy of the sources, and compares them.
pub fn check(sh: &Shell, tools: &Tools) -> Result<()> {
    let _lock = lock::wait_for("package")?;
    let here = package::compile_core(sh, tools)?;

    let copy = sh.create_temp_dir()?;
    let root = copy.path().join("another folder");
    say(format_args!("compiling the core to WebAssembly in {}", root.display()));
    let tracked = cmd!(sh, "git ls-files --cached --others --exclude-standard -- *.rs *.toml *.md");
    for file in tracked.arg("Cargo.lock").quiet().read()?.lines() {
        let from = sh.current_dir().join(file);
        let to = root.join(file);
        sh.create_dir(to.parent().context("a file is in a directory")?)?;
        // Git still lists deleted files.
        if sh.path_exists(&from) {
            sh.copy_file(from, to)?;
        }
    }
    let there = {
        let _in_copy = sh.push_dir(&root);
        package::compile_core(sh, tools)?
    };

    let at = here.iter().zip(&there).position(|(a, b)| a != b);
    ensure!(at.is_none(), "the modules differ, first at byte {}", at.unwrap_or_default());
    ensure!(here.len() == there.len(), "one module is longer than the other");
    for path in [sh.current_dir(), root, std::env::home_dir().unwrap_or_default()] {
        let path = path.to_string_lossy().into_owned();
        let is_in = path.len() > 1 && here.windows(path.len()).any(|it| it == path.as_bytes());
        ensure!(!is_in, "the module has {path} in it, which is this machine's own");
    }
    Ok(())
}
