//! The facts of each option in the documentation's reference, whose advice and examples a person
//! wrote.

use crate::groups::{GROUPS, Group, is_plain};
use crate::prose;
use shardbus::{Setting, Unit};

/// The page of options.
pub const PATH: &str = "docs/options.md";

/// The page, with the facts between its marks written anew.
pub fn write(page: &str) -> String {
    options()
        .fold(page.to_owned(), |page, (name, facts)| between(&page, &name, &facts).unwrap_or(page))
}

/// The options that the core checks by itself: path and facts.
fn options() -> impl Iterator<Item = (String, String)> {
    GROUPS.iter().flat_map(|group| {
        let plain = group.settings.iter().filter(|setting| is_plain(setting));
        plain.map(|setting| (path(group, setting), facts(setting)))
    })
}

fn path(group: &Group, setting: &Setting) -> String {
    let dot = if group.name.is_empty() { "" } else { "." };
    format!("{}{dot}{}", group.name, setting.name)
}

fn facts(setting: &Setting) -> String {
    let about = prose::sentence(setting.about) + prose::limit(setting);
    let (written, spoken) = prose::default(setting);
    format!("{about}\n\n*Default:* {}. *Value:* {}.", spoken.unwrap_or(written), value(setting))
}

/// The values that an option takes.
fn value(setting: &Setting) -> String {
    match setting.unit {
        Unit::Whole(least, most) => format!("a whole number, {least} to {}", grouped(most)),
        Unit::WholeOrInfinity(least, _) => format!("a whole number from {least}, or `Infinity`"),
        Unit::Bytes(_) => "bytes".to_owned(),
        Unit::Millis | Unit::Micros => "milliseconds".to_owned(),
        Unit::SomeMillis => "milliseconds, more than 0".to_owned(),
        Unit::SomeMillisOrInfinity => "milliseconds, more than 0, or `Infinity`".to_owned(),
        Unit::Share => "a share, 0 to 1".to_owned(),
        Unit::SomeShare => "a share, more than 0 and at most 1".to_owned(),
        _ => "`true` or `false`".to_owned(),
    }
}

/// `65535` is `65,535`.
fn grouped(number: u64) -> String {
    let (thousands, rest) = (number / 1000, number % 1000);
    if thousands == 0 { rest.to_string() } else { format!("{},{rest:03}", grouped(thousands)) }
}

/// Replaces the text between the marks of an option, if the page has them.
fn between(page: &str, name: &str, content: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- facts of {name} -->\n"), "<!-- /facts -->\n");
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n{content}\n\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_has_its_place_in_the_reference() -> std::io::Result<()> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let page = std::fs::read_to_string(root.join(PATH))?;
        for (name, facts) in options() {
            assert!(page.contains(&format!("### `{name}`\n")), "{PATH} has no heading for {name}");
            assert!(between(&page, &name, &facts).is_some(), "{PATH} has no marks for {name}");
        }
        Ok(())
    }
}
