//! Debian's way to WebAssembly, which needs nothing but its package archive.
//!
//! The security archive carries a recent compiler (browsers are built with it) and the source of its
//! standard library, but no library for WebAssembly. It is built here, into a sysroot of our own, so
//! that the system's stays as it was.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use xshell::{Cmd, Shell, cmd};

use crate::toolchain::{TARGET, WasmToolchain, portable_paths};
use crate::{cache, exec, lock, say};

const PACKAGES: [&str; 6] = [
    "rustc-web",
    "cargo-web",
    "rust-web-clippy",
    "rust-web-src",
    "rust-web-llvm",
    // The linker that /usr/bin/rust-lld, of rust-web-llvm, is a link to.
    "lld-22",
];

/// Its name in the cache.
const SYSROOT: &str = "wasm-sysroot";

/// True if the compiler and the standard library are installed.
pub fn is_set_up(sh: &Shell) -> bool {
    wasm_std(&std_flags()).recipe(sh).is_ok_and(|recipe| cache::has(SYSROOT, &recipe))
}

/// Installs the compiler, which needs root, and builds the standard library.
pub fn set_up(sh: &Shell) -> Result<WasmToolchain> {
    let ordinary = format!("add {TARGET} to your Rust toolchain (`rustup target add {TARGET}`)");
    install_compiler(sh).context(ordinary)?;
    // The name has the recipe's hash, so another library is another flag to cargo.
    let flags = std_flags();
    let std = wasm_std(&flags);
    let sysroot = cache::once(SYSROOT, &std.recipe(sh)?, |to| build_std(sh, &std, None, to))?;
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

/// The flags of the standard library for WebAssembly, in cargo's encoding.
fn std_flags() -> String {
    // Bitcode is for link-time optimisation.
    ["-Cembed-bitcode=yes", &portable_paths()].join("\x1f")
}

/// The standard library for WebAssembly.
const fn wasm_std(flags: &str) -> Std<'_> {
    // `test` is for wasm-bindgen-test.
    Std { target: TARGET, crates: "std,panic_abort,test", flags }
}

/// Installs the compiler and the source of its standard library.
pub fn install_compiler(sh: &Shell) -> Result<()> {
    install(sh, &PACKAGES)
}

/// Finds programs, given with the option for their version, or installs Debian's packages of the same
/// names.
pub fn find_or_install(sh: &Shell, programs: &[(&str, &str)]) -> Result<()> {
    let is_there = |&(program, version): &(&str, &str)| {
        let version = cmd!(sh, "{program} {version}");
        version.quiet().ignore_stdout().ignore_stderr().run().is_ok()
    };
    if programs.iter().all(is_there) {
        return Ok(());
    }
    let packages: Vec<&str> = programs.iter().map(|&(program, _)| program).collect();
    install(sh, &packages)
}

/// Installs those of the packages that are missing, which needs Debian and root.
pub fn install(sh: &Shell, packages: &[&str]) -> Result<()> {
    // apt waits for nobody.
    let _lock = lock::wait_for("apt")?;
    let format = "--showformat=${db:Status-Status} ";
    let status = cmd!(sh, "dpkg-query --show {format} {packages...}");
    let status = status.quiet().ignore_stderr().ignore_status().read().unwrap_or_default();
    if status.split_whitespace().filter(|&status| status == "installed").count() == packages.len() {
        return Ok(());
    }
    let names = packages.join(" ");
    let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    ensure!(
        system.lines().any(|line| line == "ID=debian"),
        "this is not Debian, which has {names}"
    );
    let user = cmd!(sh, "id --user").quiet().read()?;
    ensure!(user == "0", "only root can `apt-get install {names}`");

    say(format_args!("installing, as root: {names}"));
    exec(cmd!(sh, "apt-get update --quiet"))?;
    // Refuses to remove anything: the compiler's packages conflict with Debian's other Rust.
    let install = cmd!(sh, "apt-get install --yes --quiet --no-remove --no-install-recommends");
    let install = install.args(packages).env("DEBIAN_FRONTEND", "noninteractive");
    exec(install).with_context(|| format!("Debian has no {names} for us"))
}

/// A standard library to build.
pub struct Std<'a> {
    /// Its target.
    pub target: &'a str,
    /// Its crates.
    pub crates: &'a str,
    /// The compiler's flags, in cargo's encoding.
    pub flags: &'a str,
}

impl Std<'_> {
    /// All that the library depends on.
    pub fn recipe(&self, sh: &Shell) -> Result<String> {
        let Std { target, crates, flags } = self;
        let compiler = cmd!(sh, "/usr/bin/rustc --verbose --version").quiet().ignore_stderr();
        Ok([&*compiler.read()?, target, crates, flags].join("\n"))
    }
}

/// Builds a standard library into a sysroot, as the one dependency of an empty crate, so that each library that
/// comes out belongs to it.
pub fn build_std(sh: &Shell, std: &Std<'_>, linker: Option<&Path>, sysroot: &Path) -> Result<()> {
    let Std { target, crates, flags } = std;
    say(format_args!("building the standard library for {target} (a minute)"));
    let dir = &format!("target/std-{target}");
    sh.remove_path(dir)?;
    let manifest = "[package]\nname = \"empty\"\nedition = \"2024\"\n[workspace]\n";
    sh.write_file(format!("{dir}/Cargo.toml"), manifest)?;
    sh.write_file(format!("{dir}/src/lib.rs"), "")?;
    let build = cargo(sh, "build")
        .args(["--release", "--target", target])
        .arg(format!("-Zbuild-std={crates}"))
        .arg(format!("--manifest-path={dir}/Cargo.toml"))
        .arg(format!("--target-dir={dir}/target"))
        .env("CARGO_ENCODED_RUSTFLAGS", flags)
        .env("RUSTC_BOOTSTRAP", "1");
    let build = match linker {
        Some(linker) => build.env(linker_variable(target), linker),
        None => build,
    };
    exec(build)?;

    let libraries = sysroot.join("lib/rustlib").join(target).join("lib");
    sh.create_dir(&libraries)?;
    for file in sh.read_dir(format!("{dir}/target/{target}/release/deps"))? {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".rlib") && !name.starts_with("libempty-") {
            sh.copy_file(&file, &libraries)?;
        }
    }
    Ok(sh.remove_path(dir)?)
}

/// The variable that tells cargo the linker for a target.
pub fn linker_variable(target: &str) -> String {
    format!("CARGO_TARGET_{}_LINKER", target.to_uppercase().replace('-', "_"))
}
