//! Rules for Rust files: a head, a name, no unfinished marks, and nothing from outside in a decider.

use super::{Tree, layers};
use std::path::{Path, PathBuf};

/// Marks of unfinished work. Split, so that this file does not carry them.
const MARKS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("db", "g!("),
];

/// What a decider never names: its `now`, its dice and its bytes come in as arguments.
const OUTSIDE: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "std::fs",
    "std::net::Tcp",
    "std::thread",
    "tokio::",
    "async fn",
    "rand::",
];

fn generated(path: &Path) -> bool {
    path.iter().any(|part| part == "generated")
}

/// Files whose first line does not say what they are.
pub(super) fn headless_files(tree: &Tree) -> Vec<String> {
    let headless = |path: &&Path| !tree.text(path).starts_with("//!");
    tree.ending(".rs").filter(headless).map(|path| path.display().to_string()).collect()
}

/// Files called `mod.rs`; a folder `foo/` has `foo.rs` beside it.
pub(super) fn mod_files(tree: &Tree) -> Vec<String> {
    tree.ending("/mod.rs").map(|path| path.display().to_string()).collect()
}

/// Lines with a mark of unfinished work.
pub(super) fn unfinished_marks(tree: &Tree) -> Vec<String> {
    tree.ending(".rs").flat_map(|path| lines_with(tree, path, MARKS)).collect()
}

/// Lines of deciders that reach for a clock, chance, a file, a socket or a runtime; their tests may.
pub(super) fn outside_in_deciders(tree: &Tree) -> Vec<String> {
    let decides = |path: &&Path| {
        layers::crate_of(path).is_some_and(|name| layers::decides(&name))
            && !path.ends_with("tests.rs")
            && !path.iter().any(|part| part == "tests")
    };
    tree.ending(".rs").filter(decides).flat_map(|path| lines_with(tree, path, OUTSIDE)).collect()
}

fn lines_with(tree: &Tree, path: &Path, marks: &[&str]) -> Vec<String> {
    let text = tree.text(path);
    let marked = |line: &str| {
        let code = line.split("//!").next().unwrap_or_default();
        marks.iter().any(|mark| code.contains(mark))
    };
    let hits = text.lines().enumerate().filter(|(_, line)| marked(line));
    hits.map(|(number, line)| format!("{}:{}: {}", path.display(), number + 1, line.trim())).collect()
}

/// Written (not generated) files longer than so many lines, longest first.
pub(super) fn longer_than(tree: &Tree, limit: usize) -> Vec<(PathBuf, usize)> {
    let written = tree.ending(".rs").filter(|path| !generated(path));
    let counted = written.map(|path| (path.to_path_buf(), tree.text(path).lines().count()));
    let mut long: Vec<_> = counted.filter(|(_, lines)| *lines > limit).collect();
    long.sort_by_key(|(_, lines)| std::cmp::Reverse(*lines));
    long
}
