//! Which licences dependencies may have: those that ask for no more than their notice.
//!
//! Read from `cargo metadata`, for Linux: what other systems would need is not built here.

use super::Tree;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeSet;

const PERMISSIVE: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates under another licence, used unchanged; `docs/dependencies.md` has the reason of each.
const OTHERS: &[(&str, &str)] = &[("imbl", "MPL-2.0+"), ("imbl-sized-chunks", "MPL-2.0+")];

/// A dependency whose licence asks for more, or that has none.
pub(super) fn demanding(tree: &Tree) -> Vec<String> {
    match metadata(tree) {
        Ok(metadata) => demanding_in(&metadata),
        Err(error) => vec![format!("{error:#}")],
    }
}

fn metadata(tree: &Tree) -> Result<Value> {
    let mut command = crate::cargo(&["metadata", "--format-version=1", "--locked", "--quiet"]);
    command.args(["--filter-platform=x86_64-unknown-linux-gnu"]).current_dir(&tree.root);
    let output = command.output().context("running cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).context("reading cargo metadata")
}

fn demanding_in(metadata: &Value) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let nodes = list(&metadata["resolve"]["nodes"]);
    let used: BTreeSet<_> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    let mut broken = Vec::new();
    for package in list(&metadata["packages"]) {
        let (id, name) =
            (package["id"].as_str().unwrap_or_default(), package["name"].as_str().unwrap_or_default());
        let licence = package["license"].as_str().unwrap_or_default();
        let is_ours = package["source"].is_null();
        if used.contains(id) && !is_ours && !OTHERS.contains(&(name, licence)) && !is_permissive(licence) {
            broken.push(format!("{name}: {licence:?}"));
        }
    }
    broken
}

/// Whether an expression such as `(MIT OR GPL-3.0) AND ISC` leaves a choice that is permissive throughout.
fn is_permissive(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any_of(&mut words) && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any_of(words: &mut Words<'_>) -> bool {
    let mut found = all_of(words);
    while words.next_if_eq(&"OR").is_some() {
        found |= all_of(words);
    }
    found
}

fn all_of(words: &mut Words<'_>) -> bool {
    let mut all = term(words);
    while words.next_if_eq(&"AND").is_some() {
        all &= term(words);
    }
    all
}

fn term(words: &mut Words<'_>) -> bool {
    let found = match words.next() {
        Some("(") => any_of(words) && words.next() == Some(")"),
        word => word.is_some_and(|word| PERMISSIVE.contains(&word)),
    };
    // An exception only permits more.
    if words.next_if_eq(&"WITH").is_some() {
        words.next();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_permissive_choice_is_enough_and_each_part_needs_one() {
        for text in [
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(GPL-2.0 OR ISC) AND Zlib",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
        ] {
            assert!(is_permissive(text), "{text}");
        }
        for text in ["", "GPL-3.0", "MIT AND GPL-3.0", "MPL-2.0+", "(MIT OR ISC", "MIT ISC"] {
            assert!(!is_permissive(text), "{text}");
        }
    }

    #[test]
    fn only_what_is_built_in_from_elsewhere_counts() {
        let package = |id: &str, licence: Value, source: Value| json!({"id": id, "name": id, "license": licence, "source": source});
        let metadata = json!({
            "packages": [
                package("ours", Value::Null, Value::Null),
                package("unused", json!("GPL-3.0"), json!("registry")),
                package("none", Value::Null, json!("registry")),
                package("copyleft", json!("GPL-3.0"), json!("registry")),
                package("imbl", json!("MPL-2.0+"), json!("registry")),
            ],
            "resolve": {"nodes": [{"id": "ours"}, {"id": "none"}, {"id": "copyleft"}, {"id": "imbl"}]},
        });
        assert_eq!(demanding_in(&metadata), ["none: \"\"", "copyleft: \"GPL-3.0\""]);
    }
}
