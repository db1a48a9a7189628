//! The canonical JSON of a value: its hash routes the event, and its bytes are stored.
//!
//! serde_json's compact output, independent of serde_json's version and of the cargo features that
//! somebody else may turn on: object keys are in ascending UTF-8 byte order (`preserve_order` keeps
//! them as they came), a number is written as the integer of 64 bits or the double that it is
//! (`arbitrary_precision` keeps its text), and a positive exponent carries its sign (`1e+16`; older
//! versions print `1e16`). Only what no double can hold, and `arbitrary_precision` alone lets in, keeps
//! its text.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::ser::Formatter;
use serde_json::{Number, Value};
use std::io;

/// Writes `value` in canonical form.
pub(crate) fn to_vec(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, SignedExponents);
    Canonical(value)
        .serialize(&mut serializer)
        .expect("memory takes every byte, and the keys of a JSON value are strings");
    bytes
}

/// A value whose objects serialise with sorted keys, and whose numbers in one form.
struct Canonical<'a>(&'a Value);

impl Serialize for Canonical<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(object) => {
                let mut entries: Vec<_> = object.iter().collect();
                entries.sort_unstable_by_key(|(key, _)| *key);
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, &Canonical(value))?;
                }
                map.end()
            }
            Value::Array(elements) => {
                let mut seq = serializer.serialize_seq(Some(elements.len()))?;
                for element in elements {
                    seq.serialize_element(&Canonical(element))?;
                }
                seq.end()
            }
            Value::Number(number) => write_number(number, serializer),
            scalar => scalar.serialize(serializer),
        }
    }
}

fn write_number<S: Serializer>(number: &Number, serializer: S) -> Result<S::Ok, S::Error> {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        // The text `-0` reads as the integer 0 too, but it is a double.
        (Some(0), _, Some(zero)) if zero.is_sign_negative() => serializer.serialize_f64(zero),
        (Some(integer), ..) => serializer.serialize_i64(integer),
        (_, Some(integer), _) => serializer.serialize_u64(integer),
        (_, _, Some(double)) => serializer.serialize_f64(double),
        _ => number.serialize(serializer),
    }
}

/// serde_json's compact form with `e+16` for `e16`.
struct SignedExponents;

impl Formatter for SignedExponents {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let mut text = Vec::with_capacity(24);
        serde_json::ser::CompactFormatter.write_f64(&mut text, value)?;
        if let Some(e) = text.iter().position(|&byte| byte == b'e')
            && text.get(e + 1).is_some_and(u8::is_ascii_digit)
        {
            text.insert(e + 1, b'+');
        }
        writer.write_all(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::hash;

    fn canonical(json: &str) -> String {
        let value = serde_json::from_str(json).expect("test input is JSON");
        String::from_utf8(to_vec(&value)).expect("JSON is UTF-8")
    }

    #[test]
    fn keys_are_in_byte_order_and_the_last_duplicate_wins() {
        assert_eq!(canonical(r#"{"b":1,"a":2}"#), r#"{"a":2,"b":1}"#);
        assert_eq!(
            canonical(r#"{"é":0,"z":0,"Z":0,"9":0,"10":0,"":0}"#),
            r#"{"":0,"10":0,"9":0,"Z":0,"z":0,"é":0}"#
        );
        assert_eq!(canonical(r#"{"a":1,"a":2}"#), r#"{"a":2}"#);
        assert_eq!(canonical(r#"[{"b":[{"d":1,"c":2}]}]"#), r#"[{"b":[{"c":2,"d":1}]}]"#);
    }

    #[test]
    fn strings_escape_only_what_json_requires() {
        assert_eq!(
            canonical("\"\\\"\\\\\\u0008\\u000c\\n\\r\\t\\u0001\\u001F\\/\u{7f}\u{2028}ü\""),
            "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f/\u{7f}\u{2028}ü\""
        );
    }

    #[test]
    fn numbers_have_one_form() {
        for (input, output) in [
            ("1", "1"),
            ("-1", "-1"),
            ("18446744073709551615", "18446744073709551615"),
            ("18446744073709551616", "1.8446744073709552e+19"),
            ("1.0", "1.0"),
            ("2.50", "2.5"),
            ("1e2", "100.0"),
            ("1e15", "1000000000000000.0"),
            ("0.00001", "0.00001"),
            ("1E-7", "1e-7"),
            ("-0", "-0.0"),
            ("-0.0", "-0.0"),
            ("1e16", "1e+16"),
            ("1e300", "1e+300"),
        ] {
            assert_eq!(canonical(input), output, "{input}");
        }
    }

    #[test]
    fn a_lone_surrogate_is_a_parse_error() {
        assert!(serde_json::from_str::<Value>(r#""\ud800""#).is_err());
    }

    #[test]
    fn canonical_forms_have_the_published_hashes() {
        for (input, output, expected) in [
            (r#"{"b":1,"a":2}"#, r#"{"a":2,"b":1}"#, 0x8683_a16a_20e8_c404),
            ("[1,2.50,true,null]", "[1,2.5,true,null]", 0x676b_34b1_2fe0_e7f5),
            ("0.1", "0.1", 0x8c32_a5fa_76d5_c8a2),
        ] {
            let text = canonical(input);
            assert_eq!(text, output);
            assert_eq!(hash(text.as_bytes()), expected, "{input}");
        }
    }
}
