//! The tables of options in the package's README.

use crate::groups::{GROUPS, Group, is_plain};
use crate::prose;
use shardbus::Setting;

/// Its path.
pub const PATH: &str = "pkg-js/README.md";

/// The README, with the rows between its marks written anew.
pub fn write(readme: &str) -> String {
    let (scaling, others): (Vec<_>, Vec<_>) =
        GROUPS.iter().partition(|group| group.name == "scaling");
    let readme = between(readme, "options", &table(&others));
    between(&readme, "scaling", &table(&scaling))
}

/// Replaces the text between two marks; without them, nothing.
fn between(text: &str, name: &str, content: &str) -> String {
    let (begin, end) = (format!("<!-- {name} of the core -->\n"), format!("<!-- /{name} -->\n"));
    let split = || {
        let (before, rest) = text.split_once(&begin)?;
        let (_, after) = rest.split_once(&end)?;
        Some(format!("{before}{begin}\n{content}\n{end}{after}"))
    };
    split().unwrap_or_else(|| text.to_owned())
}

fn table(groups: &[&Group]) -> String {
    let rows = groups.iter().flat_map(|group| {
        let plain = group.settings.iter().filter(|setting| is_plain(setting));
        plain.map(|setting| row(group, setting))
    });
    format!("| option | default | |\n| --- | --- | --- |\n{}", rows.collect::<String>())
}

fn row(group: &Group, setting: &Setting) -> String {
    let dot = if group.name.is_empty() { "" } else { "." };
    let (written, spoken) = prose::default(setting);
    let about = prose::sentence(setting.about) + prose::limit(setting);
    let (initial, rest) = about.split_at(1);
    let about = initial.to_lowercase() + rest.trim_end_matches('.');
    format!("| `{}{dot}{}` | {} | {about} |\n", group.name, setting.name, spoken.unwrap_or(written))
}
