//! The table of steps.

use anyhow::Result;

use super::schedule::{Load, Plan};
use super::session::Session;
use Load::{Alone, Compiles, Waits};

/// A check.
pub struct Step {
    /// Its name for `--only`.
    pub name: &'static str,
    /// The property that it checks.
    pub about: &'static str,
    /// Its use of the machine.
    pub load: Load,
    /// The steps before it that must have passed.
    pub needs: &'static [&'static str],
    /// Its implementation.
    pub run: fn(&Session) -> Result<()>,
}

impl Plan for &'static Step {
    fn name(self) -> &'static str {
        self.name
    }

    fn load(self) -> Load {
        self.load
    }

    fn needs(self) -> &'static [&'static str] {
        self.needs
    }
}

const fn step(
    name: &'static str,
    about: &'static str,
    load: Load,
    needs: &'static [&'static str],
    run: fn(&Session) -> Result<()>,
) -> Step {
    Step { name, about, load, needs, run }
}

/// Every step, after those that it needs. Of those that are ready, the first is run first: most wait
/// for the package, and `runtimes` takes the longest. `demo` and `build` would wait for each other.
#[rustfmt::skip]
pub const STEPS: &[Step] = &[
    step("setup", "the tools are installed", Compiles, &[], Session::setup),
    step("fmt", "Rust: format", Waits, &[], Session::fmt),
    step("demo", "the flights example, on as little as it needs", Compiles, &["setup"], Session::demo),
    step("rust-examples", "Rust: two drivers deliver the flights", Compiles, &["setup"], Session::rust_examples),
    step("build", "the npm package builds", Compiles, &["setup"], Session::package),
    step("clippy", "Rust: lints, with threads", Compiles, &[], Session::clippy),
    step("clippy-single-threaded", "Rust: lints, without threads", Compiles, &[], Session::clippy_single_threaded),
    step("rust", "Rust: tests, with threads", Compiles, &[], Session::rust),
    step("rust-single-threaded", "Rust: tests, without threads", Compiles, &[], Session::rust_single_threaded),
    step("doc", "Rust: the documentation builds without warnings, and the crate packages its sources", Compiles, &[], Session::doc),
    step("simulate", "Rust: many schedules of the deterministic simulation", Compiles, &[], Session::simulate),
    step("tsan", "Rust: tests with threads, under ThreadSanitizer", Compiles, &[], Session::tsan),
    step("fuzz", "Rust: a short look for inputs that break the core", Compiles, &[], Session::fuzz),
    step("clippy-wasm", "Rust: lints, for WebAssembly", Compiles, &["setup"], Session::clippy_wasm),
    step("rust-wasm", "Rust: tests, as WebAssembly in Node", Compiles, &["setup"], Session::rust_wasm),
    step("rust-wasm-chromium", "Rust: tests, as WebAssembly in Chromium", Compiles, &["rust-wasm"], Session::rust_wasm_chromium),
    step("biome", "JavaScript and TypeScript: format and lints", Waits, &["setup"], Session::biome),
    step("unit", "TypeScript: tests of single files, without the package", Waits, &["setup"], Session::unit),
    step("component", "the bus as WebAssembly components, in wasmtime and as JavaScript", Compiles, &["build"], Session::component),
    step("runtimes", "JavaScript: the same tests, in every other runtime", Waits, &["build"], Session::runtimes),
    step("js", "JavaScript: tests, in Node", Waits, &["build"], Session::js),
    step("pack", "the package can be packed and installed", Waits, &["build"], Session::pack),
    step("bundlers", "the packed package works in bundlers, frameworks and runtimes", Waits, &["build"], Session::bundlers),
    step("weather", "JavaScript: a receiver goes away, and comes back", Waits, &["build"], Session::weather),
    step("kill", "JavaScript: a process with a store is killed, again and again", Waits, &["build"], Session::kill),
    step("tools", "JavaScript: fake clocks, test runners and their environments", Waits, &["build"], Session::test_tools),
    step("sinks", "JavaScript: the sinks, on real engines that are killed", Waits, &["build"], Session::sinks),
    step("opentelemetry", "JavaScript: OpenTelemetry's own tests of its processors, and ours", Waits, &["build"], Session::opentelemetry),
    step("integrations", "JavaScript: loggers and frameworks feed a bus, in their runtimes", Waits, &["build"], Session::integrations),
    step("workerd", "JavaScript: tests, in Cloudflare's runtime", Waits, &["build"], Session::workerd),
    step("chromium", "JavaScript: tests of pages, in Chromium", Waits, &["build"], Session::chromium),
    step("firefox", "JavaScript: tests of pages, in Firefox", Waits, &["build"], Session::firefox),
    step("webkit", "JavaScript: tests of pages, in WebKit", Waits, &["build"], Session::webkit),
    step("demo-page", "JavaScript: the demo of the site, in every engine", Waits, &["build"], Session::demo_page),
    step("csp", "JavaScript: a page that forbids WebAssembly, in Chromium", Waits, &["build"], Session::csp),
    step("stores", "JavaScript: tests of the stores for pages, in Chromium", Waits, &["build"], Session::stores),
    step("docs", "the documentation's site builds, and its links lead somewhere", Waits, &["build"], Session::docs),
    step("examples", "JavaScript: tests of the examples", Waits, &["build"], Session::examples),
    step("types", "tests and examples fit the published types", Waits, &["build"], Session::types),
    step("type-matrix", "the published types, by several compilers and for several platforms", Waits, &["build"], Session::type_matrix),
    step("api", "the public API is that of pkg-js/shardbus.api.md", Waits, &["build"], Session::api),
    step("package", "the packed package works in an empty project", Waits, &["pack"], Session::packed_package),
    step("licenses", "the packed package has the licences of all that it carries", Waits, &["pack"], Session::licenses),
    step("reproducible", "the same sources make the same module in another folder", Compiles, &["build"], Session::reproducible),
    step("deny", "dependencies: allowed licences and sources", Waits, &["setup"], Session::deny),
    step("advisories", "dependencies: no known weaknesses", Waits, &["setup"], Session::advisories),
    step("tree-shaking", "an app carries nothing that it does not import", Waits, &["pack"], Session::tree_shaking),
    step("publint", "the packed package, by publint's rules", Waits, &["pack"], Session::publint),
    step("jsr", "JSR would accept the package", Waits, &["build"], Session::jsr),
    step("attw", "the packed package's types resolve everywhere", Waits, &["pack"], Session::attw),
    step("bench", "the benchmarks run, and every candidate delivers what it should", Alone, &["build"], Session::bench),
];

/// Steps that may be skipped in CI too, each for the reason beside it. Any other one that is skipped
/// there fails: nobody would notice that it never runs.
pub const SKIPPED_IN_CI: &[(&str, &str)] = &[(
    "advisories",
    "CI may reach package registries alone; the release's machines reach the rest",
)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_need_only_steps_before_them_and_have_different_names() {
        for (index, step) in STEPS.iter().enumerate() {
            let before = || STEPS[..index].iter().map(|step| step.name);
            assert!(before().all(|name| name != step.name), "{}", step.name);
            for need in step.needs {
                assert!(before().any(|name| name == *need), "{} needs {need}", step.name);
            }
        }
    }

    #[test]
    fn steps_that_ci_may_skip_exist_and_nothing_needs_them() {
        for (name, _) in SKIPPED_IN_CI {
            assert!(STEPS.iter().any(|step| step.name == *name), "{name}");
            assert!(STEPS.iter().all(|step| !step.needs.contains(name)), "{name}");
        }
    }
}
