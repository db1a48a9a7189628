//! Conversions from floating-point numbers that saturate, in terms of those that trap.
//!
//! `wasm2js` knows only the latter. Binaryen's lowering of the former is for C, where a number that
//! is out of range may become any other; in Rust it becomes the nearest, and NaN becomes 0.

/// A module in text format with calls in place of the instructions `trunc_sat`.
pub fn lower(module: &str) -> Option<String> {
    let calls = module
        .replace("(i32.trunc_sat_", "(call $i32.trunc_sat_")
        .replace("(i64.trunc_sat_", "(call $i64.trunc_sat_");
    let mut lowered = calls.trim_end().strip_suffix(')')?.to_owned();
    for float in ["f32", "f64"] {
        for (int, min, max, beyond) in [
            ("i32", i64::from(i32::MIN), i64::from(i32::MAX), 2f64.powi(31)),
            ("i64", i64::MIN, i64::MAX, 2f64.powi(63)),
        ] {
            lowered += &function(int, float, 's', min, max, beyond);
            lowered += &function(int, float, 'u', 0, -1, beyond * 2.0);
        }
    }
    Some(lowered + ")\n")
}

/// One of these functions: `min` and `max` are the bounds of `int`, and `beyond` is one more than
/// the upper one.
fn function(int: &str, float: &str, sign: char, min: i64, max: i64, beyond: f64) -> String {
    format!(
        "(func ${int}.trunc_sat_{float}_{sign} (param $x {float}) (result {int})
  (if (result {int}) ({float}.lt (local.get $x) ({float}.const {beyond}))
    (then (if (result {int}) ({float}.ge (local.get $x) ({float}.const {min}))
      (then ({int}.trunc_{float}_{sign} (local.get $x)))
      (else ({int}.const {min}))))
    (else (if (result {int}) ({float}.eq (local.get $x) (local.get $x))
      (then ({int}.const {max}))
      (else ({int}.const 0))))))\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_become_calls() {
        let module = "(module (func (param f64) (result i64) (i64.trunc_sat_f64_u (local.get 0))))";
        let lowered = lower(module).unwrap();
        assert!(lowered.contains("(call $i64.trunc_sat_f64_u (local.get 0))"));
        assert_eq!(lowered.matches("(func $").count(), 8);
        assert!(lowered.contains("(f64.lt (local.get $x) (f64.const 18446744073709552000))"));
        assert!(lower("").is_none());
    }
}
