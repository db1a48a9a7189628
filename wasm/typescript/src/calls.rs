//! The calls of a bus, as methods.

use crate::prose;
use shardbus_wasm::calls::{CALLS, Declared};

/// Their file.
pub fn write() -> String {
    let calls: Vec<_> = CALLS.iter().enumerate().map(|(code, call)| method(code, call)).collect();
    format!(
        "import {{ call }} from \"../core/module.js\";\n\n\
         /** The calls of one bus; each has a code. */\n\
         export abstract class Calls {{\n  \
           /** Names the bus. */\n  \
           abstract handle(): number;\n\n{}}}\n",
        calls.join("\n")
    )
}

fn method(code: usize, Declared { name, arguments, result, about }: &Declared) -> String {
    let about = prose::comment("  ", &[prose::sentence(about)]);
    let name = prose::camel_case(name);
    let arguments: Vec<_> =
        arguments.iter().map(|(name, kind)| (prose::camel_case(name), kind)).collect();
    let typed: Vec<_> =
        arguments.iter().map(|(name, kind)| format!("{name}: {}", typescript(kind))).collect();
    let given: String = arguments.iter().map(|(name, _)| format!(", {name}")).collect();
    let call = format!("call(this.handle(), {code}{given})");
    let (result, statement) = match result {
        [] => ("void", format!("{call};")),
        ["bool"] => ("boolean", format!("return {call} === 1;")),
        _ => ("number", format!("return {call};")),
    };
    let line = format!("  {name}({}): {result} {{\n", typed.join(", "));
    let broken = || format!("  {name}(\n    {},\n  ): {result} {{\n", typed.join(",\n    "));
    let head = if line.len() <= 101 { line } else { broken() };
    format!("{about}{head}    {statement}\n  }}\n")
}

fn typescript(kind: &str) -> &'static str {
    if kind == "bool" { "boolean" } else { "number" }
}
