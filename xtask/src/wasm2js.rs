//! The core as JavaScript, for hosts without WebAssembly: the module goes through `wasm2js`.

use std::path::Path;

use anyhow::{Context as _, Result};
use xshell::{Shell, cmd};

use crate::package::COMPILED;
use crate::{exec, npm, say, stamp, trunc_sat, wasm_module};

/// The generated files.
const WORK: &str = "target/package/js";

/// The features that `wasm2js` can have or lower.
const FEATURES: [&str; 5] =
    ["bulk-memory", "bulk-memory-opt", "mutable-globals", "nontrapping-fptoint", "sign-ext"];

/// The passes before `wasm2js`. They optimise for size, because its output is several times as
/// large as the module.
#[rustfmt::skip]
const WASM_OPT: [&str; 12] = [
    "-Oz",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--signext-lowering",
    "--llvm-memory-copy-fill-lowering",
    "--strip-debug",
    "--strip-producers",
    "--strip-target-features",
];

/// As a function that instantiates, which is what Emscripten wants.
const WASM2JS: [&str; 4] =
    ["-Oz", "--emscripten", "--enable-bulk-memory", "--enable-mutable-globals"];

/// Replaces the memory growth of `wasm2js`, which copies all memory for every page and throws
/// instead of returning -1. This buffer is larger than the memory that the core sees.
const GROW: &str = r#"
 var pages = buffer.byteLength >> 16;
 function __wasm_memory_size() {
  return pages;
 }
 function __wasm_memory_grow(pagesToAdd) {
  var oldPages = pages, newPages = oldPages + (pagesToAdd >>> 0);
  if (newPages > buffer.byteLength >>> 16) {
   try {
    var newBuffer = new ArrayBuffer(Math.max(newPages, oldPages + (oldPages >> 1)) * 65536);
   } catch {
    return -1;
   }
   new Int8Array(newBuffer).set(HEAP8);
   HEAP8 = new Int8Array(newBuffer);
   HEAP16 = new Int16Array(newBuffer);
   HEAP32 = new Int32Array(newBuffer);
   HEAPU8 = new Uint8Array(newBuffer);
   HEAPU16 = new Uint16Array(newBuffer);
   HEAPU32 = new Uint32Array(newBuffer);
   HEAPF32 = new Float32Array(newBuffer);
   HEAPF64 = new Float64Array(newBuffer);
   bufferView = HEAPU8;
   buffer = newBuffer;
  }
  pages = newPages;
  return oldPages;
 }
"#;

/// Makes `bus_js.js` and its types among the sources, from the compiled module.
pub fn build(sh: &Shell, sources: &str) -> Result<()> {
    let compiled = sh.read_binary_file(COMPILED)?;
    let module = wasm_module::with_target_features(&compiled, &FEATURES);
    let module = module.context("the compiled module is malformed")?;
    sh.write_file(format!("{WORK}/bus.wasm"), &module)?;
    let options = [&WASM_OPT[..], &WASM2JS, &[GROW]].concat().join(" ").into_bytes();
    let stamp = Path::new(WORK).join("wasm2js.stamp");
    stamp::once(sh, &stamp, &[options, module].concat(), || translate(sh))?;
    sh.copy_file(format!("{WORK}/bus_js.min.js"), format!("{sources}/bus_js.js"))?;
    sh.write_file(
        format!("{sources}/bus_js.d.ts"),
        "import type { CoreExports } from \"./core/module.js\";\n\n\
         /** The core with memory of its own, as `new WebAssembly.Instance` would make it. */\n\
         export function instantiate(): CoreExports;\n",
    )?;
    Ok(())
}

/// Makes `bus_js.min.js` of the module.
fn translate(sh: &Shell) -> Result<()> {
    say("translating the WebAssembly to JavaScript");
    let [input, text, module, output, minified] =
        ["bus.wasm", "bus_js.wat", "lowered.wasm", "bus_js.js", "bus_js.min.js"]
            .map(|name| format!("{WORK}/{name}"));
    let [wasm_dis, wasm_opt, wasm2js] = ["wasm-dis", "wasm-opt", "wasm2js"].map(npm::bin);
    exec(cmd!(sh, "{wasm_dis} {input} --output {text} --all-features"))?;
    let lowered = trunc_sat::lower(&sh.read_file(&text)?).context("wasm-dis wrote no module")?;
    sh.write_file(&text, lowered)?;
    exec(cmd!(sh, "{wasm_opt} {text} --output {module} {WASM_OPT...}"))?;
    exec(cmd!(sh, "{wasm2js} {module} --output {output} {WASM2JS...}"))?;

    let program = adapt(&sh.read_file(&output)?);
    sh.write_file(&output, program.context("wasm2js wrote another kind of program")?)?;
    let esbuild = npm::bin("esbuild");
    let esbuild = cmd!(sh, "{esbuild} {output} --minify --format=esm --log-level=warning");
    exec(esbuild.arg(format!("--outfile={minified}")))
}

/// Makes a module of what `wasm2js` wrote, whose memory grows as it should.
fn adapt(program: &str) -> Option<String> {
    let (before, after) = program.split_once(" function __wasm_memory_size()")?;
    let (grow, after) = after.split_once("\n return {\n")?;
    let is_as_known = before.starts_with("function instantiate(")
        && grow.contains("function __wasm_memory_grow(")
        && grow.matches("function ").count() == 1;
    is_as_known.then(|| format!("{before}{GROW}\n return {{\n{after}\nexport {{ instantiate }};\n"))
}
