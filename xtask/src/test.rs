//! Every check, as a list of steps that can also be run one by one.
//!
//! A step whose tools this machine cannot have is skipped, and the table says why; in CI (where `CI`
//! is `true`) it fails.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::builder::PossibleValuesParser;
use xshell::{Cmd, Shell, cmd};

use crate::browsers::{self, Browser};
use crate::toolchain::Tools;
use crate::{
    Unavailable, api_report, bench, debian, engines, exec, fuzz, npm, package, say, simulate,
    tree_shaking, tsan,
};

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Args {
    /// Run this step alone; may be given several times
    #[arg(long, value_name = "STEP", value_parser = names())]
    only: Vec<String>,
    /// List the steps
    #[arg(long)]
    list: bool,
}

/// A check: its name, what it makes sure of, and how.
type Step = (&'static str, &'static str, fn(&Session) -> Result<()>);

#[rustfmt::skip]
const STEPS: &[Step] = &[
    ("setup", "the tools are installed", Session::setup),
    ("fmt", "Rust: format", Session::fmt),
    ("clippy", "Rust: lints, with threads", Session::clippy),
    ("clippy-single-threaded", "Rust: lints, without threads", Session::clippy_single_threaded),
    ("clippy-wasm", "Rust: lints, for WebAssembly", Session::clippy_wasm),
    ("rust", "Rust: tests, with threads", Session::rust),
    ("rust-single-threaded", "Rust: tests, without threads", Session::rust_single_threaded),
    ("rust-wasm", "Rust: tests, as WebAssembly in Node", Session::rust_wasm),
    ("rust-wasm-chromium", "Rust: tests, as WebAssembly in Chromium", Session::rust_wasm_chromium),
    ("simulate", "Rust: many schedules of the deterministic simulation", Session::simulate),
    ("tsan", "Rust: tests with threads, under ThreadSanitizer", Session::tsan),
    ("fuzz", "Rust: a short look for inputs that break the core", Session::fuzz),
    ("build", "the npm package builds", Session::package),
    ("biome", "JavaScript and TypeScript: format and lints", Session::biome),
    ("types", "tests and examples fit the published types", Session::types),
    ("api", "the public API is that of pkg-js/shardbus.api.md", Session::api),
    ("js", "JavaScript: tests, in Node", Session::js),
    ("kill", "JavaScript: a process with a store is killed, again and again", Session::kill),
    ("sinks", "JavaScript: the sinks, on real engines that are killed", Session::sinks),
    ("runtimes", "JavaScript: the same tests, in every other runtime", Session::runtimes),
    ("workerd", "JavaScript: tests, in Cloudflare's runtime", Session::workerd),
    ("chromium", "JavaScript: tests of pages, in Chromium", Session::chromium),
    ("firefox", "JavaScript: tests of pages, in Firefox", Session::firefox),
    ("webkit", "JavaScript: tests of pages, in WebKit", Session::webkit),
    ("csp", "JavaScript: a page that forbids WebAssembly, in Chromium", Session::csp),
    ("stores", "JavaScript: tests of the stores for pages, in Chromium", Session::stores),
    ("examples", "JavaScript: tests of the examples", Session::examples),
    ("package", "the packed package works in an empty project", Session::packed_package),
    ("tree-shaking", "an app carries nothing that it does not import", Session::tree_shaking),
    ("bundlers", "the packed package works in bundlers, frameworks and runtimes", Session::bundlers),
    ("publint", "the packed package, by publint's rules", Session::publint),
    ("attw", "the packed package's types resolve everywhere", Session::attw),
    ("bench", "the benchmarks run, and every candidate delivers what it should", Session::bench),
    ("demo", "the flights example", Session::demo),
];

/// The names of the steps.
fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(STEPS.iter().map(|(name, ..)| *name))
}

/// Runs the steps, and stops at the first that fails.
pub fn run(sh: Shell, args: &Args) -> Result<ExitCode> {
    if args.list {
        for (name, about, _) in STEPS {
            println!("{name:<24}{about}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let session = Session { sh, tools: OnceCell::new(), package: OnceCell::new() };
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let (mut table, mut failure) = (String::new(), None);
    let (mut passed, mut skipped) = (0, 0);
    for (name, about, run) in STEPS {
        if failure.is_some() || !(args.only.is_empty() || args.only.iter().any(|n| n == name)) {
            continue;
        }
        say(format_args!("{name}: {about}"));
        let start = Instant::now();
        let result = run(&session);
        let seconds = start.elapsed().as_secs_f64();
        let verdict = match result {
            Ok(()) => {
                passed += 1;
                "ok".to_owned()
            }
            Err(error) if error.is::<Unavailable>() && !in_ci => {
                skipped += 1;
                format!("skipped: {error:#}")
            }
            Err(error) => {
                failure = Some((name, error));
                "FAILED".to_owned()
            }
        };
        table += &format!("{name:<24}{seconds:>8.1}  {verdict}\n");
    }

    println!("\n{:<24}{:>8}  result\n{table}", "step", "seconds");
    if let Some((name, error)) = &failure {
        println!("{name} failed: {error:#}\nto run it alone: cargo xtask test --only {name}\n");
    }
    println!("{passed} passed, {skipped} skipped, {} failed", u32::from(failure.is_some()));
    Ok(if failure.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One run of the steps: what several of them need is made once, by the first that asks.
struct Session {
    sh: Shell,
    tools: OnceCell<Tools>,
    package: OnceCell<()>,
}

impl Session {
    fn tools(&self) -> Result<&Tools> {
        if let Some(tools) = self.tools.get() {
            return Ok(tools);
        }
        let tools = Tools::set_up(&self.sh)?;
        Ok(self.tools.get_or_init(|| tools))
    }

    /// Builds the npm package.
    fn package(&self) -> Result<()> {
        if self.package.get().is_none() {
            package::build(&self.sh, self.tools()?)?;
            self.package.get_or_init(|| ());
        }
        Ok(())
    }

    /// Packs the npm package as `npm publish` would, and returns the absolute path of the tarball.
    fn tarball(&self) -> Result<PathBuf> {
        self.package()?;
        let to = std::path::absolute("target/package")?;
        let pack = cmd!(self.sh, "npm pack --workspace pkg-js --pack-destination {to} --silent");
        Ok(to.join(pack.quiet().read()?))
    }

    /// Makes a project that has nothing but the packed package, and returns its path.
    fn project(&self) -> Result<&'static str> {
        let (sh, tarball, project) = (&self.sh, self.tarball()?, "target/package-test");
        sh.remove_path(project)?;
        sh.write_file(format!("{project}/package.json"), "{ \"type\": \"module\" }\n")?;
        let _project = sh.push_dir(project);
        exec(cmd!(sh, "npm install --offline --no-audit --no-fund --silent {tarball}"))?;
        Ok(project)
    }

    /// Runs a program that an npm package brings.
    fn npm_bin(&self, name: &str, args: &[&str]) -> Result<()> {
        exec(self.sh.cmd(npm::bin(name)).args(args))
    }
}

/// The steps.
impl Session {
    fn setup(&self) -> Result<()> {
        self.tools().map(drop)
    }

    fn fmt(&self) -> Result<()> {
        exec(cmd!(self.sh, "cargo fmt --all --check"))?;
        for manifest in ["benches/native/Cargo.toml", "fuzz/Cargo.toml"] {
            exec(cmd!(self.sh, "cargo fmt --manifest-path {manifest} --check"))?;
        }
        Ok(())
    }

    fn clippy(&self) -> Result<()> {
        let clippy = cmd!(self.sh, "cargo clippy --workspace --all-targets");
        exec(clippy.args(DENY_WARNINGS))?;
        let clippy = cmd!(self.sh, "cargo clippy --manifest-path fuzz/Cargo.toml");
        exec(clippy.args(["--target-dir", "target/fuzz"]).args(DENY_WARNINGS))
    }

    fn clippy_single_threaded(&self) -> Result<()> {
        let clippy = cmd!(self.sh, "cargo clippy --all-targets --features single-threaded");
        exec(clippy.args(DENY_WARNINGS))
    }

    fn clippy_wasm(&self) -> Result<()> {
        let clippy = self.tools()?.wasm.cargo(&self.sh, "clippy");
        exec(clippy.args(["--all-targets", "--features", "npm"]).args(DENY_WARNINGS))
    }

    fn rust(&self) -> Result<()> {
        exec(cmd!(self.sh, "cargo test --workspace"))
    }

    fn rust_single_threaded(&self) -> Result<()> {
        exec(cmd!(self.sh, "cargo test --features single-threaded"))
    }

    fn rust_wasm(&self) -> Result<()> {
        exec(self.wasm_tests()?.arg("--lib"))
    }

    fn rust_wasm_chromium(&self) -> Result<()> {
        browsers::CHROMIUM.set_up(&self.sh)?;
        let tests = self.wasm_tests()?.env("WASM_BINDGEN_USE_BROWSER", "1");
        exec(tests.env("CHROMEDRIVER", browsers::CHROMEDRIVER))
    }

    fn wasm_tests(&self) -> Result<Cmd<'_>> {
        let tools = self.tools()?;
        let runner = tools.bindgen("wasm-bindgen-test-runner");
        let test = tools.wasm.cargo(&self.sh, "test").args(["--features", "npm", "--test", "wasm"]);
        Ok(test.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner))
    }

    fn simulate(&self) -> Result<()> {
        simulate::run(&self.sh, &simulate::Args::short())
    }

    fn tsan(&self) -> Result<()> {
        tsan::run(&self.sh)
    }

    fn fuzz(&self) -> Result<()> {
        fuzz::run(&self.sh, &fuzz::Args::short())
    }

    fn biome(&self) -> Result<()> {
        self.tools()?;
        self.npm_bin("biome", &["check", "--error-on-warnings"])
    }

    fn types(&self) -> Result<()> {
        self.package()?;
        self.npm_bin("tsc", &["--project", "."])
    }

    fn api(&self) -> Result<()> {
        self.package()?;
        api_report::check(&self.sh, false)
    }

    fn js(&self) -> Result<()> {
        // By it tests see what reaches the disk. Where it is missing they are skipped or, in CI, fail.
        if let Err(error) = debian::find_or_install(&self.sh, &[("strace", "--version")]) {
            say(format_args!("strace is missing: {error:#}"));
        }
        self.node_tests("tests/js")
    }

    fn kill(&self) -> Result<()> {
        self.node_tests("tests/kill")
    }

    fn sinks(&self) -> Result<()> {
        self.package()?;
        npm::install(&self.sh, "tests/sinks")?;
        self.npm_bin("tsc", &["--project", "tests/sinks"])?;
        engines::set_up(&self.sh)?;
        self.node_tests("tests/sinks")?;
        exec(cmd!(self.sh, "node tests/sinks/engines.mjs"))
    }

    fn runtimes(&self) -> Result<()> {
        self.package()?;
        npm::install(&self.sh, "tests/runtimes")?;
        for browser in [browsers::CHROMIUM, browsers::FIREFOX, browsers::WEBKIT] {
            // What is missing is skipped or, in CI, fails: the suite's table says which.
            if let Err(error) = browser.set_up(&self.sh) {
                say(format_args!("{error:#}"));
            }
        }
        exec(cmd!(self.sh, "node tests/runtimes/suite/run.mjs"))
    }

    fn workerd(&self) -> Result<()> {
        self.node_tests("tests/runtimes/workerd")
    }

    fn chromium(&self) -> Result<()> {
        self.pages("chromium", &browsers::CHROMIUM)
    }

    fn firefox(&self) -> Result<()> {
        self.pages("firefox", &browsers::FIREFOX)
    }

    fn webkit(&self) -> Result<()> {
        self.pages("webkit", &browsers::WEBKIT)
    }

    /// Runs the tests of pages in one browser.
    fn pages(&self, name: &str, browser: &Browser) -> Result<()> {
        browser.set_up(&self.sh)?;
        self.node_test_files(&[format!("tests/runtimes/browser/{name}.test.mjs").into()])
    }

    fn csp(&self) -> Result<()> {
        self.pages("strict", &browsers::CHROMIUM)
    }

    fn stores(&self) -> Result<()> {
        browsers::CHROMIUM.set_up(&self.sh)?;
        self.node_tests("tests/runtimes/stores")
    }

    fn examples(&self) -> Result<()> {
        browsers::CHROMIUM.set_up(&self.sh)?;
        engines::set_up(&self.sh)?;
        // Deno and Bun are among them.
        npm::install(&self.sh, "tests/runtimes")?;
        self.node_tests("tests/examples")
    }

    /// Runs the tests that are directly in a directory, on the built package.
    fn node_tests(&self, directory: &str) -> Result<()> {
        // Listed here because Node 20 does not expand patterns.
        let mut tests = self.sh.read_dir(directory)?;
        tests.retain(|file| file.to_string_lossy().ends_with(".test.mjs"));
        ensure!(!tests.is_empty(), "there is no {directory}/*.test.mjs");
        self.node_test_files(&tests)
    }

    /// Runs tests on the built package.
    fn node_test_files(&self, tests: &[PathBuf]) -> Result<()> {
        self.package()?;
        // What hangs must not hang for as long as a bus may wait.
        let node = cmd!(self.sh, "node --test --test-reporter=spec --test-timeout=120000");
        exec(node.args(tests))
    }

    /// Runs the programs of `tests/package` in a project that has nothing but the packed package,
    /// and compiles those in TypeScript with as little as a user may have set.
    fn packed_package(&self) -> Result<()> {
        let (sh, project) = (&self.sh, self.project()?);
        let tsc = std::path::absolute(npm::bin("tsc"))?;
        let programs = sh.read_dir("tests/package")?;
        programs.iter().try_for_each(|program| sh.copy_file(program, project))?;

        let _project = sh.push_dir(project);
        for program in programs.iter().filter_map(|program| program.file_name()) {
            say(program.display());
            if Path::new(program).extension().is_some_and(|extension| extension == "ts") {
                let tsc = cmd!(sh, "{tsc} {program} --ignoreConfig --noEmit --strict --types");
                exec(tsc.args([
                    "",
                    "--module",
                    "nodenext",
                    "--target",
                    "es2022",
                    "--lib",
                    "es2022,dom",
                ]))?;
            } else {
                exec(cmd!(sh, "node {program}"))?;
            }
        }
        Ok(())
    }

    fn tree_shaking(&self) -> Result<()> {
        tree_shaking::check(&self.sh, self.project()?)
    }

    fn bundlers(&self) -> Result<()> {
        browsers::CHROMIUM.set_up(&self.sh)?;
        self.package()?;
        exec(cmd!(self.sh, "node tests/bundlers/run.mjs"))
    }

    fn publint(&self) -> Result<()> {
        let tarball = self.tarball()?;
        self.npm_bin("publint", &["run", &tarball.to_string_lossy(), "--strict"])
    }

    fn attw(&self) -> Result<()> {
        let tarball = self.tarball()?;
        // The profile leaves out Node 10's resolution, which knows no `exports`.
        let options = ["--profile", "node16", "--exclude-entrypoints", "./bus.wasm"];
        self.npm_bin("attw", &[&[&*tarball.to_string_lossy()], &options[..]].concat())
    }

    fn bench(&self) -> Result<()> {
        self.package()?;
        npm::install(&self.sh, bench::JS)?;
        self.node_tests(bench::JS)?;
        bench::compare(&self.sh, &["--plan=smoke"])?;
        bench::soak(&self.sh, bench::SHORT_SOAK)
    }

    fn demo(&self) -> Result<()> {
        self.package()?;
        exec(cmd!(self.sh, "node examples/flights/main.mjs"))
    }
}

const DENY_WARNINGS: [&str; 3] = ["--", "-D", "warnings"];
