//! The source maps of the package, by which debuggers show its TypeScript.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// The map of a module of the package, given esbuild's of the module at `path` within the folder of
/// modules. It holds the sources, because the package does not; those in `made` are left out, as they
/// are made of other files.
pub fn publish(map: &str, path: &Path, made: &[&str]) -> Result<String> {
    let mut map: Value = serde_json::from_str(map)?;
    let up = "../".repeat(path.components().count());
    let names = map["sources"].as_array_mut().context("a map has sources")?;
    let mut is_made = Vec::new();
    for name in names {
        let source = name.as_str().context("a source has a name")?;
        is_made.push(made.iter().any(|made| source.ends_with(made)));
        // The map is read where the package is, and not where esbuild put it.
        let (_, within) = source.split_once("pkg-js/").context("a source is in pkg-js")?;
        *name = json!(format!("{up}{within}"));
    }
    let contents = map["sourcesContent"].as_array_mut().context("a map has its sources")?;
    for (content, is_made) in contents.iter_mut().zip(is_made) {
        if is_made {
            *content = Value::Null;
        }
    }
    Ok(map.to_string())
}

/// The map of a module that has got one more line at its beginning.
pub fn below_a_line(map: &str) -> Result<String> {
    let mut map: Value = serde_json::from_str(map)?;
    let mappings = map["mappings"].as_str().context("a map has mappings")?;
    map["mappings"] = json!(format!(";{mappings}"));
    Ok(map.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(sources: &[&str]) -> String {
        let contents = vec!["text"; sources.len()];
        json!({ "sources": sources, "sourcesContent": contents, "mappings": "AAAA" }).to_string()
    }

    #[test]
    fn sources_are_found_from_the_place_of_the_module() {
        let map = map(&["../../../../pkg-js/src/sinks/http.ts"]);
        let map = publish(&map, Path::new("sinks/http.js"), &[]).unwrap();
        assert!(map.contains(r#"["../../src/sinks/http.ts"]"#), "{map}");
        assert!(map.contains(r#"["text"]"#), "{map}");
    }

    #[test]
    fn sources_that_are_made_are_left_out() {
        let map = map(&["../../../pkg-js/src/bus-inline.ts", "../../../pkg-js/src/index.ts"]);
        let map = publish(&map, Path::new("index.js"), &["bus-inline.ts"]).unwrap();
        assert!(map.contains(r#"[null,"text"]"#), "{map}");
    }

    #[test]
    fn a_line_more_moves_all_others_down() {
        let map = below_a_line(&map(&[])).unwrap();
        assert!(map.contains(r#""mappings":";AAAA""#), "{map}");
    }
}
