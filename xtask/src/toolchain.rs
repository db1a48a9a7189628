//! The tools for WebAssembly: a compiler whose standard library covers it, and npm's.

use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::ValueEnum;
use xshell::{Cmd, Shell, cmd};

use crate::{debian, exec, npm, say};

/// The target that the npm package is built for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// The target directory of builds for it.
///
/// Apart from native builds, because the compiler may be another one than theirs, and two
/// compilers in one directory throw each other's work away.
pub const TARGET_DIR: &str = "target/wasm";

/// Forces one [`Route`] to the target.
const ROUTE_VARIABLE: &str = "SHARDBUS_WASM_TOOLCHAIN";

/// Everything that a build of the npm package needs, set up.
pub struct Tools {
    /// The compiler.
    pub wasm: WasmToolchain,
}

impl Tools {
    /// Finds each tool or installs it, side by side: some wait for the network, others compile.
    pub fn set_up() -> Result<Self> {
        thread::scope(|scope| {
            let npm = scope.spawn(|| npm::set_up(&Shell::new()?));
            let wasm = WasmToolchain::set_up(&Shell::new()?);
            npm.join().map_err(|_| anyhow!("installing npm packages panicked"))??;
            Ok(Self { wasm: wasm? })
        })
    }
}

/// The sources of the standard library for WebAssembly, in the order in which they are tried.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Route {
    /// The toolchain on the search path has it already.
    Installed,
    /// `rustup target add`.
    Rustup,
    /// Debian's compiler, and a standard library built from Debian's copy of its source.
    Debian,
}

/// A `cargo` that can build for [`TARGET`].
pub enum WasmToolchain {
    /// The one on the search path.
    Default {
        /// The compiler flag that keeps the path of the standard library's source out.
        portable_library: String,
    },
    /// Debian's, with the standard library in a sysroot of our own.
    Debian {
        /// That sysroot, as an absolute path.
        sysroot: PathBuf,
    },
}

impl WasmToolchain {
    /// Finds it or installs it.
    pub fn set_up(sh: &Shell) -> Result<Self> {
        match forced_route()? {
            Some(Route::Installed) => {
                let missing = "wasm32-unknown-unknown is not installed";
                ensure!(has_target(sh), "{missing}, and {ROUTE_VARIABLE} allows no other way");
                default(sh)
            }
            Some(Route::Rustup) => add_target(sh),
            Some(Route::Debian) => debian::set_up(sh),
            None if has_target(sh) => default(sh),
            None if debian::is_set_up(sh) => debian::set_up(sh),
            None => add_target(sh).or_else(|error| {
                say(format_args!("{error:#}; trying Debian's compiler instead"));
                debian::set_up(sh)
            }),
        }
    }

    /// Identifies the compiler and its standard library, for the fingerprint of a build.
    pub fn identity(&self, sh: &Shell) -> Result<String> {
        let (rustc, sysroot) = match self {
            Self::Default { .. } => ("rustc", Path::new("")),
            Self::Debian { sysroot } => ("/usr/bin/rustc", &**sysroot),
        };
        let version = cmd!(sh, "{rustc} --verbose --version").quiet().read()?;
        Ok(format!("{rustc}\n{version}\n{}", sysroot.display()))
    }

    /// `cargo SUBCOMMAND` for [`TARGET`], in [`TARGET_DIR`].
    pub fn cargo<'a>(&self, sh: &'a Shell, subcommand: &str) -> Cmd<'a> {
        let (cargo, flags) = match self {
            Self::Default { portable_library } => {
                (cmd!(sh, "cargo {subcommand}"), vec![portable_paths(), portable_library.clone()])
            }
            Self::Debian { sysroot } => {
                let sysroot = format!("--sysroot={}", sysroot.display());
                (debian::cargo(sh, subcommand), vec![portable_paths(), sysroot])
            }
        };
        // The flags of a target do not reach build scripts and macros. As an array, they may have
        // blanks in them, and join those of `.cargo/config.toml`.
        let flags = format!("target.{TARGET}.rustflags={}", serde_json::json!(flags));
        let cargo = cargo.args(["--target", TARGET, "--config", &flags]);
        cargo.env("CARGO_TARGET_DIR", TARGET_DIR)
    }
}

/// The compiler flag that keeps this machine's paths out of the published files.
pub fn portable_paths() -> String {
    let home = || std::env::home_dir().unwrap_or_default().join(".cargo");
    let cargo_home = std::env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from);
    format!("--remap-path-prefix={}=/cargo", cargo_home.display())
}

/// The compiler on the search path.
fn default(sh: &Shell) -> Result<WasmToolchain> {
    let sysroot = cmd!(sh, "rustc --print sysroot").quiet().read()?;
    let version = cmd!(sh, "rustc --verbose --version").quiet().read()?;
    Ok(WasmToolchain::Default { portable_library: portable_library(&sysroot, &version) })
}

/// The compiler flag that gives the standard library's source the name that its own builders gave it:
/// where the component `rust-src` is installed, the compiler names the files on this machine instead.
fn portable_library(sysroot: &str, version: &str) -> String {
    let hash = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    let hash = hash.unwrap_or("unknown");
    format!("--remap-path-prefix={sysroot}/lib/rustlib/src/rust=/rustc/{hash}")
}

fn forced_route() -> Result<Option<Route>> {
    let Ok(route) = std::env::var(ROUTE_VARIABLE) else {
        return Ok(None);
    };
    let parsed = Route::from_str(&route, true).map(Some);
    parsed.map_err(|_| anyhow!("{ROUTE_VARIABLE}={route}: set it to installed, rustup or debian"))
}

fn has_target(sh: &Shell) -> bool {
    let libraries = cmd!(sh, "rustc --print target-libdir --target {TARGET}");
    let libraries = libraries.quiet().ignore_stderr().read();
    libraries.is_ok_and(|dir| Path::new(&dir).is_dir())
}

fn add_target(sh: &Shell) -> Result<WasmToolchain> {
    say("adding the target with rustup");
    // One retry: if its server is out of reach, the other route should be tried soon.
    let rustup = cmd!(sh, "rustup target add {TARGET}").env("RUSTUP_MAX_RETRIES", "1");
    exec(rustup).context("rustup could not add wasm32-unknown-unknown")?;
    ensure!(has_target(sh), "rustup added the target to another toolchain than that of `rustc`");
    default(sh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_of_the_standard_library_has_the_name_of_its_release() {
        let version = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\ncommit-hash: 5980";
        assert_eq!(
            portable_library("/home/me/sysroot", version),
            "--remap-path-prefix=/home/me/sysroot/lib/rustlib/src/rust=/rustc/5980"
        );
    }
}
