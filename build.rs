//! Derives `cfg(single_threaded)`, the switch of `src/sync/`.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(single_threaded)");
    // Of no variable at all: what decides is cargo's own, and a package elsewhere in the workspace
    // has no `build.rs` of its own to watch.
    println!("cargo::rerun-if-env-changed=CARGO_FEATURE_SINGLE_THREADED");
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let wasm =
        std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|f| f.split(',').any(|f| f == "wasm"));
    let atomics = std::env::var("CARGO_CFG_TARGET_FEATURE")
        .is_ok_and(|f| f.split(',').any(|f| f == "atomics"));
    if is_set("CARGO_FEATURE_SINGLE_THREADED") || (wasm && !atomics) {
        println!("cargo::rustc-cfg=single_threaded");
    }
}
