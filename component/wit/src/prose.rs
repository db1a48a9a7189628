//! Documentation of Rust's, in the words of WIT.

/// Lines of documentation as one paragraph, in WIT's names and without links.
pub fn sentence(lines: &[&str]) -> String {
    shardbus_prose::sentence(lines, kebab)
}

/// A name between backticks becomes that of WIT.
pub fn in_names_of_wit(text: &str) -> String {
    shardbus_prose::renamed(text, kebab)
}

/// `in_flight`, `inFlight` and `InFlight` are `in-flight`.
pub fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for letter in name.chars() {
        match letter {
            '_' => kebab.push('-'),
            _ if letter.is_ascii_uppercase() => {
                if !kebab.is_empty() {
                    kebab.push('-');
                }
                kebab.push(letter.to_ascii_lowercase());
            }
            _ => kebab.push(letter),
        }
    }
    kebab
}

/// A comment of documentation, broken into lines of at most 100 characters.
pub fn comment(indent: &str, text: &str) -> String {
    let width = 100 - indent.len() - "/// ".len();
    let lines = shardbus_prose::wrapped(text, width);
    lines.iter().map(|line| format!("{indent}/// {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_wit_and_links_are_gone() {
        let lines =
            [" Events [left](crate::X::y) by [`scale_up`](Self::scale_up),", " as `max_delay`."];
        assert_eq!(sentence(&lines), "Events left by `scale-up`, as `max-delay`.");
        assert_eq!(kebab("keyTooLong"), "key-too-long");
    }

    #[test]
    fn no_line_is_longer_than_100_characters() {
        let comment = comment("    ", &"word ".repeat(60));
        assert!(comment.lines().count() > 1 && comment.lines().all(|line| line.len() <= 100));
    }
}
