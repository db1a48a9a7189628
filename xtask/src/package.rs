//! Builds `pkg-js` into the npm package: WebAssembly, ES modules, CommonJS and types in `dist/`.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use xshell::{Shell, cmd};

use crate::freshness::{self, files};
use crate::packed::{self, Packed};
use crate::toolchain::{TARGET, TARGET_DIR, Tools, portable_paths};

use crate::{
    exec, licenses, lock, manifests, npm, say, sizes, source_maps, stamp, wasm_module, wasm2js,
};

/// The TypeScript sources.
pub const SOURCES: &str = "pkg-js/src";
/// The folder of the built package.
pub const DIST: &str = "pkg-js/dist";
/// The folder of intermediate files.
const WORK: &str = "target/package";
/// The compiler's module, without what panics would say.
pub const COMPILED: &str = "target/package/shardbus.wasm";

/// The entries of the package, each as ES module and as CommonJS; `node` is `index` under a
/// condition.
pub const ENTRIES: &[&str] = &[
    "index",
    "node",
    "slim",
    "js",
    "requests",
    "shutdown",
    "otel",
    "opentelemetry/index",
    "evlog",
    "hono",
    "logtape",
    "pino",
    "streams",
    "winston",
    "stores/fs",
    "stores/indexeddb",
    "stores/sealed",
    "stores/custom",
    "sinks/http",
    "sinks/nats",
    "sinks/redis",
    "sinks/cloudflare-queues",
    "sinks/cloudflare-pipelines",
    "sinks/kafka",
    "sinks/r2",
    "sinks/presets",
    "sinks/s3",
    "sinks/aws",
    "sinks/postgres",
];

/// Those of them that have an `EventBus` and do without `requests`.
const WITHOUT_REQUESTS: [&str; 2] = ["index", "slim"];

/// The entries that their runtimes find by a condition of their own, as ES modules alone.
const CONDITIONAL: [&str; 2] = ["workerd", "edge-light"];

/// The files that entries share, and the specifiers that import each.
const SHARED: [(&str, &[&str]); 3] = [
    ("internal", &["./internal.js", "../internal.js"]),
    ("outbox/outbox", &["../outbox/outbox.js"]),
    ("sinks/events", &["./events.js", "../sinks/events.js"]),
];

/// The specifiers by which an entry imports other entries.
const ENTRY_IMPORTS: [&str; 4] = ["../otel.js", "../sinks/http.js", "./http.js", "./r2.js"];

/// The packages that users have: ours, which an entry imports by its name so that the runtime's
/// conditions choose the file, and peers.
pub const EXTERNAL: [&str; 2] = ["shardbus", "@opentelemetry/api"];

/// The bundler of declarations.
const DECLARATIONS: &str = "pkg-js/declarations";

/// The packages that ours brings along, and the file that imports each.
pub const BUNDLED: [(&str, &str); 1] = [("idb", "stores/idb")];

/// The options of esbuild.
const BUNDLE: [&str; 4] =
    ["--bundle", "--platform=neutral", "--external:node:*", "--log-level=warning"];

/// Further options of esbuild for what is published: parsing takes most of a start. Names stay, as they
/// are in the users' stack traces, and lines are short, as Node prints the one that throws.
const COMPACT: [&str; 3] = ["--minify-whitespace", "--minify-syntax", "--line-limit=100"];

/// Inlines only functions that are smaller than their call, or marked `#[inline]` as on the path of
/// events, and unrolls no loop whose length is not known: everywhere else size matters more than
/// speed.
pub const SMALL_CODE: &str =
    "-Cllvm-args=-inline-threshold=5 -unroll-runtime=0 -unroll-allow-partial=0";

/// The options of `wasm-opt` for every module: the features of the compiler's output, without which
/// it is refused, and the sections that no host reads.
pub const WASM_OPT: [&str; 10] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-simd",
    "--strip-debug",
    "--strip-producers",
    "--strip-target-features",
];

/// Further options of `wasm-opt` for the package. A function with one caller is not inlined, because it
/// compresses better.
const OPTIMISE: [&str; 3] = ["-O3", "--converge", "--one-caller-inline-max-function-size=0"];

/// The inputs of a build, beside the compiler and its flags. This program is one of them.
const INPUTS: [&str; 20] = [
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "build.rs",
    "package-lock.json",
    "pkg-js/declarations/package-lock.json",
    "pkg-js/declarations/rollup.config.mjs",
    "pkg-js/jsr.json",
    "pkg-js/package.json",
    "pkg-js/src",
    "pkg-js/tsconfig.json",
    "pkg-js/tsconfig.node.json",
    "rust-toolchain.toml",
    "src",
    "wasm/Cargo.toml",
    "wasm/src",
    "xtask/Cargo.toml",
    "xtask/src",
];

/// Sources that are made here, and so no inputs.
pub const MADE: [&str; 4] = ["bus-base64.ts", "bus-inline.ts", "bus_js.d.ts", "bus_js.js"];

/// Records the inputs and outputs of the last build.
const STAMP: &str = "target/package/build.stamp";

/// Builds everything, unless that was done and nothing has changed since.
pub fn build(sh: &Shell, tools: &Tools) -> Result<()> {
    let _lock = lock::wait_for("package")?;
    write_typescript(sh)?;
    let inputs = inputs(sh, tools)?;
    if is_built(&inputs)? {
        return Ok(());
    }
    sh.remove_path(STAMP)?;
    manifests::check(sh)?;
    build_wasm(sh, tools)?;
    write_sources(sh)?;
    compile(sh)?;
    sizes::check(sh, DIST, ENTRIES, &CONDITIONAL)?;
    Ok(sh.write_file(STAMP, [inputs, outputs()?].join("\n"))?)
}

/// Writes the TypeScript for the core's declarations, which is checked in.
fn write_typescript(sh: &Shell) -> Result<()> {
    exec(cmd!(sh, "cargo run --quiet --package shardbus-typescript"))
}

/// Builds the files that the demo imports, unless everything is built: a visitor of the demo should
/// wait neither for other runtimes' files nor for a small module. While the lock is held that this
/// returns, nobody builds the package.
pub fn build_for_node(sh: &Shell, tools: &Tools) -> Result<File> {
    let lock = lock::wait_for("package")?;
    if is_built(&inputs(sh, tools)?)? {
        return Ok(lock);
    }
    sh.remove_path(STAMP)?;
    sh.remove_path(DIST)?;
    compile_wasm(sh, tools)?;
    write_base64(sh, &sh.read_binary_file(COMPILED)?)?;
    let esbuild = npm::bin("esbuild");
    // Modules that both need must exist once.
    let entries = ["node", "sinks/http"].map(|entry| format!("{SOURCES}/{entry}.ts"));
    let bundle = cmd!(sh, "{esbuild} {entries...} {BUNDLE...} --format=esm --splitting");
    exec(bundle.arg(format!("--outbase={SOURCES}")).arg(format!("--outdir={DIST}")))?;
    Ok(lock)
}

/// True if the outputs are those of these inputs.
fn is_built(inputs: &str) -> Result<bool> {
    let is_current =
        stamp::is_current(Path::new(STAMP), [inputs, &outputs()?].join("\n").as_bytes());
    if is_current {
        say(format_args!("{DIST} is up to date"));
    }
    Ok(is_current)
}

fn inputs(sh: &Shell, tools: &Tools) -> Result<String> {
    let is_made = |path: &Path| {
        // The checks make nothing of the package.
        path.starts_with("xtask/src/test")
            || path.starts_with(SOURCES) && MADE.iter().any(|name| path.ends_with(name))
    };
    let mut facts = freshness::compiler_variables();
    facts.push(tools.wasm.identity(sh)?);
    facts.push(portable_paths());
    freshness::fingerprint(&INPUTS, is_made, &facts)
}

fn outputs() -> Result<String> {
    let made = MADE.map(|name| format!("{SOURCES}/{name}"));
    let licenses = ["pkg-js/LICENSE-APACHE", "pkg-js/LICENSE-MIT", licenses::FILE, DIST];
    let paths: Vec<_> = made.iter().map(String::as_str).chain(licenses).collect();
    freshness::fingerprint(&paths, |_| false, &[])
}

/// Makes `bus.wasm` in [`WORK`].
fn build_wasm(sh: &Shell, tools: &Tools) -> Result<()> {
    compile_wasm(sh, tools)?;
    let options = [&OPTIMISE[..], &WASM_OPT].concat().join(" ").into_bytes();
    let module = sh.read_binary_file(COMPILED)?;
    let stamp = Path::new(WORK).join("wasm-opt.stamp");
    stamp::once(sh, &stamp, &[options, module].concat(), || optimise(sh))
}

/// The module that the compiler makes of the sources in the current directory.
pub fn compile_core(sh: &Shell, tools: &Tools) -> Result<Vec<u8>> {
    let cargo = tools.wasm.cargo(sh, "build");
    let flags = format!("target.{TARGET}.rustflags={}", serde_json::json!([SMALL_CODE]));
    let cargo = cargo.args(["--profile", "npm", "--package", "shardbus-wasm", "--lib"]);
    exec(cargo.args(["--config", &flags]))?;
    Ok(sh.read_binary_file(format!("{TARGET_DIR}/{TARGET}/npm/shardbus_wasm.wasm"))?)
}

/// Makes [`COMPILED`].
fn compile_wasm(sh: &Shell, tools: &Tools) -> Result<()> {
    say("compiling the core to WebAssembly");
    let compiled = compile_core(sh, tools)?;
    let trapping = wasm_module::with_trapping_panics(&compiled, &wasm_module::FORMATTING);
    let trapping = trapping.context("cargo wrote a module without functions or names")?;
    let silent = wasm_module::without_panic_texts(&trapping);
    Ok(sh.write_file(COMPILED, silent.context("cargo wrote a module with unusual data")?)?)
}

fn optimise(sh: &Shell) -> Result<()> {
    say("optimising the WebAssembly");
    let wasm_opt = npm::bin("wasm-opt");
    let (input, output) = (COMPILED, format!("{WORK}/bus.wasm"));
    exec(cmd!(sh, "{wasm_opt} {input} --output {output} {OPTIMISE...} {WASM_OPT...}"))?;
    let module = sh.read_binary_file(output)?;
    let sections = wasm_module::custom_sections(&module);
    let sections = sections.context("wasm-opt wrote a malformed module")?;
    ensure!(sections.is_empty(), "wasm-opt left the sections {sections:?} in the module");
    Ok(())
}

/// Writes the sources that are made from the WebAssembly.
fn write_sources(sh: &Shell) -> Result<()> {
    let source = |name: &str| format!("{SOURCES}/{name}");
    wasm2js::build(sh, SOURCES)?;

    let module = sh.read_binary_file(format!("{WORK}/bus.wasm"))?;
    let Packed { text, frequent } = packed::pack(&module);
    let length = module.len();
    let inline = format!(
        "/** `bus.wasm`, packed. */\nexport const text: string =\n  \"{text}\";\n\n\
         /** Its bytes that are one character. */\nexport const frequent = \"{frequent}\";\n\n\
         /** Its length in bytes. */\nexport const length = {length};\n"
    );
    sh.write_file(source("bus-inline.ts"), inline)?;
    write_base64(sh, &module)
}

fn write_base64(sh: &Shell, module: &[u8]) -> Result<()> {
    let base64 = BASE64_STANDARD.encode(module);
    let source = format!("/** `bus.wasm`. */\nexport const base64: string =\n  \"{base64}\";\n");
    Ok(sh.write_file(format!("{SOURCES}/bus-base64.ts"), source)?)
}

/// Fills [`DIST`] from the sources.
fn compile(sh: &Shell) -> Result<()> {
    say("compiling pkg-js");
    sh.remove_path(DIST)?;
    let (tsc, esbuild) = (npm::bin("tsc"), npm::bin("esbuild"));
    exec(cmd!(sh, "{tsc} --project pkg-js"))?;
    exec(cmd!(sh, "{tsc} --project pkg-js/tsconfig.node.json"))?;
    for (package, importer) in BUNDLED {
        bundle_dependency(sh, package, importer)?;
    }
    sh.copy_file(format!("{WORK}/bus.wasm"), DIST)?;
    for extension in ["js", "d.ts"] {
        sh.copy_file(format!("{SOURCES}/bus_js.{extension}"), DIST)?;
    }
    let (without_requests, others): (Vec<&str>, Vec<&str>) =
        ENTRIES.iter().partition(|entry| WITHOUT_REQUESTS.contains(entry));
    // As CommonJS they have them: each file has a copy of all its imports, so that `requests.cjs`
    // provides nothing to another one.
    let requests = format!("--inject:{DIST}/requests.js");
    for (entries, inject) in [(without_requests, Some(requests)), (others, None)] {
        let inputs = entries.iter().map(|entry| format!("{DIST}/{entry}.js"));
        let bundle = cmd!(sh, "{esbuild} {inputs...} {BUNDLE...} {COMPACT...} --format=cjs");
        let bundle = bundle.args(inject);
        let bundle = bundle.args(EXTERNAL.map(|name| format!("--external:{name}")));
        let bundle = bundle.args([format!("--outdir={DIST}"), format!("--outbase={DIST}")]);
        exec(bundle.arg("--out-extension:.js=.cjs"))?;
    }
    for module in files(DIST)? {
        if module.extension().is_some_and(|extension| extension == "cjs") {
            sh.write_file(&module, with_builtins(&sh.read_file(&module)?))?;
        }
    }
    join_modules(sh)?;
    join_types(sh)?;
    for types in files(DIST)? {
        let name = types.to_string_lossy();
        if let Some(stem) = name.strip_suffix(".d.ts") {
            sh.write_file(format!("{stem}.d.cts"), to_commonjs(&sh.read_file(&types)?))?;
            if sh.path_exists(format!("{stem}.js")) {
                name_types(sh, stem)?;
            }
        }
    }
    sh.write_file(
        format!("{DIST}/bus.wasm.d.ts"),
        "import type { WasmModule } from \"./internal.js\";\n\
         declare const module: WasmModule;\nexport default module;\n",
    )?;
    for license in ["LICENSE-APACHE", "LICENSE-MIT"] {
        sh.copy_file(license, "pkg-js")?;
    }
    licenses::write(sh, &BUNDLED.map(|(package, _)| package))?;
    Ok(())
}

/// Bundles the modules into one file for each entry and one for their shared modules: loading a
/// file costs more than running it.
fn join_modules(sh: &Shell) -> Result<()> {
    let (esbuild, joined) = (npm::bin("esbuild"), format!("{WORK}/joined"));
    sh.remove_path(&joined)?;
    let shared = SHARED.map(|(name, _)| name);
    let names = ENTRIES.iter().chain(&CONDITIONAL).chain(&shared);
    let inputs = names.map(|name| format!("{DIST}/{name}.js"));
    let bundle =
        cmd!(sh, "{esbuild} {inputs...} {BUNDLE...} {COMPACT...} --format=esm --sourcemap");
    let imported = SHARED.iter().flat_map(|(_, specifiers)| *specifiers);
    let imported = imported.chain(&ENTRY_IMPORTS).chain(&EXTERNAL);
    let external = imported.chain(&["*.wasm", "*?module"]).map(|name| format!("--external:{name}"));
    let contents = format!("{WORK}/joined.json");
    let out = [format!("--outdir={joined}"), format!("--outbase={DIST}")];
    let bundle = bundle.args(external).args(out).arg("--legal-comments=inline");
    exec(bundle.arg(format!("--metafile={contents}")))?;
    check_shared(&serde_json::from_str(&sh.read_file(contents)?)?)?;
    for file in files(DIST)? {
        if file.extension().is_some_and(|extension| extension == "js" || extension == "map") {
            sh.remove_path(file)?;
        }
    }
    for file in files(&joined)? {
        let name = file.strip_prefix(&joined)?;
        let published = Path::new(DIST).join(name);
        if file.extension().is_some_and(|extension| extension == "map") {
            sh.write_file(published, source_maps::publish(&sh.read_file(&file)?, name, &MADE)?)?;
        } else {
            sh.copy_file(&file, published)?;
        }
    }
    Ok(())
}

/// Makes of all declarations one file for each entry and one for their common part, as users'
/// compilers read them all.
fn join_types(sh: &Shell) -> Result<()> {
    npm::install(sh, DECLARATIONS)?;
    let joined = format!("{WORK}/types");
    sh.remove_path(&joined)?;
    // `node` has the types of `index`.
    let entries = ENTRIES.iter().filter(|entry| **entry != "node").copied();
    let entries = entries.collect::<Vec<_>>().join(",");
    let rollup = cmd!(sh, "{DECLARATIONS}/node_modules/.bin/rollup --silent");
    let rollup = rollup.arg(format!("--config={DECLARATIONS}/rollup.config.mjs"));
    exec(rollup.args(["--configFrom", DIST, "--configTo", &joined, "--configEntries", &entries]))?;
    for file in files(DIST)? {
        if file.to_string_lossy().ends_with(".d.ts") {
            sh.remove_path(file)?;
        }
    }
    for file in files(&joined)? {
        let name = file.strip_prefix(&joined)?;
        sh.copy_file(&file, Path::new(DIST).join(name))?;
    }
    Ok(())
}

/// Fails if a module went into two files: its classes and its state would be there twice. `contents`
/// is what esbuild says of the files that it made.
fn check_shared(contents: &serde_json::Value) -> Result<()> {
    let outputs = contents["outputs"].as_object().context("esbuild names its outputs")?;
    // Re-exports names of the shared file only.
    let names = format!("{DIST}/api.js");
    let mut homes = BTreeMap::new();
    for (output, about) in outputs {
        let inputs = about["inputs"].as_object().context("an output has inputs")?;
        for (input, part) in inputs {
            if *input == names || part["bytesInOutput"] == 0 {
                continue;
            }
            if let Some(first) = homes.insert(input, output) {
                bail!("{input} is in {first} and in {output}: export it from internal.ts");
            }
        }
    }
    Ok(())
}

/// Says in a module where its types are: JSR looks nowhere else.
fn name_types(sh: &Shell, stem: &str) -> Result<()> {
    let module = format!("{stem}.js");
    let name = Path::new(stem).file_name().context("a module has a name")?;
    let types = format!("/* @ts-self-types=\"./{}.d.ts\" */\n", name.display());
    sh.write_file(&module, types + &sh.read_file(&module)?)?;
    let map = format!("{module}.map");
    Ok(sh.write_file(&map, source_maps::below_a_line(&sh.read_file(&map)?)?)?)
}

/// Puts a package where it is imported, so that ours has no dependencies. Its types show in none of
/// ours.
fn bundle_dependency(sh: &Shell, package: &str, importer: &str) -> Result<()> {
    let (esbuild, file) = (npm::bin("esbuild"), format!("{DIST}/{importer}.js"));
    let dir = format!("node_modules/{package}");
    let manifest: serde_json::Value =
        serde_json::from_str(&sh.read_file(format!("{dir}/package.json"))?)?;
    let version = manifest["version"].as_str().context("a package has a version")?;
    let license = sh.read_file(format!("{dir}/LICENSE"))?;
    let copyright = license.lines().find(|line| line.starts_with("Copyright"));
    let copyright = copyright.context("a license names who gave it")?;
    // The package has the whole license; bundlers keep of it what says whose it is.
    let banner = format!(
        "/*! {package} {version}: {copyright}; see its LICENSE */\n/*\n{}\n*/",
        license.trim()
    );
    let bundle = cmd!(sh, "{esbuild} {file} {BUNDLE...} --format=esm --allow-overwrite");
    let bundle = bundle.args(["--main-fields=module,main", &format!("--banner:js={banner}")]);
    exec(bundle.arg(format!("--outfile={file}")))?;
    Ok(sh.remove_path(format!("{DIST}/{importer}.d.ts"))?)
}

/// Takes Node's modules without `require`, where Node can: there is none once a bundler has made an ES
/// module of CommonJS.
fn with_builtins(module: &str) -> String {
    let split = || {
        let (before, rest) = module.split_once("require(\"node:")?;
        let (name, after) = rest.split_once("\")")?;
        Some((before, format!("(\"node:{name}\")"), with_builtins(after)))
    };
    let Some((before, name, after)) = split() else { return module.to_owned() };
    format!("{before}(process.getBuiltinModule?.{name} ?? require{name}){after}")
}

/// Makes declarations refer to each other as CommonJS: `'./x.js'` becomes `'./x.cjs'`.
fn to_commonjs(types: &str) -> String {
    let convert = |line: &str| {
        let is_reference = line.contains(" from './") || line.contains(" from '../");
        let stem = line.strip_suffix(".js';").filter(|_| is_reference);
        stem.map_or_else(|| line.to_owned(), |stem| format!("{stem}.cjs';"))
    };
    types.split('\n').map(convert).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_module_goes_into_two_files() {
        let part =
            |bytes: u64| serde_json::json!({ "inputs": { "m.js": { "bytesInOutput": bytes } } });
        let contents =
            |bytes| serde_json::json!({ "outputs": { "a.js": part(9), "b.js": part(bytes) } });
        assert!(check_shared(&contents(0)).is_ok());
        let error = check_shared(&contents(9)).unwrap_err().to_string();
        assert_eq!(error, "m.js is in a.js and in b.js: export it from internal.ts");
    }

    #[test]
    fn commonjs_asks_node_for_its_modules() {
        let module = "var a = require(\"node:os\");\nvar b = __toESM(require(\"node:fs\"));\n";
        let expected = "var a = (process.getBuiltinModule?.(\"node:os\") ?? require(\"node:os\"));\n\
                        var b = __toESM((process.getBuiltinModule?.(\"node:fs\") ?? require(\"node:fs\")));\n";
        assert_eq!(with_builtins(module), expected);
    }

    #[test]
    fn commonjs_types_refer_to_commonjs_types() {
        let module = "import { A } from './a.js';\nexport { B } from '../b/c.js';\n";
        let commonjs = "import { A } from './a.cjs';\nexport { B } from '../b/c.cjs';\n";
        assert_eq!(to_commonjs(module), commonjs);
        let kept = "import { A } from 'other/a.js';\n// './x.js';\n";
        assert_eq!(to_commonjs(kept), kept);
    }
}
