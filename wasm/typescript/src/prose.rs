//! Documentation of Rust's, in the words of JavaScript.

use crate::groups::GROUPS;
use shardbus::{Setting, Unit};
use shardbus_prose::{bytes, renamed, wrapped};

/// Lines of documentation as one paragraph, in JavaScript's names and without links.
pub fn sentence(lines: &[&str]) -> String {
    shardbus_prose::sentence(lines, path)
}

/// A name between backticks becomes that of JavaScript.
pub fn in_names_of_javascript(text: &str) -> String {
    renamed(text, path)
}

/// The path of an option: `batch.max_delay` is `batch.maxDelayMs`.
pub fn path(field: &str) -> String {
    let names = field.split('.').map(|field| {
        let settings = GROUPS.iter().flat_map(|group| group.settings);
        let option = settings.into_iter().find(|setting| setting.field == field);
        option.map_or_else(|| camel_case(field), |option| option.name.to_owned())
    });
    names.collect::<Vec<_>>().join(".")
}

/// `in_flight` is `inFlight`.
pub fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    let rest = words.filter_map(|word| {
        let (initial, rest) = word.split_at_checked(1)?;
        Some(initial.to_uppercase() + rest)
    });
    first + &rest.collect::<String>()
}

/// `maxBytes` is `MAX_BYTES`.
pub fn upper_case(name: &str) -> String {
    let letter = |letter: char| {
        let underscore = letter.is_uppercase().then_some('_');
        underscore.into_iter().chain(letter.to_uppercase())
    };
    name.chars().flat_map(letter).collect()
}

/// The effect of an option, and its unit.
pub fn about(setting: &Setting) -> String {
    let unit = match setting.unit {
        Unit::Millis | Unit::Micros | Unit::SomeMillis | Unit::SomeMillisOrInfinity => {
            " In milliseconds."
        }
        _ => "",
    };
    sentence(setting.about) + unit + limit(setting)
}

/// The number for no limit, if there may be none.
pub fn limit(setting: &Setting) -> &'static str {
    match setting.unit {
        Unit::SomeMillisOrInfinity | Unit::WholeOrInfinity(..) => " `Infinity` for no limit.",
        _ => "",
    }
}

/// The default, as one would write it, and then as one would say it.
pub fn default(setting: &Setting) -> (String, Option<String>) {
    let number = (setting.number)();
    let spoken = setting.default.map(in_names_of_javascript);
    let written = match setting.unit {
        Unit::Flag => (number == 1.0).to_string(),
        Unit::Micros => (number / 1000.0).to_string(),
        _ if number.is_infinite() => "Infinity".to_owned(),
        _ => number.to_string(),
    };
    let bytes = matches!(setting.unit, Unit::Bytes(_)).then(|| bytes(number));
    (written, spoken.or(bytes))
}

/// A comment of documentation with these paragraphs, each broken into lines of at most 100
/// characters.
pub fn comment(indent: &str, paragraphs: &[String]) -> String {
    let width = 100 - indent.len() - " * ".len();
    let lines: Vec<_> = paragraphs.iter().flat_map(|text| wrapped(text, width)).collect();
    match &lines[..] {
        [line] if line.len() + "/**  */".len() + indent.len() <= 100 => {
            format!("{indent}/** {line} */\n")
        }
        lines => {
            let body: String = lines.iter().map(|line| format!("{indent} * {line}\n")).collect();
            format!("{indent}/**\n{body}{indent} */\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_javascript_and_links_are_gone() {
        let lines =
            [" Events [left](crate::X::y) by [`scale_up`](Self::scale_up),", " as `max_delay`."];
        assert_eq!(sentence(&lines), "Events left by `scaleUp`, as `maxDelayMs`.");
        assert_eq!(path("batch.max_size"), "batch.maxSize");
    }

    #[test]
    fn a_comment_is_one_line_or_several() {
        assert_eq!(comment("  ", &["One line.".to_owned()]), "  /** One line. */\n");
        let long = comment("", &["word ".repeat(30), "@default 1".to_owned()]);
        assert!(
            long.lines().all(|line| line.len() <= 100) && long.ends_with(" * @default 1\n */\n")
        );
    }
}
