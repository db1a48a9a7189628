//! Builds the examples that are components themselves, composed with the bus.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::component::{BUILT, Component, Tools, make_all};
use crate::exec;

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
