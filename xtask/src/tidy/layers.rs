//! Which crate may depend on which: one table, checked against every `Cargo.toml`.
//!
//! Invariant: a crate depends only on rows below its own; within a row marked `stacked`, also on those before it.

use super::Tree;
use std::path::Path;

struct Layer {
    name: &'static str,
    /// Members may build on the members before them.
    stacked: bool,
    crates: &'static [&'static str],
}

const LAYERS: &[Layer] = &[
    Layer {
        name: "words",
        stacked: true,
        crates: &["model", "protocol", "records", "config", "machine", "world", "metadata"],
    },
    Layer { name: "rules", stacked: false, crates: &["security", "quota"] },
    Layer { name: "deciders", stacked: false, crates: &["raft", "controller", "coordinators"] },
    Layer { name: "movers", stacked: true, crates: &["storage", "network", "coordinator", "telemetry"] },
    Layer { name: "ends", stacked: false, crates: &["client", "server"] },
    Layer { name: "products", stacked: false, crates: &["tools"] },
    Layer { name: "binary", stacked: false, crates: &["monedula"] },
    Layer { name: "beside", stacked: false, crates: &["xtask", "bench"] },
];

/// Crates that no decider may depend on.
const RUNTIMES: &[&str] = &["tokio", "tokio-rustls", "socket2", "rustix", "world"];

/// (row, column) of a crate in the table.
fn place(name: &str) -> Option<(usize, usize)> {
    LAYERS.iter().enumerate().find_map(|(row, layer)| {
        layer.crates.iter().position(|member| *member == name).map(|column| (row, column))
    })
}

/// Whether a crate decides: the rules of who may do what and how much decide too, for those above them.
pub(super) fn decides(name: &str) -> bool {
    let rows = LAYERS.iter().filter(|layer| matches!(layer.name, "rules" | "deciders"));
    rows.flat_map(|layer| layer.crates).any(|member| *member == name)
}

fn may_depend(from: &str, on: &str) -> bool {
    let (Some(from), Some(on)) = (place(from), place(on)) else { return false };
    on.0 < from.0 || (on.0 == from.0 && LAYERS[from.0].stacked && on.1 < from.1)
}

/// A line of a dependency table: the section's kind, the name and what follows it.
struct Dependency {
    dev: bool,
    name: String,
    rest: String,
}

/// Reads the dependency tables of a `Cargo.toml` in the form that this workspace writes.
fn dependencies(manifest: &str) -> Vec<Dependency> {
    let mut section = "";
    let mut found = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']');
            continue;
        }
        if !section.ends_with("dependencies") || line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let (name, suffix) = key.trim().split_once('.').unwrap_or((key.trim(), ""));
        found.push(Dependency {
            dev: section.ends_with("dev-dependencies"),
            name: name.trim_matches('"').to_owned(),
            rest: format!("{suffix} = {}", value.trim()),
        });
    }
    found
}

/// (crate, manifest) of every member of the workspace.
fn members(tree: &Tree) -> impl Iterator<Item = (String, String)> + '_ {
    tree.ending("Cargo.toml").filter_map(|path| {
        let mut parts = path.iter().map(|part| part.to_string_lossy());
        let name = match (parts.next()?.as_ref(), parts.next()?, parts.next()) {
            ("crates", name, Some(file)) if file == "Cargo.toml" => name.into_owned(),
            ("xtask", _, None) => "xtask".to_owned(),
            ("bench", _, None) => "bench".to_owned(),
            _ => return None,
        };
        Some((name, tree.text(path)))
    })
}

/// A dependency that the table does not allow; a crate that is not in the table.
pub(super) fn upward_dependencies(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, manifest) in members(tree) {
        if place(&name).is_none() {
            broken.push(format!("{name} is in no layer (xtask/src/tidy/layers.rs)"));
        }
        for dependency in dependencies(&manifest) {
            let ours = place(&dependency.name).is_some();
            if ours && !dependency.dev && !may_depend(&name, &dependency.name) {
                broken.push(format!("{name} depends on {}", dependency.name));
            }
        }
    }
    broken
}

/// A version, path or source named outside the workspace's table.
pub(super) fn versions_of_their_own(tree: &Tree) -> Vec<String> {
    let own = |dependency: &Dependency| !dependency.rest.replace(' ', "").contains("workspace=true");
    members(tree)
        .flat_map(|(name, manifest)| {
            let list = dependencies(&manifest).into_iter().filter(own);
            list.map(move |d| format!("{name}: {} {}", d.name, d.rest)).collect::<Vec<_>>()
        })
        .collect()
}

/// A decider that could reach outside.
pub(super) fn runtimes_in_deciders(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, manifest) in members(tree).filter(|(name, _)| decides(name)) {
        let list = dependencies(&manifest).into_iter();
        let bad = list.filter(|d| !d.dev && RUNTIMES.contains(&d.name.as_str()));
        broken.extend(bad.map(|d| format!("{name} depends on {}", d.name)));
    }
    broken
}

/// The crate that a source file belongs to.
pub(super) fn crate_of(path: &Path) -> Option<String> {
    let mut parts = path.iter();
    (parts.next()? == "crates").then(|| parts.next().map(|name| name.to_string_lossy().into_owned()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_depends_downwards_only() {
        assert!(may_depend("raft", "protocol") && may_depend("server", "storage"));
        assert!(may_depend("protocol", "model") && !may_depend("model", "protocol"));
        assert!(!may_depend("controller", "raft"), "deciders do not know each other");
        assert!(may_depend("controller", "quota") && !may_depend("quota", "security"));
        assert!(decides("raft") && decides("quota") && !decides("storage"));
        assert!(!may_depend("storage", "server") && !may_depend("client", "server"));
    }

    #[test]
    fn dependency_tables_are_read_in_both_forms() {
        let text = "[package]\nname = \"x\"\n[dependencies]\nmodel.workspace = true\n[dev-dependencies]\nproptest = { version = \"1\" }\n";
        let list = dependencies(text);
        assert_eq!(
            (list[0].name.as_str(), list[0].rest.as_str(), list[0].dev),
            ("model", "workspace = true", false)
        );
        assert_eq!((list[1].name.as_str(), list[1].dev), ("proptest", true));
    }
}
