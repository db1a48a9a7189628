//! Which steps a change needs, by the files that it touches.

use anyhow::Result;
use xshell::{Shell, cmd};

/// The steps that a change of the core or of its tests can break.
const RUST: &[&str] =
    &["fmt", "clippy", "clippy-single-threaded", "rust", "rust-single-threaded", "doc"];
/// Further steps that a change of the core can break.
const CORE: &[&str] =
    &["simulate", "tsan", "fuzz", "rust-examples", "clippy-wasm", "rust-wasm", "component"];
/// The steps that a change of the built package can break.
const PACKAGE: &[&str] = &[
    "biome",
    "types",
    "type-matrix",
    "api",
    "unit",
    "js",
    "kill",
    "weather",
    "tools",
    "runtimes",
    "integrations",
    "opentelemetry",
    "component",
    "examples",
    "docs",
    "demo-page",
    "workerd",
    "chromium",
    "csp",
    "package",
    "tree-shaking",
    "demo",
];

/// The steps that a change of any lock file needs, beside those of its folder.
const LOCK: &[&str] = &["deny", "advisories"];

/// Prefixes of paths, and the steps that each needs. The first match counts.
#[rustfmt::skip]
const RULES: &[(&str, &[&[&str]])] = &[
    ("src/", &[RUST, CORE, PACKAGE]),
    ("build.rs", &[RUST, CORE, PACKAGE]),
    ("clippy.toml", &[&["clippy", "clippy-single-threaded", "clippy-wasm"]]),
    ("rustfmt.toml", &[&["fmt"]]),
    ("fuzz/", &[&["fmt", "clippy", "fuzz"]]),
    ("benches/README.md", &[&["js"]]),
    ("benches/native/", &[&["fmt"]]),
    ("benches/js/", &[&["biome", "bench"]]),
    ("benches/weather/", &[&["biome"]]),
    ("benches/results/", &[]),
    ("pkg-js/src/opentelemetry/", &[PACKAGE, &["opentelemetry"]]),
    ("pkg-js/src/sinks/", &[PACKAGE, &["sinks"]]),
    ("pkg-js/src/stores/", &[PACKAGE, &["stores"]]),
    ("pkg-js/src/", &[PACKAGE]),
    ("pkg-js/README.md", &[&["js"]]),
    ("pkg-js/shardbus.api.md", &[&["api"]]),
    ("pkg-js/", &[PACKAGE, &["publint", "attw", "jsr"]]),
    ("tests/simulation/", &[RUST, &["simulate", "fuzz"]]),
    ("wasm/tests/", &[&["fmt", "clippy-wasm", "rust-wasm", "rust-wasm-chromium"]]),
    ("wasm/", &[RUST, &["clippy-wasm", "rust-wasm"], PACKAGE]),
    ("wit/", &[RUST, &["component"]]),
    ("component/", &[RUST, &["clippy-wasm", "biome", "component"]]),
    ("xtask/src/component", &[&["fmt", "clippy", "component"]]),
    ("tests/vectors/weather.json", &[&["rust", "component"]]),
    ("tests/unit/", &[&["biome", "types", "unit"]]),
    ("tests/js/", &[&["biome", "types", "js", "runtimes"]]),
    ("tests/weather/", &[&["biome", "types", "weather"]]),
    ("tests/seeds/", &[RUST, &["simulate"]]),
    ("tests/kill/", &[&["biome", "types", "kill"]]),
    ("tests/tools/", &[&["biome", "types", "tools"]]),
    ("tests/otel/", &[&["biome", "opentelemetry"]]),
    ("tests/sinks/", &[&["biome", "sinks"]]),
    ("tests/integrations/", &[&["biome", "integrations"]]),
    ("tests/package/", &[&["biome", "package"]]),
    ("tests/bundlers/", &[&["biome", "bundlers"]]),
    ("tests/examples/", &[&["biome", "types", "examples"]]),
    ("tests/type-matrix/", &[&["biome", "type-matrix"]]),
    ("tests/types/", &[&["biome", "types"]]),
    ("tests/runtimes/suite/", &[&["biome", "types", "runtimes"]]),
    ("tests/runtimes/workerd/", &[&["biome", "types", "workerd"]]),
    ("tests/runtimes/stores/", &[&["biome", "types", "stores", "bundlers"]]),
    ("tests/runtimes/browser/", &[&["biome", "types", "runtimes", "chromium", "firefox", "webkit", "csp"]]),
    ("tests/docs/", &[&["biome", "types", "docs"]]),
    ("tests/demo/", &[&["biome", "types", "demo-page"]]),
    ("demo/", &[&["biome", "types", "demo-page", "docs"]]),
    ("tests/seam/", &[RUST]),
    ("tests/tsan/", &[&["tsan"]]),
    ("tests/common/", &[RUST]),
    ("examples/component-async/", &[&["fmt", "clippy-wasm", "component"]]),
    ("examples/component-rust/", &[&["fmt"]]),
    ("examples/component-serve/", &[&["fmt", "clippy-wasm", "component"]]),
    ("examples/component/", &[&["biome", "component"]]),
    ("examples/rust/", &[&["fmt", "rust-examples"]]),
    ("examples/", &[&["biome", "types", "examples", "demo"]]),
    ("xtask/src/test/", &[&["fmt", "clippy", "rust"]]),
    ("xtask/src/mutate.rs", &[&["fmt", "clippy", "rust"]]),
    ("xtask/mutations.toml", &[&["rust"]]),
    ("README.md", &[&["js"]]),
    ("docs/integrations/opentelemetry.md", &[&["js", "docs", "opentelemetry"]]),
    ("docs/options.md", &[&["js", "docs", "rust"]]),
    ("docs/sinks.md", &[&["js", "docs", "sinks"]]),
    ("docs/start/cloudflare-workers.md", &[&["js", "docs", "workerd"]]),
    ("docs/start/pages.md", &[&["js", "docs", "chromium", "firefox", "webkit"]]),
    ("docs/webassembly.md", &[&["js", "docs", "csp"]]),
    ("docs/", &[&["biome", "js", "docs"]]),
    ("tests/documents.mjs", &[&["biome", "types", "js", "sinks", "workerd", "chromium", "csp"]]),
    ("ARCHITECTURE.md", &[&["js"]]),
    ("CHANGELOG.md", &[&["js"]]),
    ("CONTRIBUTING.md", &[&["js"]]),
    ("RELEASING.md", &[&["js"]]),
    (".gitignore", &[]),
    ("LICENSE", &[&["build"]]),
    ("SECURITY.md", &[&["js"]]),
    (".github/", &[]),
    ("deny.toml", &[LOCK]),
];

/// The steps that a change of these files needs, or `None` if a file has no rule and all steps are
/// needed.
pub fn steps<'a>(files: impl IntoIterator<Item = &'a str>) -> Option<Vec<&'static str>> {
    let mut found = Vec::new();
    for file in files {
        let rule = RULES.iter().find(|(beginning, _)| file.starts_with(beginning));
        let groups: &[&[&str]] = match rule {
            Some((_, groups)) => groups,
            // A test of the core.
            None if file.starts_with("tests/") && file.ends_with(".rs") => &[RUST, &["tsan"]],
            None => return None,
        };
        found.extend(groups.iter().copied().flatten());
        if file.ends_with("Cargo.lock") || file.ends_with("package-lock.json") {
            found.extend(LOCK);
        }
    }
    Some(found)
}

/// The files that differ from `main`, or from where this branch left it, and those that git does
/// not know yet.
pub fn files(sh: &Shell) -> Result<Vec<String>> {
    let base = cmd!(sh, "git merge-base HEAD main").quiet().ignore_stderr();
    let base = base.read().unwrap_or_else(|_| "HEAD".to_owned());
    let changed = cmd!(sh, "git diff --name-only --no-renames {base}").quiet().read()?;
    let new = cmd!(sh, "git ls-files --others --exclude-standard").quiet().read()?;
    Ok(changed.lines().chain(new.lines()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::super::steps::STEPS;
    use super::*;

    #[test]
    fn every_step_of_a_rule_exists() {
        for step in RULES.iter().flat_map(|(_, groups)| groups.iter().copied().flatten()) {
            assert!(STEPS.iter().any(|known| known.name == *step), "{step}");
        }
    }

    #[test]
    fn files_need_their_own_steps() {
        assert_eq!(
            steps(["wasm/tests/core.rs", "tests/kill/x.mjs"]).unwrap_or_default(),
            ["fmt", "clippy-wasm", "rust-wasm", "rust-wasm-chromium", "biome", "types", "kill"]
        );
        assert!(steps(["tests/delivery.rs"]).is_some_and(|steps| steps.contains(&"tsan")));
        assert_eq!(
            steps(["fuzz/Cargo.lock", "tests/kill/x.mjs"]).unwrap_or_default(),
            ["fmt", "clippy", "fuzz", "deny", "advisories", "biome", "types", "kill"]
        );
        assert_eq!(steps([]), Some(Vec::new()));
    }

    #[test]
    fn a_file_that_no_rule_names_needs_every_step() {
        assert_eq!(steps(["tests/kill/x.mjs", "Cargo.lock"]), None);
        assert_eq!(steps(["xtask/src/package.rs"]), None);
    }
}
