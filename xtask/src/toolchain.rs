//! The tools for WebAssembly: a compiler whose standard library covers it, and wasm-bindgen.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::ValueEnum;
use xshell::{Cmd, Shell, cmd};

use crate::{locked_version, npm, say, stamp};

/// The target that the npm package is built for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Forces one [`Route`] to the target.
const ROUTE_VARIABLE: &str = "SHARDBUS_WASM_TOOLCHAIN";

/// Everything that a build of the npm package needs, set up.
pub struct Tools {
    /// The compiler.
    pub wasm: WasmToolchain,
    /// Where `wasm-bindgen` and `wasm-bindgen-test-runner` are; `None` is the search path.
    bindgen: Option<PathBuf>,
}

impl Tools {
    /// Finds each tool or installs it.
    pub fn set_up(sh: &Shell) -> Result<Self> {
        npm::set_up(sh)?;
        let wasm = WasmToolchain::set_up(sh)?;
        Ok(Self {
            wasm,
            bindgen: set_up_bindgen(sh)?,
        })
    }

    /// The path of `wasm-bindgen` or `wasm-bindgen-test-runner`.
    pub fn bindgen(&self, program: &str) -> PathBuf {
        self.bindgen
            .as_ref()
            .map_or_else(|| program.into(), |dir| dir.join(program))
    }
}

/// Where the standard library for WebAssembly comes from, in the order in which it is looked for.
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
    Default,
    /// Debian's, with the standard library in a sysroot of our own.
    Debian {
        /// That sysroot, as an absolute path.
        sysroot: PathBuf,
    },
}

impl WasmToolchain {
    fn set_up(sh: &Shell) -> Result<Self> {
        match forced_route()? {
            Some(Route::Installed) => {
                let hint = "the standard library for wasm32-unknown-unknown is not installed";
                ensure!(
                    has_target(sh),
                    "{hint}, and {ROUTE_VARIABLE} allows nothing else"
                );
                Ok(Self::Default)
            }
            Some(Route::Rustup) => add_target(sh),
            Some(Route::Debian) => debian::set_up(sh),
            None if has_target(sh) => Ok(Self::Default),
            None if debian::is_set_up(sh) => debian::set_up(sh),
            None => add_target(sh).or_else(|error| {
                say(format_args!("{error:#}; trying Debian's compiler instead"));
                debian::set_up(sh)
            }),
        }
    }

    /// `cargo SUBCOMMAND` for [`TARGET`].
    ///
    /// It has a target directory of its own: the compiler may be another one than that of native
    /// builds, and two compilers in one directory throw each other's work away.
    pub fn cargo<'a>(&self, sh: &'a Shell, subcommand: &str) -> Cmd<'a> {
        let cargo = match self {
            Self::Default => cmd!(sh, "cargo {subcommand}"),
            Self::Debian { sysroot } => debian::cargo(sh, subcommand, sysroot),
        };
        cargo
            .args(["--target", TARGET])
            .env("CARGO_TARGET_DIR", "target/wasm")
            .quiet()
    }
}

fn forced_route() -> Result<Option<Route>> {
    let Ok(route) = std::env::var(ROUTE_VARIABLE) else {
        return Ok(None);
    };
    let parsed = Route::from_str(&route, true).map(Some);
    parsed.map_err(|_| anyhow!("{ROUTE_VARIABLE}={route}: set it to installed, rustup or debian"))
}

fn has_target(sh: &Shell) -> bool {
    let libraries = cmd!(sh, "rustc --print target-libdir --target {TARGET}")
        .quiet()
        .ignore_stderr();
    libraries.read().is_ok_and(|dir| Path::new(&dir).is_dir())
}

fn add_target(sh: &Shell) -> Result<WasmToolchain> {
    say("adding the target with rustup");
    // Where its server is out of reach, the other route should get its turn soon.
    let rustup = cmd!(sh, "rustup target add {TARGET}")
        .env("RUSTUP_MAX_RETRIES", "1")
        .quiet();
    rustup
        .run()
        .context("rustup could not add wasm32-unknown-unknown")?;
    ensure!(
        has_target(sh),
        "rustup added wasm32-unknown-unknown to another toolchain than `rustc` is from"
    );
    Ok(WasmToolchain::Default)
}

/// Debian's security archive carries a recent compiler (for its browsers), with the source of the
/// standard library but without one for WebAssembly: this builds that.
mod debian {
    use super::*;

    const PACKAGES: [&str; 6] = [
        "rustc-web",
        "cargo-web",
        "rust-web-clippy",
        "rust-web-src",
        "rust-web-llvm",
        // What the link /usr/bin/rust-lld of rust-web-llvm points to.
        "lld-22",
    ];
    const SYSROOT: &str = "target/wasm-sysroot";

    pub fn is_set_up(sh: &Shell) -> bool {
        compiler(sh).is_ok_and(|compiler| stamp::is_current(&stamp_file(), compiler.as_bytes()))
    }

    pub fn set_up(sh: &Shell) -> Result<WasmToolchain> {
        install_packages(sh)?;
        let compiler = compiler(sh)?;
        stamp::once(sh, &stamp_file(), compiler.as_bytes(), || build_std(sh))?;
        Ok(WasmToolchain::Debian {
            sysroot: std::path::absolute(SYSROOT)?,
        })
    }

    /// Debian's cargo, kept apart from rustup's although both are on the search path.
    pub fn cargo<'a>(sh: &'a Shell, subcommand: &str, sysroot: &Path) -> Cmd<'a> {
        // `cargo clippy` would look for cargo-clippy in CARGO_HOME first, and find rustup's.
        let program = if subcommand == "clippy" {
            "/usr/bin/cargo-clippy"
        } else {
            "/usr/bin/cargo"
        };
        // An array, because a path may have blanks in it. The flags of a target do not reach
        // build scripts and macros.
        let flag = serde_json::json!([format!("--sysroot={}", sysroot.display())]);
        let config = format!("target.{TARGET}.rustflags={flag}");
        apart(cmd!(sh, "{program} {subcommand} --config {config}"))
            .env("RUSTDOC", "/usr/bin/rustdoc")
            .env("CARGO", "/usr/bin/cargo")
    }

    fn apart(cargo: Cmd<'_>) -> Cmd<'_> {
        // The first two would take the place of our own flags; the others are rustup's.
        [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTUP_TOOLCHAIN",
            "LD_LIBRARY_PATH",
        ]
        .into_iter()
        .fold(cargo, Cmd::env_remove)
        .env("RUSTC", "/usr/bin/rustc")
    }

    fn stamp_file() -> PathBuf {
        Path::new(SYSROOT).join("compiler")
    }

    fn compiler(sh: &Shell) -> Result<String> {
        Ok(cmd!(sh, "/usr/bin/rustc --verbose --version")
            .quiet()
            .read()?)
    }

    fn install_packages(sh: &Shell) -> Result<()> {
        let format = "--showformat=${db:Status-Status} ";
        let status = cmd!(sh, "dpkg-query --show {format} {PACKAGES...}");
        let status = status
            .quiet()
            .ignore_stderr()
            .ignore_status()
            .read()
            .unwrap_or_default();
        let installed = status
            .split_whitespace()
            .filter(|&status| status == "installed");
        if installed.count() == PACKAGES.len() {
            return Ok(());
        }
        let packages = PACKAGES.join(" ");
        let hint = "add the target wasm32-unknown-unknown to your Rust toolchain (`rustup target add wasm32-unknown-unknown`)";
        let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        ensure!(
            system.lines().any(|line| line == "ID=debian"),
            "this is not Debian: {hint}"
        );
        let user = cmd!(sh, "id --user").quiet().read()?;
        ensure!(
            user == "0",
            "{hint}, or, as root, `apt-get install {packages}`"
        );

        say(format_args!(
            "installing Debian's compiler, as root: {packages}"
        ));
        cmd!(sh, "apt-get update --quiet")
            .quiet()
            .run()
            .context("`apt-get update` failed")?;
        // Refusing to remove: the packages conflict with Debian's other Rust, which may be in use.
        let install = cmd!(
            sh,
            "apt-get install --yes --quiet --no-remove --no-install-recommends {PACKAGES...}"
        );
        let install = install
            .env("DEBIAN_FRONTEND", "noninteractive")
            .quiet()
            .run();
        install.with_context(|| format!("apt-get could not install it: {hint}"))
    }

    /// Builds the standard library as the only dependency of an empty crate, and lays it out as a
    /// sysroot. What is built here is used with `--sysroot` alone, so nothing outside `target/`
    /// changes.
    fn build_std(sh: &Shell) -> Result<()> {
        say("building the standard library for WebAssembly (a minute)");
        let dir = "target/wasm-std";
        sh.remove_path(dir)?;
        sh.write_file(format!("{dir}/src/lib.rs"), "")?;
        sh.write_file(
            format!("{dir}/Cargo.toml"),
            "[package]\nname = \"empty\"\nedition = \"2024\"\n[workspace]\n",
        )?;
        // Bitcode is for link-time optimisation, `test` for wasm-bindgen-test.
        let build = apart(cmd!(
            sh,
            "/usr/bin/cargo build --release --manifest-path {dir}/Cargo.toml --target {TARGET} -Zbuild-std=std,panic_abort,test"
        ));
        let build = build
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "-Cembed-bitcode=yes")
            .env("CARGO_TARGET_DIR", format!("{dir}/target"));
        build
            .quiet()
            .run()
            .context("Debian's compiler could not build its standard library")?;

        let libraries = format!("{SYSROOT}/lib/rustlib/{TARGET}/lib");
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
}

/// Finds or installs the wasm-bindgen programs: their version must be exactly that of the crate.
fn set_up_bindgen(sh: &Shell) -> Result<Option<PathBuf>> {
    let version = locked_version(sh, "wasm-bindgen")?;
    let own = PathBuf::from("target/tools/bin");
    for dir in [Some(own.clone()), None] {
        let tools = dir.clone().unwrap_or_default();
        if ["wasm-bindgen", "wasm-bindgen-test-runner"]
            .iter()
            .all(|program| {
                let program = tools.join(program);
                let found = cmd!(sh, "{program} --version")
                    .quiet()
                    .ignore_stderr()
                    .read();
                found.is_ok_and(|found| found.split(' ').nth(1) == Some(version.as_str()))
            })
        {
            return Ok(dir.map(std::path::absolute).transpose()?);
        }
    }
    say(format_args!(
        "installing wasm-bindgen-cli {version} into target/tools (some minutes)"
    ));
    // Not `--locked`: its lock file may name versions that a mirror does not have.
    let install = cmd!(
        sh,
        "cargo install --root target/tools wasm-bindgen-cli@{version} --no-default-features --force"
    );
    if install.quiet().run().is_err() {
        bail!(
            "wasm-bindgen-cli could not be built: install version {version} by other means, on the search path"
        );
    }
    Ok(Some(std::path::absolute(own)?))
}
