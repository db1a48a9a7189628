//! `shardbus-bindgen INPUT NAME DIRECTORY`: makes the glue of a module that cargo has compiled, for
//! bundlers.

use anyhow::{Context as _, Result};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().context("usage: shardbus-bindgen INPUT NAME DIRECTORY");
    let (input, name, directory) = (next()?, next()?, next()?);
    // The target for bundlers has the smallest glue, with no loader in it.
    Bindgen::new()
        .input_path(input)
        .out_name(&name)
        .bundler(true)?
        .typescript(true)
        .generate(directory)
}
