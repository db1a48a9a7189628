//! Builds the examples that are components themselves, composed with the bus.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::component::{BUILT, Component, Tools, make_all};
use crate::exec;

/// The components of the examples.
pub const EXAMPLES: [Component; 3] = [
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
];

/// The compositions, in order: the component that imports, the one that exports, and the result.
const COMPOSED: [[&str; 3]; 3] = [
    ["service", "http", "logging-service"],
    ["async", "async-sink", "async-collector"],
    ["async-service", "async-collector", "async-logging-service"],
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
