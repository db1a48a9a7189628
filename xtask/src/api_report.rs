//! The public API as a file that is checked in, so that a change of it shows in review.

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

use crate::{exec, manifests, npm, say};

/// The configuration of API Extractor; it names [`ENTRY`] and [`REPORT`].
const CONFIG: &str = "pkg-js/api-extractor.json";
/// Everything that may be imported, in one module.
const ENTRY: &str = "target/package/api/entry.d.ts";
const REPORT: &str = "pkg-js/shardbus.api.md";
/// The accepted report.
const CURRENT: &str = "target/package/api/shardbus.api.md";

/// Fails if the report is not that of the built package; writes it anew instead if `accept`.
pub fn check(sh: &Shell, accept: bool) -> Result<()> {
    sh.write_file(ENTRY, entry(&manifests::modules(sh)?))?;
    let api_extractor = npm::bin("api-extractor");
    let report = cmd!(sh, "{api_extractor} run --config {CONFIG}");
    if accept {
        say(format_args!("writing {REPORT}"));
        return exec(report.arg("--local").ignore_stdout());
    }
    if report.quiet().ignore_stdout().ignore_stderr().run().is_ok() {
        return Ok(());
    }
    // Shows the difference; git's exit code says only that there is one.
    exec(cmd!(sh, "git --no-pager diff --no-index {REPORT} {CURRENT}").ignore_status())?;
    bail!("the public API is not that of {REPORT}: `cargo xtask build --accept-api` updates it")
}

/// The default entry as it is, and every other one as a namespace.
fn entry(modules: &[(String, String)]) -> String {
    let export = |(name, types): &(String, String)| {
        let namespace = match name.trim_start_matches("./") {
            "." => String::new(),
            path => format!(" as {}", path.replace(['/', '-'], "_")),
        };
        let file = types.trim_start_matches("./").replace(".d.ts", ".js");
        format!("export *{namespace} from \"../../../pkg-js/{file}\";\n")
    };
    modules.iter().map(export).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_namespaces() {
        let module = |name: &str, types: &str| (name.to_owned(), types.to_owned());
        let modules =
            [module(".", "./dist/index.d.ts"), module("./stores/fs", "./dist/stores/fs.d.ts")];
        let expected = "export * from \"../../../pkg-js/dist/index.js\";\n\
                        export * as stores_fs from \"../../../pkg-js/dist/stores/fs.js\";\n";
        assert_eq!(entry(&modules), expected);
    }
}
