//! The WebAssembly as text for bundles, made for what compresses them in transit.
//!
//! Each of the most frequent bytes is one printable character, and each other byte is two: base64
//! hides from gzip what repeats, and other characters than these are escaped by bundlers, or depend
//! on a page's encoding. `pkg-js/src/unpack-module.ts` reads it.

use std::fmt::Write as _;

/// The characters before another one that say that it stands for a less frequent byte.
const PREFIXES: [char; 2] = ['}', '~'];

/// A packed module.
pub struct Packed {
    pub text: String,
    /// A bit for each value of a byte, as 64 hexadecimal digits: whether one character stands for it.
    pub frequent: String,
}

/// The characters for bytes: those that nothing escapes, in a script or in a page.
fn characters() -> Vec<char> {
    (' '..PREFIXES[0]).filter(|character| !['"', '<', '\\'].contains(character)).collect()
}

pub fn pack(module: &[u8]) -> Packed {
    let mut counts = [0_usize; 256];
    for &byte in module {
        counts[usize::from(byte)] += 1;
    }
    let characters = characters();
    let mut by_count: Vec<u8> = (0..=u8::MAX).collect();
    by_count.sort_by_key(|&byte| std::cmp::Reverse(counts[usize::from(byte)]));
    let (frequent, others) = by_count.split_at_mut(characters.len());
    frequent.sort_unstable();
    others.sort_unstable();

    let mut codes = vec![String::new(); 256];
    for (&byte, character) in frequent.iter().zip(&characters) {
        codes[usize::from(byte)] = character.to_string();
    }
    let prefixed = PREFIXES
        .iter()
        .flat_map(|prefix| characters.iter().map(move |character| format!("{prefix}{character}")));
    for (&byte, code) in others.iter().zip(prefixed) {
        codes[usize::from(byte)] = code;
    }
    Packed {
        text: module.iter().map(|&byte| codes[usize::from(byte)].as_str()).collect(),
        frequent: bits(frequent),
    }
}

fn bits(bytes: &[u8]) -> String {
    let mut digits = [0_u8; 64];
    for byte in bytes {
        digits[usize::from(byte / 4)] |= 1 << (byte % 4);
    }
    digits.iter().fold(String::new(), |mut text, digit| {
        let _ = write!(text, "{digit:x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_bytes_are_one_character_and_others_two() {
        let module: Vec<u8> = (0..=u8::MAX).chain(166..=u8::MAX).collect();
        let Packed { text, frequent } = pack(&module);
        assert_eq!(text.len(), 90 + 166 * 2 + 90);
        assert_eq!(frequent, ["0".repeat(41).as_str(), "c", &"f".repeat(22)].concat());
    }

    #[test]
    fn no_character_needs_an_escape() {
        let module: Vec<u8> = (0..=u8::MAX).collect();
        let escaped = ['"', '<', '\\'];
        let is_plain = |character| matches!(character, ' '..='~') && !escaped.contains(&character);
        assert!(pack(&module).text.chars().all(is_plain));
    }
}
