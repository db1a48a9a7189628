//! Tries to publish the built package on JSR, without doing it.

use std::path::Path;

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::{exec, npm};

/// Deno is one of the runtimes under test.
const RUNTIMES: &str = "tests/runtimes";

/// Old compilers need this directive. JSR refuses directives that change the compiler of a user, and
/// its own knows the library.
const DIRECTIVE: &str = "/// <reference lib=\"esnext.disposable\" />\n";

/// Fails if JSR would refuse the package.
pub fn check(sh: &Shell) -> Result<()> {
    npm::install(sh, RUNTIMES)?;
    let deno = std::path::absolute(Path::new(RUNTIMES).join("node_modules/.bin/deno"))?;
    // Deno takes nothing that git ignores, so the copy is outside of the repository.
    let copy = sh.create_temp_dir()?;
    for file in ["jsr.json", "README.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        sh.copy_file(Path::new("pkg-js").join(file), copy.path())?;
    }
    copy_modules(sh, Path::new("pkg-js/dist"), &copy.path().join("dist"))?;
    let _directory = sh.push_dir(copy.path());
    exec(cmd!(sh, "{deno} publish --dry-run --allow-dirty"))
}

/// Copies modules and their types, as JSR accepts them.
fn copy_modules(sh: &Shell, from: &Path, to: &Path) -> Result<()> {
    sh.create_dir(to)?;
    for path in sh.read_dir(from)? {
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_modules(sh, &path, &target)?;
        } else if is_module(&path) {
            sh.write_file(target, sh.read_file(&path)?.replace(DIRECTIVE, ""))?;
        }
    }
    Ok(())
}

fn is_module(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "js" || extension == "ts")
}
