//! Rules for pages: a relative link leads to a file of the checkout, and so does each path in the glossary.

use super::Tree;
use std::path::{Component, Path, PathBuf};

/// Links in Markdown pages to files that are not there.
pub(super) fn dead_links(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for page in tree.ending(".md") {
        let folder = page.parent().unwrap_or(Path::new(""));
        let text = tree.text(page);
        let dead = links(&text).filter(|link| !tree.has(&resolve(folder, link)));
        broken.extend(dead.map(|link| format!("{} links to {link}", page.display())));
    }
    broken
}

/// Paths in the last column of the glossary, below `crates/`, where nothing is.
pub(super) fn dead_terms(tree: &Tree) -> Vec<String> {
    let text = tree.text(Path::new("docs/GLOSSARY.md"));
    let cells = text.lines().filter_map(|line| line.trim_end().strip_suffix('|')?.rsplit('|').next());
    let paths = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).flat_map(alternatives);
    paths.filter(|path| !tree.has(&Path::new("crates").join(path))).collect()
}

/// Spells out `a/{b,c}.rs`.
fn alternatives(path: &str) -> Vec<String> {
    let parts = path.split_once('{').and_then(|(begin, rest)| Some((begin, rest.split_once('}')?)));
    match parts {
        None => vec![path.to_owned()],
        Some((begin, (names, end))) => names.split(',').map(|name| format!("{begin}{name}{end}")).collect(),
    }
}

/// Targets of `](target)` that are paths, without their anchors.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?.split('#').next()?.trim();
        let elsewhere = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
        (!elsewhere).then_some(target)
    })
}

fn resolve(folder: &Path, link: &str) -> PathBuf {
    let joined = match link.strip_prefix('/') {
        Some(rooted) => PathBuf::from(rooted),
        None => folder.join(link),
    };
    let mut path = PathBuf::new();
    for part in joined.components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_stand_for_several_files() {
        assert_eq!(alternatives("a/{b,c}.rs"), ["a/b.rs", "a/c.rs"]);
        assert_eq!(alternatives("a.rs"), ["a.rs"]);
    }

    #[test]
    fn only_paths_are_links_to_check() {
        let text = "[a](docs/a.md#x) [b](https://example.org) [c](#here) [d](../b.md)";
        assert_eq!(links(text).collect::<Vec<_>>(), ["docs/a.md", "../b.md"]);
        assert_eq!(resolve(Path::new("docs"), "../b.md"), Path::new("b.md"));
    }
}
