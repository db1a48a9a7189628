//! The documentation of the core's declarations, for the programs that write it in other languages.
//! Each gives the names of its language by a function from names between backticks.

use std::borrow::Cow;

use textwrap::{Options, WordSplitter};

/// Lines of documentation as one paragraph, in the language's names and without links.
pub fn sentence(lines: &[&str], name: impl Fn(&str) -> String) -> String {
    let text = lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    renamed(&without_links(&text), name)
}

/// `[text](link)` becomes `text`.
fn without_links(text: &str) -> String {
    let split = || {
        let (before, rest) = text.split_once('[')?;
        let (label, rest) = rest.split_once("](")?;
        let (_, after) = rest.split_once(')')?;
        Some(format!("{before}{label}{}", without_links(after)))
    };
    split().unwrap_or_else(|| text.to_owned())
}

/// The text with each name between backticks in the language's form.
pub fn renamed(text: &str, name: impl Fn(&str) -> String) -> String {
    let parts = text.split('`').enumerate();
    let parts = parts.map(|(at, part)| if at % 2 == 1 { name(part) } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("`")
}

/// A number of bytes, as one would say it.
pub fn bytes(number: f64) -> String {
    let (kib, mib) = (f64::from(1 << 10), f64::from(1 << 20));
    match number {
        _ if number % mib == 0.0 => format!("{} MiB", number / mib),
        _ if number % kib == 0.0 => format!("{} KiB", number / kib),
        _ => number.to_string(),
    }
}

/// Lines of a text, each as long as it may be. No word is split.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let options = Options::new(width).word_splitter(WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(text, options.break_words(false));
    lines.into_iter().map(Cow::into_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_language_and_links_are_gone() {
        let lines =
            [" Events [left](crate::X::y) by [`scale_up`](Self::scale_up),", " as `max_delay`."];
        let written = sentence(&lines, str::to_uppercase);
        assert_eq!(written, "Events left by `SCALE_UP`, as `MAX_DELAY`.");
    }

    #[test]
    fn lines_are_as_long_as_they_may_be_and_split_no_word() {
        assert_eq!(
            wrapped("one two `drop-oldest` a-very-long-word", 10).join("|"),
            "one two|`drop-oldest`|a-very-long-word"
        );
    }

    #[test]
    fn bytes_are_said_in_the_largest_whole_unit() {
        assert_eq!([1.0, 2048.0, 8388608.0].map(bytes), ["1", "2 KiB", "8 MiB"]);
    }
}
