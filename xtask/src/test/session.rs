//! The steps' implementations.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Error, Result, bail, ensure};
use xshell::{Cmd, Shell, cmd};

use super::{Options, SKIPPED};
use crate::browsers::{self, Browser};
use crate::toolchain::{Tools, WasmToolchain};
use crate::{
    Unavailable, api_report, bench, bindgen, component, component_examples, debian, deny, exec,
    fuzz, jsr, licenses, npm, package, pip, reproducible, say, simulate, test_servers,
    tree_shaking, tsan,
};

/// The folder of the packed package.
const PACKED: &str = "target/package/packed";
/// A project that has nothing but the packed package.
const PROJECT: &str = "target/package-test";

/// Tests of `tests/js` that take long.
const SLOW: [&str; 10] = [
    "ingest.property.test.mjs",
    "options.property.test.mjs",
    "regressions-losses.test.mjs",
    "file-store.node.test.mjs",
    "file-store-safety.node.test.mjs",
    "many-buses.test.mjs",
    "many-flushes.node.test.mjs",
    "memory-bound.test.mjs",
    "process.node.test.mjs",
    "shutdown.node.test.mjs",
];

/// The context of a step.
pub struct Session {
    sh: Shell,
    options: Options,
}

impl Session {
    /// A session in the root of the repository.
    pub fn new(sh: Shell, options: Options) -> Self {
        Self { sh, options }
    }

    /// The tools, which the step `setup` has installed.
    fn tools(&self) -> Result<Tools> {
        Tools::set_up()
    }

    /// The tarball that the step `pack` has made.
    fn tarball(&self) -> Result<PathBuf> {
        let files = self.sh.read_dir(std::path::absolute(PACKED)?)?;
        let [tarball] = &files[..] else { bail!("{PACKED} has {} files", files.len()) };
        Ok(tarball.clone())
    }

    /// Runs a program that an npm package brings.
    fn npm_bin(&self, name: &str, args: &[&str]) -> Result<()> {
        exec(self.sh.cmd(npm::bin(name)).args(args))
    }
}

/// The steps.
impl Session {
    pub fn setup(&self) -> Result<()> {
        self.tools().map(drop)
    }

    pub fn fmt(&self) -> Result<()> {
        exec(cmd!(self.sh, "cargo fmt --all --check"))?;
        for folder in ["benches/native", "examples/component-rust", "examples/rust", "fuzz"] {
            let manifest = format!("{folder}/Cargo.toml");
            exec(cmd!(self.sh, "cargo fmt --manifest-path {manifest} --check"))?;
        }
        Ok(())
    }

    pub fn clippy(&self) -> Result<()> {
        let clippy = cmd!(self.sh, "cargo clippy --workspace --all-targets");
        exec(clippy.args(DENY_WARNINGS))?;
        exec(fuzz::cargo(&self.sh, "clippy")?.args(DENY_WARNINGS))
    }

    pub fn clippy_single_threaded(&self) -> Result<()> {
        // Of the whole workspace, whose dependencies are checked already.
        let clippy = cmd!(self.sh, "cargo clippy --workspace --all-targets");
        exec(clippy.args(["--features", "shardbus/single-threaded"]).args(DENY_WARNINGS))
    }

    pub fn clippy_wasm(&self) -> Result<()> {
        let clippy = WasmToolchain::set_up(&self.sh)?.cargo(&self.sh, "clippy");
        let components = component::COMPONENTS.iter().chain(&component_examples::EXAMPLES);
        let components = components.map(|component| component.package);
        let packages = components.chain(["shardbus-wasm"]).flat_map(|name| ["--package", name]);
        exec(clippy.args(packages).arg("--all-targets").args(DENY_WARNINGS))
    }

    pub fn rust(&self) -> Result<()> {
        if self.options.quick {
            return exec(cmd!(self.sh, "cargo test --workspace --lib --bins --tests"));
        }
        exec(cmd!(self.sh, "cargo test --workspace"))?;
        // Features that another crate of a build may turn on.
        for feature in ["arbitrary_precision", "preserve_order"] {
            let vectors = cmd!(self.sh, "cargo test --test vectors --features");
            exec(vectors.arg(format!("serde_json/{feature}")))?;
        }
        Ok(())
    }

    pub fn rust_single_threaded(&self) -> Result<()> {
        exec(cmd!(self.sh, "cargo test --features single-threaded"))
    }

    pub fn rust_wasm(&self) -> Result<()> {
        exec(self.wasm_tests()?)
    }

    pub fn rust_wasm_chromium(&self) -> Result<()> {
        browsers::CHROMIUM.set_up(&self.sh)?;
        let tests = self.wasm_tests()?.env("WASM_BINDGEN_USE_BROWSER", "1");
        exec(tests.env("CHROMEDRIVER", browsers::CHROMEDRIVER))
    }

    fn wasm_tests(&self) -> Result<Cmd<'_>> {
        let runner = bindgen::test_runner(&self.sh)?;
        let test = WasmToolchain::set_up(&self.sh)?.cargo(&self.sh, "test");
        let test = test.args(["--package", "shardbus-wasm", "--test", "core"]);
        Ok(test.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner))
    }

    pub fn rust_examples(&self) -> Result<()> {
        let on = ["--manifest-path", "examples/rust/Cargo.toml", "--target-dir", "target/examples"];
        for driver in ["threads", "tokio"] {
            // Clippy compiles as it lints. `cargo clippy` would check every dependency before
            // `cargo run` compiles it.
            let run = cmd!(self.sh, "cargo run --quiet --bin {driver}").args(on);
            let run = run.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
            exec(run.env("RUSTFLAGS", "-D warnings"))?;
        }
        Ok(())
    }

    pub fn doc(&self) -> Result<()> {
        let doc = cmd!(self.sh, "cargo doc --no-deps --package shardbus");
        exec(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
        // A name in `include` that does not begin with a slash stands for folders at any depth.
        let list = cmd!(self.sh, "cargo package --list --allow-dirty --package shardbus");
        let packaged = list.quiet().read()?;
        let stray = packaged.lines().find(|file| file.contains('/') && !file.starts_with("src/"));
        ensure!(stray.is_none(), "the crate packages {}", stray.unwrap_or_default());
        Ok(())
    }

    pub fn simulate(&self) -> Result<()> {
        let few = self.options.quick.then(simulate::Args::quick);
        simulate::run(&self.sh, &few.unwrap_or_else(simulate::Args::short))
    }

    pub fn tsan(&self) -> Result<()> {
        tsan::run(&self.sh)
    }

    pub fn fuzz(&self) -> Result<()> {
        fuzz::run(&self.sh, &fuzz::Args::short())
    }

    pub fn package(&self) -> Result<()> {
        package::build(&self.sh, &self.tools()?)
    }

    pub fn component(&self) -> Result<()> {
        component::build(&self.sh)?;
        let tools = component::prepare_tests(&self.sh)?;
        let _packages = self.sh.push_env("PYTHONPATH", tools.python_path());
        let _wasmtime = self.sh.push_env("SHARDBUS_WASMTIME", tools.wasmtime());
        let tests = component::TESTS;
        exec(cmd!(self.sh, "python3 -B -m unittest discover --start-directory {tests}"))?;
        self.node_tests(tests)
    }

    /// Packs the npm package as `npm publish` would, and installs it into an empty project.
    pub fn pack(&self) -> Result<()> {
        let sh = &self.sh;
        let to = std::path::absolute(PACKED)?;
        sh.remove_path(&to)?;
        sh.create_dir(&to)?;
        exec(cmd!(sh, "npm pack --workspace pkg-js --pack-destination {to} --silent"))?;
        let tarball = self.tarball()?;
        sh.remove_path(PROJECT)?;
        sh.write_file(format!("{PROJECT}/package.json"), "{ \"type\": \"module\" }\n")?;
        let _project = sh.push_dir(PROJECT);
        exec(cmd!(sh, "npm install --offline --no-audit --no-fund --silent {tarball}"))
    }

    pub fn licenses(&self) -> Result<()> {
        licenses::check(&self.sh, Path::new(PROJECT))
    }

    pub fn reproducible(&self) -> Result<()> {
        reproducible::check(&self.sh, &self.tools()?)
    }

    pub fn deny(&self) -> Result<()> {
        deny::check(&self.sh)
    }

    pub fn advisories(&self) -> Result<()> {
        deny::advisories(&self.sh)
    }

    pub fn biome(&self) -> Result<()> {
        self.npm_bin("biome", &["check", "--error-on-warnings"])
    }

    pub fn types(&self) -> Result<()> {
        self.npm_bin("tsc", &["--project", "."])
    }

    pub fn type_matrix(&self) -> Result<()> {
        npm::install(&self.sh, "tests/type-matrix")?;
        self.node_tests("tests/type-matrix")
    }

    pub fn api(&self) -> Result<()> {
        api_report::check(&self.sh, false)
    }

    pub fn unit(&self) -> Result<()> {
        self.node_tests("tests/unit")
    }

    pub fn js(&self) -> Result<()> {
        // Tests watch by it which writes reach the disk. Without it they are skipped or, in CI,
        // fail.
        if let Err(error) = debian::find_or_install(&self.sh, &[("strace", "--version")]) {
            say(format_args!("strace is missing: {error:#}"));
        }
        let mut tests = self.test_files("tests/js")?;
        if self.options.quick {
            tests.retain(|file| !SLOW.iter().any(|slow| file.ends_with(slow)));
        }
        self.node_test_files(&tests)
    }

    pub fn weather(&self) -> Result<()> {
        self.node_tests("tests/weather")
    }

    pub fn kill(&self) -> Result<()> {
        self.node_tests("tests/kill")
    }

    pub fn test_tools(&self) -> Result<()> {
        npm::install(&self.sh, "tests/tools")?;
        // A newer Node is among them.
        npm::install(&self.sh, "tests/runtimes")?;
        self.node_tests("tests/tools")
    }

    pub fn sinks(&self) -> Result<()> {
        npm::install(&self.sh, "tests/sinks")?;
        self.npm_bin("tsc", &["--project", "tests/sinks"])?;
        test_servers::set_up(&self.sh)?;
        let packages = pip::install(&self.sh, "moto", "tests/sinks/requirements.txt", &[])?;
        let _packages = self.sh.push_env("PYTHONPATH", packages);
        self.node_tests("tests/sinks")?;
        exec(cmd!(self.sh, "node tests/sinks/engines.mjs"))
    }

    pub fn opentelemetry(&self) -> Result<()> {
        npm::install(&self.sh, "tests/otel")?;
        self.npm_bin("tsc", &["--project", "tests/otel"])?;
        self.node_tests("tests/otel")
    }

    pub fn integrations(&self) -> Result<()> {
        npm::install(&self.sh, "tests/integrations")?;
        self.npm_bin("tsc", &["--project", "tests/integrations"])?;
        // Deno, Bun and a newer Node are among them.
        npm::install(&self.sh, "tests/runtimes")?;
        self.node_tests("tests/integrations")
    }

    pub fn runtimes(&self) -> Result<()> {
        npm::install(&self.sh, "tests/runtimes")?;
        for browser in [browsers::CHROMIUM, browsers::FIREFOX, browsers::WEBKIT] {
            // Without a browser its part is skipped or, in CI, fails; the suite's table names it.
            if let Err(error) = browser.set_up(&self.sh) {
                say(format_args!("{error:#}"));
            }
        }
        let suite = cmd!(self.sh, "node tests/runtimes/suite/run.mjs").args(&self.options.runtimes);
        match Command::from(suite).status()?.code() {
            Some(0) => Ok(()),
            Some(code) if code == i32::from(SKIPPED) => Err(Error::msg(Unavailable(
                "this machine lacks a runtime that was named; the suite's table says why",
            ))),
            _ => bail!("the suite failed in a runtime; its table says in which"),
        }
    }

    pub fn workerd(&self) -> Result<()> {
        self.node_tests("tests/runtimes/workerd")
    }

    pub fn chromium(&self) -> Result<()> {
        self.pages("chromium", &browsers::CHROMIUM)
    }

    pub fn firefox(&self) -> Result<()> {
        self.pages("firefox", &browsers::FIREFOX)
    }

    pub fn webkit(&self) -> Result<()> {
        self.pages("webkit", &browsers::WEBKIT)
    }

    /// Runs the tests of pages in one browser.
    fn pages(&self, name: &str, browser: &Browser) -> Result<()> {
        browser.set_up(&self.sh)?;
        self.node_test_files(&[format!("tests/runtimes/browser/{name}.test.mjs").into()])
    }

    pub fn csp(&self) -> Result<()> {
        self.pages("strict", &browsers::CHROMIUM)
    }

    pub fn stores(&self) -> Result<()> {
        browsers::CHROMIUM.set_up(&self.sh)?;
        // Deno and Bun are among them.
        npm::install(&self.sh, "tests/runtimes")?;
        self.node_tests("tests/runtimes/stores")
    }

    pub fn examples(&self) -> Result<()> {
        for browser in [&browsers::CHROMIUM, &browsers::FIREFOX, &browsers::WEBKIT] {
            browser.set_up(&self.sh)?;
        }
        test_servers::set_up(&self.sh)?;
        // Deno and Bun are among them.
        npm::install(&self.sh, "tests/runtimes")?;
        self.flights()?;
        self.node_tests("tests/examples")
    }

    fn flights(&self) -> Result<()> {
        exec(cmd!(self.sh, "node examples/flights/main.mjs"))
    }

    pub fn docs(&self) -> Result<()> {
        browsers::CHROMIUM.set_up(&self.sh)?;
        npm::install(&self.sh, "docs")?;
        exec(cmd!(self.sh, "npm run build --prefix docs"))?;
        self.node_tests("tests/docs")
    }

    pub fn demo_page(&self) -> Result<()> {
        for browser in [&browsers::CHROMIUM, &browsers::FIREFOX, &browsers::WEBKIT] {
            browser.set_up(&self.sh)?;
        }
        self.node_tests("tests/demo")
    }

    /// Runs the tests that are directly in a directory.
    fn node_tests(&self, directory: &str) -> Result<()> {
        self.node_test_files(&self.test_files(directory)?)
    }

    /// The option that runs two files at a time, where Node has it.
    fn concurrency(&self) -> Option<&'static str> {
        let option = "--test-concurrency=2";
        let node = cmd!(self.sh, "node {option} --version");
        node.quiet().ignore_stdout().ignore_stderr().run().is_ok().then_some(option)
    }

    fn test_files(&self, directory: &str) -> Result<Vec<PathBuf>> {
        // Listed here because Node 20 does not expand patterns.
        let mut tests = self.sh.read_dir(directory)?;
        tests.retain(|file| file.to_string_lossy().ends_with(".test.mjs"));
        ensure!(!tests.is_empty(), "there is no {directory}/*.test.mjs");
        Ok(tests)
    }

    /// Runs files of tests in Node.
    fn node_test_files(&self, tests: &[PathBuf]) -> Result<()> {
        // A file that hangs must not hang for as long as a bus may wait. The slowest take a minute, and
        // several where a compiler runs beside them.
        let node =
            cmd!(self.sh, "node --test --test-reporter=./tests/reporter.mjs --test-timeout=300000");
        // By itself it uses one core less than there are: most files wait for timers.
        let node = node.args(self.concurrency());
        exec(node.args(tests))
    }

    /// Runs the programs of `tests/package` in a project that has nothing but the packed package,
    /// and compiles those in TypeScript with as little as a user may have set.
    pub fn packed_package(&self) -> Result<()> {
        let (sh, project) = (&self.sh, PROJECT);
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

    pub fn tree_shaking(&self) -> Result<()> {
        tree_shaking::check(&self.sh, PROJECT)
    }

    pub fn bundlers(&self) -> Result<()> {
        browsers::CHROMIUM.set_up(&self.sh)?;
        exec(cmd!(self.sh, "node tests/bundlers/run.mjs"))
    }

    pub fn publint(&self) -> Result<()> {
        let tarball = self.tarball()?;
        self.npm_bin("publint", &["run", &tarball.to_string_lossy(), "--strict"])
    }

    pub fn attw(&self) -> Result<()> {
        let tarball = self.tarball()?;
        self.npm_bin("attw", &[&*tarball.to_string_lossy(), "--exclude-entrypoints", "./bus.wasm"])
    }

    pub fn jsr(&self) -> Result<()> {
        jsr::check(&self.sh)
    }

    pub fn bench(&self) -> Result<()> {
        npm::install(&self.sh, bench::JS)?;
        self.node_tests(bench::JS)?;
        bench::compare(&self.sh, &["--plan=smoke"])?;
        bench::soak(&self.sh, bench::SHORT_SOAK)
    }

    /// As `cargo xtask demo` in a fresh clone, where nothing is built.
    pub fn demo(&self) -> Result<()> {
        let _built = package::build_for_node(&self.sh, &self.tools()?)?;
        self.flights()
    }
}

const DENY_WARNINGS: [&str; 3] = ["--", "-D", "warnings"];
