//! `cargo xtask tidy`: the tree's own rules, each a function that returns what breaks it. `cargo test` runs them too.
//!
//! - crates depend downwards only (`layers.rs`, one table);
//! - a Rust file starts with `//!`, is not called `mod.rs`, and carries no unfinished mark;
//! - a decider reaches for no clock, chance, file, socket or runtime;
//! - a link from a page leads somewhere, and so does each term of the glossary;
//! - a dependency's licence asks for no more than its notice.
//!
//! Long files are reported, not refused.

mod layers;
mod licences;
mod pages;
mod sources;

use crate::{root, tally::Tally};
use std::fs;
use std::path::{Path, PathBuf};

/// One rule: what it asks, and what breaks it.
type Rule = (&'static str, fn(&Tree) -> Vec<String>);

const RULES: &[Rule] = &[
    ("crates depend downwards only", layers::upward_dependencies),
    ("versions of dependencies stand in the workspace's table", layers::versions_of_their_own),
    ("deciders depend on no runtime", layers::runtimes_in_deciders),
    ("deciders reach for nothing outside", sources::outside_in_deciders),
    ("every Rust file says what it is", sources::headless_files),
    ("no file is called mod.rs", sources::mod_files),
    ("nothing is marked unfinished", sources::unfinished_marks),
    ("links in pages lead somewhere", pages::dead_links),
    ("files that the glossary names are there", pages::dead_terms),
    ("licences of dependencies are permissive", licences::demanding),
];

/// A file longer than this may hold two stories.
const LONG: usize = 600;

/// The files of the checkout that are the project's own, by path relative to its root.
pub struct Tree {
    root: PathBuf,
    files: Vec<PathBuf>,
}

impl Tree {
    fn read(root: PathBuf) -> Tree {
        let mut files = Vec::new();
        collect(&root, Path::new(""), &mut files);
        files.sort();
        Tree { root, files }
    }

    /// Paths that end so.
    fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = &'a Path> {
        self.files.iter().map(PathBuf::as_path).filter(move |path| path.to_string_lossy().ends_with(end))
    }

    fn text(&self, path: &Path) -> String {
        String::from_utf8_lossy(&fs::read(self.root.join(path)).unwrap_or_default()).into_owned()
    }

    fn has(&self, path: &Path) -> bool {
        self.root.join(path).exists()
    }
}

fn collect(root: &Path, below: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(root.join(below)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let path = below.join(&name);
        let Ok(kind) = entry.file_type() else { continue };
        let name = name.to_string_lossy();
        if kind.is_file() {
            files.push(path);
        } else if kind.is_dir() && !(name == ".git" || name == "target" || name == "node_modules") {
            collect(root, &path, files);
        }
    }
}

/// Prints what breaks each rule, and the long files.
pub fn report() -> Tally {
    let tree = Tree::read(root());
    let mut tally = Tally::default();
    for (name, check) in RULES {
        let broken = check(&tree);
        for line in &broken {
            println!("tidy: {name}: {line}");
        }
        tally += Tally::one(broken.is_empty());
    }
    for (path, lines) in sources::longer_than(&tree, LONG) {
        println!("tidy: {} has {lines} lines: is it one story?", path.display());
    }
    tally
}

#[cfg(test)]
mod tests;
