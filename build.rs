//! Derives `cfg(single_threaded)`, the switch of `src/sync/`.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(single_threaded)");
    println!("cargo::rerun-if-changed=build.rs");
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let wasm =
        std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|f| f.split(',').any(|f| f == "wasm"));
    let atomics = std::env::var("CARGO_CFG_TARGET_FEATURE")
        .is_ok_and(|f| f.split(',').any(|f| f == "atomics"));
    if is_set("CARGO_FEATURE_SINGLE_THREADED") || (wasm && !atomics) {
        println!("cargo::rustc-cfg=single_threaded");
    }
}
