//! Reads and rewrites the sections of a WebAssembly module.

use std::collections::HashMap;
use std::ops::Range;

/// The names of a module's custom sections, or `None` if it is malformed.
pub fn custom_sections(module: &[u8]) -> Option<Vec<String>> {
    let custom = sections(module)?.into_iter().filter(|(id, _)| *id == 0);
    let name = |(_, mut body)| Some(String::from_utf8_lossy(take(&mut body)?).into_owned());
    custom.map(name).collect()
}

/// The module with a section `target_features` that names these, in place of its own: other tools
/// take it for the features of the module's host.
pub fn with_target_features(module: &[u8], features: &[&str]) -> Option<Vec<u8>> {
    const NAME: &str = "target_features";
    let mut written = HEADER.to_vec();
    for (id, body) in sections(module)? {
        let mut rest = body;
        if id != 0 || take(&mut rest)? != NAME.as_bytes() {
            written.push(id);
            written.extend(vector(body));
        }
    }
    let mut body = vector(NAME.as_bytes());
    body.push(u8::try_from(features.len()).ok()?);
    for feature in features {
        body.push(b'+');
        body.extend(vector(feature.as_bytes()));
    }
    written.push(0);
    written.extend(vector(&body));
    Some(written)
}

/// Parts of the names of functions that never return, because each ends in a panic or in giving up
/// for want of memory.
const PANICS: [&str; 12] = [
    "panicking",
    "panic_",
    "rust_panic",
    "unwrap_failed",
    "expect_failed",
    "slice_index_fail",
    "slice_error_fail",
    "handle_error",
    "handle_alloc_error",
    "alloc_error_handler",
    "capacity_overflow",
    "rust_oom",
];

/// Parts of the names of functions that write texts: for panics alone, in a module that gives its host
/// nothing but numbers and bytes.
pub const FORMATTING: [&str; 2] = ["4core3fmt", "4core3str5count"];

/// The module with nothing but a trap in each function that panics, or whose name has one of `more` in
/// it. A panic ends in that trap anyhow, and nobody would see the message that it puts together first.
pub fn with_trapping_panics(module: &[u8], more: &[&str]) -> Option<Vec<u8>> {
    const TRAP: &[u8] = &[0, 0x00, 0x0b];
    let sections = sections(module)?;
    let imports = sections.iter().find(|(id, _)| *id == IMPORTS);
    let imported = imports.map_or(Some(0), |(_, body)| imported_functions(body))?;
    let names = sections.iter().find_map(|(id, body)| (*id == 0).then(|| names(body))?)?;
    let mut written = HEADER.to_vec();
    for (id, mut body) in sections {
        let mut replaced = Vec::new();
        if id == CODE {
            let count = number(&mut body)?;
            replaced.extend(leb128(count));
            for index in 0..count {
                let code = take(&mut body)?;
                let name = names.get(&(imported + index));
                let mut parts = PANICS.iter().chain(more);
                let panics = name.is_some_and(|name| parts.any(|part| name.contains(part)));
                replaced.extend(vector(if panics { TRAP } else { code }));
            }
        }
        written.push(id);
        written.extend(vector(if id == CODE { &replaced } else { body }));
    }
    Some(written)
}

/// The module with zeros, which `wasm-opt` drops, in place of what its panics would say: a
/// [trap](with_trapping_panics) says nothing. `None` if the module is malformed.
pub fn without_panic_texts(module: &[u8]) -> Option<Vec<u8>> {
    let segments = data_segments(module)?;
    let mut written = module.to_vec();
    for segment in &segments {
        blank_positions(&segments, segment, &mut written);
        let mut rest = &mut written[segment.start..segment.start + segment.len];
        while let Some(start) = rest.iter().position(|&byte| is_of_message(byte)) {
            let message = &mut rest[start..];
            let len = message.iter().take_while(|&&byte| is_of_message(byte)).count();
            if len >= MESSAGE_LEN {
                message[..len].fill(0);
            }
            rest = &mut message[len..];
        }
    }
    Some(written)
}

/// Fewest bytes of a message. Everything else that looks like text, such as the beginning of a batch
/// in a store, is shorter: for the host, the module has numbers alone.
const MESSAGE_LEN: usize = 12;

fn is_of_message(byte: u8) -> bool {
    byte == b' ' || byte.is_ascii_graphic()
}

/// Puts zeros in place of the source positions in a segment.
fn blank_positions(segments: &[DataSegment], segment: &DataSegment, module: &mut [u8]) {
    let misaligned = segment.address.next_multiple_of(4) - segment.address;
    let start = segment.start + misaligned;
    for position in (start..segment.start + segment.len).step_by(4) {
        let in_module = |(address, len)| range_in(segments, address, len);
        let file = file_of_position(module, position).and_then(in_module);
        if file.is_some_and(|file| is_source_file(&module[file])) {
            module[position..position + POSITION_LEN].fill(0);
        }
    }
}

/// Bytes of a `core::panic::Location`: the address of the file's name, its length, line and column.
const POSITION_LEN: usize = 16;

/// The address and the length of the file's name, if these bytes may be a `core::panic::Location`.
fn file_of_position(module: &[u8], at: usize) -> Option<(usize, usize)> {
    let words = module.get(at..at + POSITION_LEN)?.as_chunks().0;
    let [address, len, line, column] = [0, 1, 2, 3].map(|nth| u32::from_le_bytes(words[nth]));
    let is_plausible = line > 0 && column > 0 && column < 1000;
    is_plausible.then_some((address as usize, len as usize))
}

fn is_source_file(name: &[u8]) -> bool {
    let is_of_path = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./".contains(byte);
    name.ends_with(b".rs") && name.iter().all(is_of_path)
}

/// Data that the module puts into memory.
struct DataSegment {
    /// The first byte's address in memory.
    address: usize,
    /// The first byte's place in the module.
    start: usize,
    len: usize,
}

fn data_segments(module: &[u8]) -> Option<Vec<DataSegment>> {
    const I32_CONST: u8 = 0x41;
    const END: u8 = 0x0b;
    let data = sections(module)?.into_iter().find(|(id, _)| *id == DATA);
    let Some((_, mut rest)) = data else { return Some(Vec::new()) };
    let count = number(&mut rest)?;
    let segment = |_| {
        // Active, in the first memory, at a constant address.
        rest = rest.strip_prefix(&[0, I32_CONST])?;
        let address = number(&mut rest)?;
        rest = rest.strip_prefix(&[END])?;
        let bytes = take(&mut rest)?;
        let start = bytes.as_ptr().addr() - module.as_ptr().addr();
        Some(DataSegment { address, start, len: bytes.len() })
    };
    (0..count).map(segment).collect()
}

/// The place in the module of so many bytes at an address.
fn range_in(segments: &[DataSegment], address: usize, len: usize) -> Option<Range<usize>> {
    segments.iter().find_map(|segment| {
        let skipped = address.checked_sub(segment.address)?;
        let start = segment.start + skipped;
        (skipped.checked_add(len)? <= segment.len).then_some(start..start + len)
    })
}

const HEADER: &[u8] = b"\0asm\x01\0\0\0";
const IMPORTS: u8 = 2;
const CODE: u8 = 10;
const DATA: u8 = 11;

fn sections(module: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut rest = module.strip_prefix(HEADER)?;
    let mut sections = Vec::new();
    while let Some((&id, after)) = rest.split_first() {
        rest = after;
        sections.push((id, take(&mut rest)?));
    }
    Some(sections)
}

/// The number of functions in a section of imports. `None` if it imports anything else, which cargo
/// writes after the functions.
fn imported_functions(mut imports: &[u8]) -> Option<usize> {
    let count = number(&mut imports)?;
    for _ in 0..count {
        take(&mut imports)?;
        take(&mut imports)?;
        let (kind, rest) = imports.split_first()?;
        imports = rest;
        if *kind != 0 {
            return None;
        }
        number(&mut imports)?;
    }
    Some(count)
}

/// The functions' names, by index, if this is the section that has them.
fn names(mut section: &[u8]) -> Option<HashMap<usize, String>> {
    const FUNCTIONS: u8 = 1;
    if take(&mut section)? != b"name" {
        return None;
    }
    while let Some((&kind, rest)) = section.split_first() {
        section = rest;
        let mut body = take(&mut section)?;
        if kind == FUNCTIONS {
            let count = number(&mut body)?;
            let mut name = || {
                let index = number(&mut body)?;
                Some((index, String::from_utf8_lossy(take(&mut body)?).into_owned()))
            };
            return (0..count).map(|_| name()).collect();
        }
    }
    None
}

/// Its length in LEB128, then itself.
fn vector(bytes: &[u8]) -> Vec<u8> {
    let mut written = leb128(bytes.len());
    written.extend(bytes);
    written
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut written = Vec::new();
    while number >= 0x80 {
        written.push(number as u8 | 0x80);
        number >>= 7;
    }
    written.push(number as u8);
    written
}

/// Takes a vector of bytes off the front: its length in LEB128, then itself.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(bytes)?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// Takes a number in LEB128 off the front.
fn number(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in (0..32).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_custom_sections_only() {
        let module = b"\0asm\x01\0\0\0\x01\x01\0\0\x06\x04nameX\0\x81\x00\0";
        assert_eq!(custom_sections(module), Some(vec!["name".to_owned(), String::new()]));
    }

    #[test]
    fn replaces_target_features() {
        let module = b"\0asm\x01\0\0\0\x01\x01\0\0\x13\x0ftarget_features\x01+\0\0\x02\x01a";
        let replaced =
            b"\0asm\x01\0\0\0\x01\x01\0\0\x02\x01a\0\x17\x0ftarget_features\x02+\x01b+\x01c";
        assert_eq!(with_target_features(module, &["b", "c"]).as_deref(), Some(&replaced[..]));
        assert_eq!(with_target_features(&module[..20], &[]), None);
    }

    #[test]
    fn panicking_functions_trap() {
        let imports = b"\x02\x07\x01\x01a\x01b\x00\x00";
        let code = b"\x0a\x09\x02\x03\x00\x01\x0b\x03\x00\x01\x0b";
        let names = b"\x00\x1b\x04name\x01\x14\x02\x01\x08do_panic\x02\x07panic_x";
        let module = [HEADER, imports, code, names].concat();
        let trapping = b"\x0a\x09\x02\x03\x00\x01\x0b\x03\x00\x00\x0b";
        let expected = [HEADER, imports, trapping, names].concat();
        assert_eq!(with_trapping_panics(&module, &[]), Some(expected));
        assert_eq!(with_trapping_panics(&[HEADER, code].concat(), &[]), None, "no names");
    }

    #[test]
    fn positions_and_messages_of_panics_are_blank() {
        let words = |words: [u32; 4]| words.map(u32::to_le_bytes).concat();
        let module = |texts: &[u8], positions: &[u8]| {
            let data = [vector(texts), b"\0\x41\xe4\0\x0b".to_vec(), vector(positions)].concat();
            let data = [b"\x02\0\x41\x04\x0b".to_vec(), data].concat();
            [HEADER.to_vec(), vec![DATA], vector(&data)].concat()
        };
        let no_file = words([12, 4, 3, 7]);
        let positions = [words([4, 8, 3, 7]), no_file.clone()].concat();
        let blank = [vec![0; POSITION_LEN], no_file].concat();
        let before = module(b"src/a.rs\x01text\0a long message\0shardbus", &positions);
        let after =
            module(&[b"src/a.rs\x01text\0".as_slice(), &[0; 14], b"\0shardbus"].concat(), &blank);
        assert_eq!(without_panic_texts(&before), Some(after));
    }

    #[test]
    fn vectors_begin_with_their_length() {
        let long = vector(&[7; 300]);
        assert_eq!(long[..2], [0xac, 2]);
        assert_eq!(take(&mut &long[..]), Some(&[7; 300][..]));
    }

    #[test]
    fn rejects_truncated_modules() {
        assert_eq!(custom_sections(b"\0asm\x01\0\0\0\0\x06\x04na"), None);
        assert_eq!(custom_sections(b"\0asm"), None);
    }
}
