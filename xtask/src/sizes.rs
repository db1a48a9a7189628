//! The size of each entry in a user's bundle, and its limit.

use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};
use flate2::{Compression, write::GzEncoder};
use xshell::{Shell, cmd};

use crate::package::EXTERNAL;
use crate::{exec, npm};

/// The files whose sizes users feel most, the limit of each in bytes after gzip, and the aim. A limit
/// is 2 % above the size, so that growth is noticed. Raise one for a feature that is worth its bytes.
#[rustfmt::skip]
const LIMITS: [Limit; 6] = [
    Limit { file: DEFAULT_ENTRY, bytes: 58_450, aim: 26_000 },
    Limit { file: "node.js", bytes: 70_900, aim: 26_000 },
    Limit { file: "workerd.js", bytes: 22_800, aim: 15_000 },
    Limit { file: "slim.js", bytes: 20_950, aim: 15_000 },
    Limit { file: "js.js", bytes: 87_300, aim: 30_000 },
    Limit { file: "bus.wasm", bytes: 36_650, aim: 9_000 },
];

struct Limit {
    file: &'static str,
    bytes: usize,
    aim: usize,
}

/// The folder for the bundles.
const BUNDLES: &str = "target/package/sizes";

/// The entry of most users.
const DEFAULT_ENTRY: &str = "index.js";

/// Prints the size of each file as a bundler would ship it, and fails if one is above its limit.
/// `conditional` has the entries without CommonJS.
pub fn check(sh: &Shell, dist: &str, entries: &[&str], conditional: &[&str]) -> Result<()> {
    let both = entries.iter().flat_map(|entry| [format!("{entry}.js"), format!("{entry}.cjs")]);
    let modules = conditional.iter().map(|entry| format!("{entry}.js"));
    let files: Vec<_> = both.chain(modules).chain(["bus.wasm".to_owned()]).collect();
    let names: Vec<_> = files.iter().map(String::as_str).collect();
    eprintln!("{:<30}{:>12}{:>12}{:>12}{:>12}", "bundled", "minified", "gzip", "limit", "aim");
    let mut too_large = Vec::new();
    for (bytes, file) in bundle(sh, dist, &names)?.iter().zip(&names) {
        let gzip = gzipped(bytes)?;
        let limit = LIMITS.iter().find(|limit| limit.file == *file);
        let (most, aim) = limit
            .map_or_else(Default::default, |limit| (kilobytes(limit.bytes), kilobytes(limit.aim)));
        let [minified, size] = [bytes.len(), gzip].map(kilobytes);
        eprintln!("{file:<30}{minified:>12}{size:>12}{most:>12}{aim:>12}");
        if limit.is_some_and(|limit| gzip > limit.bytes) {
            too_large.push(*file);
        }
    }
    let names = too_large.join(", ");
    ensure!(too_large.is_empty(), "too large: {names}; the limits are in xtask/src/sizes.rs");
    Ok(())
}

/// The size of the default entry in a user's bundle, in bytes after gzip.
pub fn default_entry(sh: &Shell, dist: &str) -> Result<usize> {
    let bundles = bundle(sh, dist, &[DEFAULT_ENTRY])?;
    gzipped(bundles.first().context("one file was bundled")?)
}

/// The bundle of each file: the file and all its imports, minified.
fn bundle(sh: &Shell, dist: &str, files: &[&str]) -> Result<Vec<Vec<u8>>> {
    let esbuild = npm::bin("esbuild");
    for (format, extension) in [("esm", ".js"), ("cjs", ".cjs")] {
        let inputs = files.iter().filter(|file| file.ends_with(extension));
        let inputs: Vec<_> = inputs.map(|file| format!("{dist}/{file}")).collect();
        if inputs.is_empty() {
            continue;
        }
        let bundle = cmd!(sh, "{esbuild} {inputs...} --bundle --minify --platform=neutral");
        let bundle =
            bundle.args(["--external:node:*", "--external:*.wasm", "--external:*.wasm?module"]);
        let bundle = bundle.args(EXTERNAL.map(|name| format!("--external:{name}")));
        let bundle = bundle.args([
            "--log-level=warning".to_owned(),
            format!("--format={format}"),
            format!("--out-extension:.js={extension}"),
            format!("--outbase={dist}"),
            format!("--outdir={BUNDLES}"),
        ]);
        exec(bundle).context("an entry cannot be bundled")?;
    }
    let read = |file: &&str| {
        let from = if file.ends_with(".wasm") { dist } else { BUNDLES };
        Ok(sh.read_binary_file(format!("{from}/{file}"))?)
    };
    files.iter().map(read).collect()
}

/// The size of a file as servers send it.
pub fn gzipped(bytes: &[u8]) -> Result<usize> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes)?;
    Ok(gzip.finish()?.len())
}

/// A size for a table.
pub fn kilobytes(bytes: usize) -> String {
    format!("{:.1} kB", bytes as f64 / 1000.0)
}
