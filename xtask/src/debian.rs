//! Debian's way to WebAssembly, which needs nothing but its package archive.
//!
//! The security archive carries a recent compiler (browsers are built with it) and the source of its
//! standard library, but no library for WebAssembly. It is built here, into a sysroot under
//! `target/`, so that the system's own stays as it was.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use xshell::{Cmd, Shell, cmd};

use crate::toolchain::{TARGET, WasmToolchain, portable_paths};
use crate::{exec, say, stamp};

const PACKAGES: [&str; 6] = [
    "rustc-web",
    "cargo-web",
    "rust-web-clippy",
    "rust-web-src",
    "rust-web-llvm",
    // The linker that /usr/bin/rust-lld, of rust-web-llvm, is a link to.
    "lld-22",
];

const SYSROOT: &str = "target/wasm-sysroot";
/// Names the compiler that the sysroot is for.
const STAMP: &str = "target/wasm-sysroot/compiler";

/// Whether everything is there already.
pub fn is_set_up(sh: &Shell) -> bool {
    compiler(sh).is_ok_and(|compiler| stamp::is_current(Path::new(STAMP), compiler.as_bytes()))
}

/// Installs the compiler, which needs root, and builds the standard library.
pub fn set_up(sh: &Shell) -> Result<WasmToolchain> {
    install_packages(sh)?;
    let compiler = compiler(sh)?;
    stamp::once(sh, Path::new(STAMP), compiler.as_bytes(), || build_std(sh))?;
    let sysroot = std::path::absolute(SYSROOT)?;
    Ok(WasmToolchain::Debian { sysroot })
}

/// `cargo SUBCOMMAND` by Debian's cargo and compiler, with nothing of rustup's in the way.
pub fn cargo<'a>(sh: &'a Shell, subcommand: &str) -> Cmd<'a> {
    let program = match subcommand {
        // Cargo looks in CARGO_HOME before it looks beside itself, and would find rustup's.
        "clippy" => "/usr/bin/cargo-clippy",
        _ => "/usr/bin/cargo",
    };
    cmd!(sh, "{program} {subcommand}")
        .env("CARGO", "/usr/bin/cargo")
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTDOC", "/usr/bin/rustdoc")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("LD_LIBRARY_PATH")
        // These would take the place of a target's flags, and the sysroot is one of them.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
}

fn compiler(sh: &Shell) -> Result<String> {
    Ok(cmd!(sh, "/usr/bin/rustc --verbose --version").quiet().ignore_stderr().read()?)
}

fn install_packages(sh: &Shell) -> Result<()> {
    let format = "--showformat=${db:Status-Status} ";
    let status = cmd!(sh, "dpkg-query --show {format} {PACKAGES...}");
    let status = status.quiet().ignore_stderr().ignore_status().read().unwrap_or_default();
    if status.split_whitespace().filter(|&status| status == "installed").count() == PACKAGES.len() {
        return Ok(());
    }
    let packages = PACKAGES.join(" ");
    let ordinary = format!("add {TARGET} to your Rust toolchain (`rustup target add {TARGET}`)");
    let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    ensure!(system.lines().any(|line| line == "ID=debian"), "this is not Debian: {ordinary}");
    let user = cmd!(sh, "id --user").quiet().read()?;
    ensure!(user == "0", "{ordinary}, or, as root, `apt-get install {packages}`");

    say(format_args!("installing Debian's compiler, as root: {packages}"));
    exec(cmd!(sh, "apt-get update --quiet"))?;
    // Refuses to remove anything: the packages conflict with Debian's other Rust.
    let install = cmd!(sh, "apt-get install --yes --quiet --no-remove --no-install-recommends");
    let install = install.args(PACKAGES).env("DEBIAN_FRONTEND", "noninteractive");
    exec(install).with_context(|| format!("Debian has no compiler for us: {ordinary}"))
}

/// Builds the standard library as the one dependency of an empty crate, so that each library that
/// comes out belongs to it.
fn build_std(sh: &Shell) -> Result<()> {
    say("building the standard library for WebAssembly (a minute)");
    let dir = "target/wasm-std";
    sh.remove_path(dir)?;
    let manifest = "[package]\nname = \"empty\"\nedition = \"2024\"\n[workspace]\n";
    sh.write_file(format!("{dir}/Cargo.toml"), manifest)?;
    sh.write_file(format!("{dir}/src/lib.rs"), "")?;
    // `test` is for wasm-bindgen-test, bitcode for link-time optimisation.
    let build = cargo(sh, "build")
        .args(["--release", "--target", TARGET, "-Zbuild-std=std,panic_abort,test"])
        .arg(format!("--manifest-path={dir}/Cargo.toml"))
        .arg(format!("--target-dir={dir}/target"))
        .env("CARGO_ENCODED_RUSTFLAGS", format!("-Cembed-bitcode=yes\x1f{}", portable_paths()))
        .env("RUSTC_BOOTSTRAP", "1");
    exec(build)?;

    let libraries: PathBuf = [SYSROOT, "lib/rustlib", TARGET, "lib"].iter().collect();
    sh.remove_path(SYSROOT)?;
    sh.create_dir(&libraries)?;
    for file in sh.read_dir(format!("{dir}/target/{TARGET}/release/deps"))? {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".rlib") && !name.starts_with("libempty-") {
            sh.copy_file(&file, &libraries)?;
        }
    }
    Ok(sh.remove_path(dir)?)
}
