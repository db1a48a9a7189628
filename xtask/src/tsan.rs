//! ThreadSanitizer on the tests that use threads.
//!
//! It needs a standard library that is instrumented too, or it takes the library's own
//! synchronisation for races. Debian's compiler comes with the source to build one; the sanitizer's
//! runtime comes with the compiler of rustup.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

use crate::debian::{self, Std, build_std, linker_variable};
use crate::{Unavailable, cache, exec, say};

const TESTS: [&str; 6] = ["--test", "threads", "--test", "scaling_threads", "--test", "held_shard"];

/// The sanitizer, without the compiler's own runtime, which Debian's lacks. Instrumented code
/// runs several times longer without optimisation, and more optimisation takes longer than it saves.
const FLAGS: [&str; 3] = ["-Zsanitizer=thread", "-Zexternal-clangrt", "-Copt-level=1"];

/// Builds the tests with the sanitizer, and runs them: a race makes them fail.
pub fn run(sh: &Shell) -> Result<()> {
    let host = cmd!(sh, "rustc --print host-tuple").quiet().read()?;
    let runtime = runtime(sh, &host)?;
    let missing = Unavailable("there is no compiler that can instrument its standard library");
    debian::install_compiler(sh).context(missing)?;
    let linker = std::path::absolute("target/tsan/cc")?;
    sh.write_file(&linker, linker_script(&runtime))?;
    exec(cmd!(sh, "chmod +x {linker}"))?;

    let flags = FLAGS.join("\x1f");
    let std = Std { target: &host, crates: "std,test", flags: &flags };
    let sysroot =
        cache::once("tsan-sysroot", &std.recipe(sh)?, |to| build_std(sh, &std, Some(&linker), to))?;

    say("running the tests with threads under ThreadSanitizer (a minute)");
    let test = debian::cargo(sh, "test")
        .args(["--package", "shardbus-tsan", "--target", &host])
        .args(TESTS)
        .env("CARGO_TARGET_DIR", "target/tsan")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", format!("{flags}\x1f--sysroot={}", sysroot.display()))
        .env(linker_variable(&host), &linker);
    exec(test)
}

fn runtime(sh: &Shell, host: &str) -> Result<PathBuf> {
    let sysroot = PathBuf::from(cmd!(sh, "rustc --print sysroot").quiet().read()?);
    let libraries = sh.read_dir(sysroot.join("lib/rustlib").join(host).join("lib"));
    let is_runtime = |path: &PathBuf| path.to_string_lossy().ends_with("_rt.tsan.a");
    let runtime = libraries.unwrap_or_default().into_iter().find(is_runtime);
    let missing = "this compiler has no runtime of ThreadSanitizer; rustup's has one for Linux";
    runtime.context(Unavailable(missing))
}

/// Gives the runtime to the tests alone: build scripts are not instrumented, and a shared library
/// finds it in the programs that load it.
fn linker_script(runtime: &std::path::Path) -> String {
    format!(
        r#"#!/bin/sh
case "$*" in
  *build_script*) exec cc "$@" ;;
  *-shared*) exec cc "$@" -Wl,--unresolved-symbols=ignore-all ;;
esac
exec cc -Wl,--whole-archive "{}" -Wl,--no-whole-archive "$@" -lpthread -ldl -lrt -lm -lstdc++ -lc
"#,
        runtime.display()
    )
}
