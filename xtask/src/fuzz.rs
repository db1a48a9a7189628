//! The fuzz targets of `fuzz/`, built for libFuzzer by the stable compiler.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use xshell::{Cmd, Shell, cmd};

use crate::{cache, exec, locked_version, say};

/// The targets, as `fuzz/Cargo.toml` names them.
const TARGETS: [&str; 3] = ["bytes", "operations", "restore"];

/// The flags of `cargo fuzz --sanitizer none`. Sanitizers need a nightly compiler, and look for
/// errors that safe code cannot make.
const FLAGS: [&str; 8] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions",
    "-Ccodegen-units=1",
    "--cfg=fuzzing",
];

/// Options of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub struct Args {
    /// Seconds of fuzzing for each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// The targets; without one, all of them
    #[arg(value_parser = TARGETS)]
    targets: Vec<String>,
}

impl Args {
    /// The duration in CI.
    pub fn short() -> Self {
        Self { seconds: 20, targets: Vec::new() }
    }
}

/// Runs the targets, and stops at the first input that breaks something.
pub fn run(sh: &Shell, args: &Args) -> Result<()> {
    let chosen =
        |target: &&str| args.targets.is_empty() || args.targets.iter().any(|t| t == target);
    for target in TARGETS.into_iter().filter(chosen) {
        say(format_args!("fuzzing {target} for {} seconds", args.seconds));
        let (corpus, findings) = (format!("target/fuzz/corpus/{target}"), "target/fuzz/findings/");
        sh.create_dir(&corpus)?;
        sh.create_dir(findings)?;
        let fuzz = cargo(sh, "run")?
            .args(["--quiet", "--bin", target, "--"])
            .arg(&corpus)
            .arg(format!("-artifact_prefix={findings}"))
            .arg(format!("-max_total_time={}", args.seconds))
            .args(["-max_len=4096", "-print_funcs=0", "-print_final_stats=1", "-verbosity=0"]);
        exec(fuzz).with_context(|| format!("{target} broke; the input is in {findings}"))?;
    }
    Ok(())
}

/// `cargo SUBCOMMAND` for the targets, always with the same flags, so that dependencies are compiled
/// once.
pub fn cargo<'a>(sh: &'a Shell, subcommand: &str) -> Result<Cmd<'a>> {
    // A target of its own keeps the flags away from build scripts.
    let host = cmd!(sh, "rustc --print host-tuple").quiet().read()?;
    let cargo = cmd!(sh, "cargo {subcommand} --release --manifest-path fuzz/Cargo.toml")
        .args(["--target-dir", "target/fuzz", "--target", &host])
        .env(LIBRARY_VARIABLE, libfuzzer(sh, &host)?.join(LIBRARY))
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
    Ok(cargo)
}

/// The file of libFuzzer, which the crate `libfuzzer-sys` compiles unless the variable names one.
const LIBRARY: &str = "libfuzzer.a";
const LIBRARY_VARIABLE: &str = "CUSTOM_LIBFUZZER_PATH";

/// The directory of the compiled libFuzzer: C++ that takes longer than everything else here.
fn libfuzzer(sh: &Shell, host: &str) -> Result<PathBuf> {
    let version = locked_version(sh, "fuzz/Cargo.lock", "libfuzzer-sys")?;
    let compiler = cmd!(sh, "c++ --version").quiet().read()?;
    cache::once("libfuzzer", &[&*version, &*compiler, host].join("\n"), |to| {
        say("compiling libFuzzer (a minute)");
        let dir = "target/libfuzzer";
        sh.remove_path(dir)?;
        let build = cmd!(sh, "cargo build --release --manifest-path fuzz/Cargo.toml")
            .args(["--package", "libfuzzer-sys", "--target-dir", dir])
            .env_remove(LIBRARY_VARIABLE)
            // They would choose another compiler than that of the recipe.
            .env_remove("CXX")
            .env_remove("CXXFLAGS");
        exec(build)?;
        let outputs = sh.read_dir(format!("{dir}/release/build"))?;
        let built = outputs.iter().map(|output| output.join("out").join(LIBRARY));
        let built = built.into_iter().find(|file| file.exists());
        sh.create_dir(to)?;
        sh.copy_file(built.context("libfuzzer-sys has compiled no library")?, to)?;
        Ok(sh.remove_path(dir)?)
    })
}
