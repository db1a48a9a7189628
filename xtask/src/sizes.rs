//! The size of each entry in a user's bundle, and its limit.

use std::io::Write as _;

use anyhow::{Context as _, Result, ensure};
use flate2::{Compression, write::GzEncoder};
use xshell::{Shell, cmd};

use crate::{exec, npm};

/// The files that users bundle, and the limit of each in bytes after gzip: a little above today's
/// size, so that growth is noticed. Raise a limit for a feature that is worth its bytes.
#[rustfmt::skip]
const LIMITS: &[(&str, usize)] = &[
    ("index.js", 56_000),
    ("node.js", 68_700),
    ("workerd.js", 20_700),
    ("edge-light.js", 20_700),
    ("slim.js", 18_900),
    ("js.js", 84_500),
    ("shutdown.js", 2_300),
    ("otel.js", 1_200),
    ("stores/fs.js", 7_500),
    ("stores/indexeddb.js", 7_700),
    ("stores/sealed.js", 4_700),
    ("index.cjs", 58_100),
    ("node.cjs", 69_900),
    ("slim.cjs", 20_800),
    ("js.cjs", 84_700),
    ("shutdown.cjs", 2_200),
    ("otel.cjs", 1_500),
    ("stores/fs.cjs", 7_400),
    ("stores/indexeddb.cjs", 7_500),
    ("stores/sealed.cjs", 4_500),
    ("sinks/http.js", 3_900),
    ("sinks/nats.js", 2_700),
    ("sinks/redis.js", 2_900),
    ("sinks/cloudflare-queues.js", 2_400),
    ("sinks/kafka.js", 2_500),
    ("sinks/r2.js", 2_400),
    ("sinks/kafka.cjs", 2_300),
    ("sinks/r2.cjs", 2_200),
    ("sinks/http.cjs", 3_600),
    ("sinks/nats.cjs", 2_500),
    ("sinks/redis.cjs", 2_700),
    ("sinks/cloudflare-queues.cjs", 2_200),
    ("stores/custom.js", 4_100),
    ("stores/custom.cjs", 3_900),
    ("requests.js", 4_200),
    ("requests.cjs", 3_800),
    ("bus.wasm", 40_000),
];

/// The folder for the bundles.
const BUNDLES: &str = "target/package/sizes";

/// The entry of most users, and the size that it should come down to.
const DEFAULT_ENTRY: &str = "index.js";
const DEFAULT_ENTRY_AIM: usize = 30_000;

/// Prints the size of each file as a bundler would ship it, and fails if one is above its limit.
pub fn check(sh: &Shell, dist: &str, entries: &[&str]) -> Result<()> {
    for entry in entries {
        for file in [format!("{entry}.js"), format!("{entry}.cjs")] {
            let has_limit = LIMITS.iter().any(|(name, _)| *name == file);
            ensure!(has_limit, "{file} has no limit in xtask/src/sizes.rs");
        }
    }
    eprintln!("{:<30}{:>12}{:>12}{:>12}", "bundled", "minified", "gzip", "limit");
    let mut too_large = Vec::new();
    let files: Vec<_> = LIMITS.iter().map(|&(file, _)| file).collect();
    for (bytes, &(file, limit)) in bundle(sh, dist, &files)?.iter().zip(LIMITS) {
        let gzip = gzipped(bytes)?;
        let [minified, size, most] = [bytes.len(), gzip, limit].map(kilobytes);
        eprintln!("{file:<30}{minified:>12}{size:>12}{most:>12}");
        if file == DEFAULT_ENTRY && gzip > DEFAULT_ENTRY_AIM {
            eprintln!("{:<30}{:>24}", "", format!("(aim: {})", kilobytes(DEFAULT_ENTRY_AIM)));
        }
        if gzip > limit {
            too_large.push(file);
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

fn gzipped(bytes: &[u8]) -> Result<usize> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes)?;
    Ok(gzip.finish()?.len())
}

fn kilobytes(bytes: usize) -> String {
    format!("{:.1} kB", bytes as f64 / 1000.0)
}
