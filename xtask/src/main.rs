//! Builds, tests and runs shardbus. Everything it needs beyond Rust and Node it sets up by itself,
//! inside `target/`, `node_modules/` and the user's cache as far as possible.
#![allow(
    clippy::disallowed_types,
    reason = "the rule keeps the library portable; this program only runs natively"
)]

mod api_report;
mod bench;
mod bindgen;
mod browsers;
mod cache;
mod component;
mod component_examples;
mod debian;
mod deny;
mod freshness;
mod fuzz;
mod jsr;
mod licenses;
mod lock;
mod manifests;
mod mutate;
mod npm;
mod package;
mod packed;
mod pip;
mod reproducible;
mod simulate;
mod sizes;
mod source_maps;
mod stamp;
mod test;
mod test_servers;
mod toolchain;
mod tree_shaking;
mod trunc_sat;
mod tsan;
mod wasm2js;
mod wasm_module;
mod wit_bindgen;

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};
use xshell::{Cmd, Shell, cmd};

use crate::toolchain::Tools;

/// Builds, tests and runs shardbus.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Compare the package with its alternatives, and write a table and plots
    Bench(bench::Args),
    /// Build `pkg-js` into an npm package that is ready to publish
    Build {
        /// Write the public API into `pkg-js/shardbus.api.md`
        #[arg(long)]
        accept_api: bool,
    },
    /// Build the bus as WebAssembly components, in `target/component`
    Component {
        /// Build the services of `examples/component*` with it
        #[arg(long)]
        examples: bool,
        /// Run one of `examples/component*`, with a collector for its events
        #[arg(long)]
        run: Option<component_examples::Example>,
    },
    /// Build the package and run the flights example on it
    Demo {
        /// Arguments for the example
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Look for inputs that break the core, with libFuzzer
    Fuzz(fuzz::Args),
    /// Break the sources one by one, in a copy, and report breakages that no test notices
    Mutate(mutate::Args),
    /// Run schedules of the deterministic simulation, or replay one
    Simulate(simulate::Args),
    /// Run the tests with threads under ThreadSanitizer
    Tsan,
    /// Run every check that CI runs
    Test(test::Args),
}

fn main() -> ExitCode {
    // Printed here: returning it from `main` would add a backtrace, and the message names the
    // command that failed.
    run(Cli::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(cli: Cli) -> Result<ExitCode> {
    // Every path in this program is relative to the root of the repository.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    std::env::set_current_dir(root.context("xtask has a parent directory")?)?;
    let sh = Shell::new()?;
    match cli.task {
        Task::Bench(args) => bench::run(&sh, &args).map(|()| ExitCode::SUCCESS),
        Task::Build { accept_api } => {
            package::build(&sh, &Tools::set_up()?)?;
            if accept_api {
                api_report::check(&sh, true)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Task::Component { examples, run } => {
            component::build(&sh)?;
            if examples {
                component_examples::build(&sh, &component::Tools::set_up(&sh)?)?;
            }
            if let Some(example) = run {
                component_examples::run(&sh, example)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Task::Demo { args } => {
            let _built = package::build_for_node(&sh, &Tools::set_up()?)?;
            demo(&sh, &args)
        }
        Task::Fuzz(args) => fuzz::run(&sh, &args).map(|()| ExitCode::SUCCESS),
        Task::Mutate(args) => mutate::run(&sh, &args).map(|()| ExitCode::SUCCESS),
        Task::Simulate(args) => simulate::run(&sh, &args).map(|()| ExitCode::SUCCESS),
        Task::Tsan => tsan::run(&sh).map(|()| ExitCode::SUCCESS),
        Task::Test(args) => test::run(sh, &args),
    }
}

/// Runs the example as a terminal would: it has our standard input and decides our exit code.
fn demo(sh: &Shell, args: &[String]) -> Result<ExitCode> {
    say("running examples/flights");
    let status = Command::from(cmd!(sh, "node examples/flights/main.mjs {args...}")).status();
    let code = status.context("could not start `node`")?.code();
    Ok(code.map_or(ExitCode::FAILURE, |code| ExitCode::from(code as u8)))
}

/// A tool that a check needs and this machine lacks: the context of the error that says why.
#[derive(Debug)]
struct Unavailable(&'static str);

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// Runs a command with our output, and fails if it does.
fn exec(command: Cmd<'_>) -> Result<()> {
    Ok(command.quiet().run()?)
}

/// Logs the next action, in one line.
fn say(what: impl std::fmt::Display) {
    eprintln!("==> {what}");
}

/// The version that a lock file of cargo gives to a package.
fn locked_version(sh: &Shell, file: &str, package: &str) -> Result<String> {
    let lock = sh.read_file(file)?;
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    match lines.next().and_then(|line| line.strip_prefix("version = ")) {
        Some(version) => Ok(version.trim_matches('"').to_owned()),
        None => bail!("{file} has no package {package}: run `cargo update --workspace`"),
    }
}
