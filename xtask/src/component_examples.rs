//! Builds the examples that are components themselves, composed with the bus, and runs all examples of
//! the component.

use anyhow::Result;
use clap::ValueEnum;
use xshell::{Shell, cmd};

use crate::component::{BUILT, Component, Tools, make_all};
use crate::{exec, npm};

/// The components of the examples, and those that the tests compose with the bus.
pub const EXAMPLES: [Component; 5] = [
    Component {
        name: "service",
        package: "shardbus-service-example",
        folder: "examples/component-serve",
        interfaces: &["wit", "examples/component-serve/wit"],
        world: "example:service/service",
        imports: &["shardbus:bus/", "wasi:"],
        limit: None,
    },
    Component {
        name: "async-service",
        package: "shardbus-async-service-example",
        folder: "examples/component-async/service",
        interfaces: &["wit", "examples/component-async/service/wit"],
        world: "example:async-service/service",
        imports: &["shardbus:bus/", "wasi:"],
        limit: None,
    },
    Component {
        name: "async-sink",
        package: "shardbus-async-sink-example",
        folder: "examples/component-async/sink",
        interfaces: &["wit", "examples/component-async/sink/wit"],
        world: "example:async-sink/collector",
        imports: &["shardbus:bus/", "wasi:"],
        limit: None,
    },
    Component {
        name: "test-driver",
        package: "shardbus-test-driver",
        folder: "component/tests/async/driver",
        interfaces: &["wit", "component/tests/async/driver/wit"],
        world: "tests:async-driver/driver",
        imports: &["shardbus:bus/", "wasi:"],
        limit: None,
    },
    Component {
        name: "test-sink",
        package: "shardbus-test-sink",
        folder: "component/tests/async/sink",
        interfaces: &["wit", "component/tests/async/sink/wit"],
        world: "tests:async-sink/words",
        imports: &["shardbus:bus/", "wasi:clocks/"],
        limit: None,
    },
];

/// The compositions, in order: the component that imports, the one that exports, and the result.
const COMPOSED: [[&str; 3]; 5] = [
    ["service", "http", "logging-service"],
    ["async", "async-sink", "async-collector"],
    ["async-service", "async-collector", "async-logging-service"],
    ["async", "test-sink", "async-tested"],
    ["test-driver", "async-tested", "async-driven"],
];

/// Builds the examples. The components of the bus are built.
pub fn build(sh: &Shell, tools: &Tools) -> Result<()> {
    make_all(sh, tools, &EXAMPLES)?;
    // `wac plug` composes them too. It comes only as source, and takes minutes to compile.
    let wasm_tools = tools.wasm_tools();
    for [socket, plug, composed] in COMPOSED {
        let [socket, plug, to] =
            [socket, plug, composed].map(|name| format!("{BUILT}/{name}.wasm"));
        let compose = cmd!(sh, "{wasm_tools} compose --quiet {socket} --definitions {plug}");
        exec(compose.args(["--output", &to]))?;
        exec(cmd!(sh, "{wasm_tools} validate {to}"))?;
    }
    Ok(())
}

/// An example of the component.
#[derive(Clone, Copy, ValueEnum)]
pub enum Example {
    /// The host in Node
    Node,
    /// The host in Python
    Python,
    /// The host in Rust, which takes minutes to compile
    Rust,
    /// The service on `http`, with an instance for each request
    Serve,
    /// The service on `http`, with an instance for many requests
    ServeReused,
    /// The service on `async`, with an instance for many requests
    ServeAsync,
}

/// The flags of a service whose instances serve many requests.
const REUSED: [&str; 3] =
    ["--env=REUSED=1", "--max-instance-reuse-count=1000", "--idle-instance-timeout=600s"];

/// Runs an example with a collector. The components of the bus are built.
pub fn run(sh: &Shell, example: Example) -> Result<()> {
    let tools = Tools::set_up(sh)?;
    let with_collector = || cmd!(sh, "node examples/component/with-collector.mjs");
    let serve = |name: &str, flags: &[&str]| {
        build(sh, &tools)?;
        let serve =
            with_collector().arg(tools.wasmtime()).args(["serve", "-Scli", "--env=COLLECTOR"]);
        let serve = serve.arg("--addr=127.0.0.1:8080").args(flags);
        exec(serve.arg(format!("{BUILT}/{name}.wasm")))
    };
    match example {
        Example::Node => {
            transpile(sh, &["core"])?;
            exec(with_collector().args(["node", "examples/component/main.mjs"]))
        }
        Example::Python => {
            let python = with_collector().env("PYTHONPATH", tools.python_path());
            exec(python.args(["python3", "examples/component/main.py"]))
        }
        Example::Rust => {
            let manifest = "examples/component-rust/Cargo.toml";
            exec(with_collector().args(["cargo", "run", "--release", "--manifest-path", manifest]))
        }
        Example::Serve => serve("logging-service", &[]),
        Example::ServeReused => serve("logging-service", &REUSED),
        Example::ServeAsync => serve("async-logging-service", &REUSED),
    }
}

/// Writes components as JavaScript modules. The components are built.
pub fn transpile(sh: &Shell, components: &[&str]) -> Result<()> {
    npm::install(sh, "component")?;
    exec(cmd!(sh, "node component/transpile.mjs {components...}"))
}
