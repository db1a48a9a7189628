//! The published vectors hold: hashes of exact bytes, shards selected by hash, and the canonical
//! form of JSON values. `vectors/routing.json` is shared with the JavaScript tests.
//!
//! They hold whatever features of serde_json another crate turns on: the tests also run with
//! `--features serde_json/arbitrary_precision` and `--features serde_json/preserve_order`.

#[path = "common/vectors.rs"]
mod published;

use serde_json::{Value, json};
use shardbus::{BackpressureMode, Event, IngestionError, RawEvent, ShardManager};
use std::collections::BTreeMap;

fn manager(shards: u16) -> ShardManager {
    ShardManager::new(shards, 2, BackpressureMode::DropOldest)
}

#[test]
fn exact_bytes_have_the_published_hashes() {
    for (bytes, hash) in published::read().hashes() {
        let event = RawEvent::from_bytes(bytes);
        let text = String::from_utf8_lossy(event.as_bytes());
        assert_eq!(format!("{:016x}", event.hash()), format!("{hash:016x}"), "{text}");
    }
}

#[test]
fn events_go_to_the_published_shards() {
    let mut managers = BTreeMap::new();
    let mut routes = 0;
    for (hash, n, shard) in published::read().routes() {
        let manager = managers.entry(n).or_insert_with(|| manager(n));
        assert_eq!(manager.select_shard_by_hash(hash), shard, "{hash:016x} of {n}");
        let event = RawEvent::from_bytes_with_hash("{}", hash);
        let (accepted_by, _) = manager.ingest_raw(event).expect("old events make room");
        assert_eq!(accepted_by, shard);
        routes += 1;
    }
    assert_eq!(routes, 84);
}

#[test]
fn each_shard_owns_the_hashes_between_its_two_boundaries() {
    for n in [1u16, 2, 3, 5, 7, 64, 1000] {
        let manager = manager(n);
        // The first hash of shard k is ceil(k * 2^64 / n).
        let first = |k: u16| (u128::from(k) << 64).div_ceil(u128::from(n));
        for k in 0..n {
            let last = first(k + 1) - 1;
            assert_eq!(manager.select_shard_by_hash(first(k) as u64), k);
            assert_eq!(manager.select_shard_by_hash(last as u64), k);
        }
    }
}

#[test]
fn distribution_over_three_shards_is_unbiased() {
    let manager = manager(3);
    let mut counts = [0u32; 3];
    for i in 0..30_000 {
        let event = RawEvent::from_str(&format!(r#"{{"i":{i}}}"#));
        counts[usize::from(manager.select_shard_by_hash(event.hash()))] += 1;
    }
    assert!(
        counts.iter().all(|count| (9_500..=10_500).contains(count)),
        "each within 5 % of a third: {counts:?}"
    );
}

#[test]
fn without_shards_nothing_is_routed() {
    let manager = manager(0);
    assert_eq!(manager.select_shard_by_hash(1 << 63), u16::MAX);
    let event = || RawEvent::from_str("{}");
    assert!(matches!(manager.ingest_raw(event()), Err(IngestionError::Unrouted)));
    assert_eq!(manager.ingest_raw_batch(vec![event(), event()]), (0, 2));
    assert_eq!(manager.stats().events_unrouted, 3);
}

#[test]
#[expect(deprecated)]
fn selecting_by_value_agrees_with_selecting_by_its_hash() {
    let values = [json!({}), json!({"b": 1, "a": [null, 2.5]}), json!(1e16), json!("ü€😀")];
    let numbered = (0..200).map(|i| json!({ "i": i }));
    for n in [1, 3, 64] {
        let manager = manager(n);
        for value in values.iter().cloned().chain(numbered.clone()) {
            let event = RawEvent::from(&value);
            let shard = manager.select_shard_by_hash(event.hash());
            assert_eq!(manager.select_shard(&value), shard, "{value}");
            let (accepted_by, _) = manager.ingest(value).expect("old events make room");
            assert_eq!(accepted_by, shard);
        }
    }
}

/// Parses `json` and writes it in canonical form.
fn canonical(json: &str) -> RawEvent {
    let value: Value = serde_json::from_str(json).expect("test input is JSON");
    RawEvent::from_value(value)
}

#[test]
fn values_are_written_in_canonical_form() {
    for (input, output) in [
        // No whitespace; keys in byte order; of duplicate keys the last.
        (r#" { "b" : [ 1 , 2 ] , "a" : { } } "#, r#"{"a":{},"b":[1,2]}"#),
        (r#"{"é":0,"z":0,"Z":0,"9":0,"10":0,"":0}"#, r#"{"":0,"10":0,"9":0,"Z":0,"z":0,"é":0}"#),
        (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
        // Strings.
        (r#""\u0022\u005c\u0008\u000c\u000a\u000d\u0009""#, r#""\"\\\b\f\n\r\t""#),
        (r#""\u0000\u001F\u001f""#, r#""\u0000\u001f\u001f""#),
        (r#""\/\u007f\u2028\u00fc\ud83d\ude00""#, "\"/\u{7f}\u{2028}ü😀\""),
        // Integers.
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551616", "1.8446744073709552e+19"),
        ("-9223372036854775809", "-9.223372036854776e+18"),
        // Doubles.
        ("2.50", "2.5"),
        ("1.0", "1.0"),
        ("1e2", "100.0"),
        ("1e15", "1000000000000000.0"),
        ("1e16", "1e+16"),
        ("0.00001", "0.00001"),
        ("1E-7", "1e-7"),
        ("-0", "-0.0"),
        ("-0.0", "-0.0"),
        ("[-0,0]", "[-0.0,0]"),
        ("5e-324", "5e-324"),
        ("1e-400", "0.0"),
        // 17 digits, which a reader of floats must not hurry over.
        ("0.10000000000000003", "0.10000000000000003"),
        ("2.2250738585072011e-308", "2.225073858507201e-308"),
        ("9007199254740993.0", "9007199254740992.0"),
        ("[true,false,null]", "[true,false,null]"),
    ] {
        let text = canonical(input);
        assert_eq!(String::from_utf8_lossy(text.as_bytes()), output, "{input}");
    }
}

#[test]
fn canonical_forms_have_the_published_hashes() {
    for (input, output, hash) in [
        (r#"{"b":1,"a":2}"#, r#"{"a":2,"b":1}"#, 0x8683_a16a_20e8_c404),
        ("[1,2.50,true,null]", "[1,2.5,true,null]", 0x676b_34b1_2fe0_e7f5),
        ("0.1", "0.1", 0x8c32_a5fa_76d5_c8a2),
    ] {
        let event = canonical(input);
        assert_eq!(event, RawEvent::from_str(output));
        assert_eq!(event.hash(), hash, "{input}");
    }
}

#[test]
fn bytes_that_are_no_json_value_do_not_parse() {
    for text in [r#""\ud800""#, "", "{", "{} {}", "not json"] {
        assert!(Event::from_slice(text.as_bytes()).is_err(), "{text}");
        assert!(text.parse::<Event>().is_err(), "{text}");
        assert!(RawEvent::from_str(text).parse().is_err(), "{text}");
    }
}

#[test]
fn a_number_that_no_double_holds_does_not_parse_or_keeps_its_text() {
    match "1e400".parse::<Event>() {
        Err(_) => assert!(RawEvent::from_bytes_validated("1e400").is_err()),
        // serde_json has its feature `arbitrary_precision`.
        Ok(event) => assert_eq!(event.into_raw().as_bytes().to_ascii_lowercase(), b"1e+400"),
    }
}

#[test]
fn constructors_take_bytes_as_they_are_unless_asked_to_look() {
    for bytes in [&b""[..], b"not json", b"\xff\xfe", b"{\"i\": 1}"] {
        let event = RawEvent::from_bytes(bytes.to_vec());
        assert_eq!(event.as_bytes(), bytes);
        assert_eq!(event.bytes(), bytes);
        assert_eq!((event.len(), event.is_empty()), (bytes.len(), bytes.is_empty()));
    }
    for bytes in [&b""[..], b"not json", b"{} {}", b"\"\xff\"", b"\"\\ud800\""] {
        assert!(
            RawEvent::from_bytes_validated(bytes).is_err(),
            "{}",
            String::from_utf8_lossy(bytes)
        );
    }
    let spaced = RawEvent::from_bytes_validated(r#"{"i": 1}"#).expect("it is JSON");
    assert_eq!(spaced, RawEvent::from_str(r#"{"i": 1}"#), "not rewritten");
    assert_ne!(spaced.hash(), RawEvent::from_str(r#"{"i":1}"#).hash());
}

#[test]
fn a_hash_from_elsewhere_is_trusted() {
    let event = RawEvent::from_bytes_with_hash("{}", 42);
    assert_eq!((event.hash(), event.as_bytes()), (42, &b"{}"[..]));
    assert_ne!(event, RawEvent::from_str("{}"));
}

#[test]
fn an_event_of_a_value_is_the_value_in_canonical_form() {
    let event = Event::from(json!({"b": 1.0, "a": "x"}));
    let raw = event.clone().into_raw();
    assert_eq!(raw.as_bytes(), br#"{"a":"x","b":1.0}"#);
    assert_eq!(raw.parse().ok(), Some(json!({"a": "x", "b": 1.0})));
    assert_eq!(Event::from_slice(br#"{"b":1.0, "a":"x"}"#).ok(), Some(event));
}

#[test]
fn debug_output_shows_no_payload() {
    let event = RawEvent::from_str(r#"{"secret":"hunter2"}"#);
    let debug = format!("{event:?}");
    assert!(!debug.contains("hunter2") && debug.contains("len: 20"), "{debug}");
}
