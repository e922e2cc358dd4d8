//! What the tab key makes of a line that was begun: names of commands, and paths. Kafka: `CommandUtils.completeCommand`,
//! `CommandUtils.completePath`.

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::commands::{takes_paths, with_prefix};
use super::glob::visit;
use super::node::Node;

/// Completes lines, for who stands in the directory `working`.
pub(super) struct Completion<'n, 'a> {
    pub(super) root: &'n Node<'a>,
    pub(super) working: String,
}

impl Completion<'_, '_> {
    /// Where the word that is completed begins in `begun`, the line up to the cursor, and what it may become.
    fn candidates(&self, begun: &str) -> (usize, Vec<String>) {
        let start = begun.rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
        let (before, word) = begun.split_at(start);
        let words: Vec<_> = before.split_whitespace().collect();
        let found = match words[..] {
            [] | ["man"] => with_prefix(word).map(|name| format!("{name} ")).collect(),
            [command, ..] if takes_paths(command) => self.paths(word, command == "cd"),
            _ => Vec::new(),
        };
        (start, found)
    }

    fn paths(&self, word: &str, only_directories: bool) -> Vec<String> {
        let (folder, prefix) = word.split_at(word.rfind('/').map_or(0, |slash| slash + 1));
        let mut found = Vec::new();
        let looked =
            visit(self.root, &self.working, if folder.is_empty() { "." } else { folder }, &mut |at| {
                let children = at.node.children().unwrap_or_default();
                for (name, child) in children.into_iter().filter(|(name, _)| name.starts_with(prefix)) {
                    match child {
                        Node::Directory(_) => found.push(format!("{folder}{name}/")),
                        Node::File(_) if only_directories => {}
                        Node::File(_) => found.push(format!("{folder}{name} ")),
                    }
                }
                Ok::<(), std::convert::Infallible>(())
            });
        debug_assert!(looked.is_ok(), "nothing that is done there can fail");
        found
    }
}

impl Completer for Completion<'_, '_> {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        cursor: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.candidates(line.get(..cursor).unwrap_or(line)))
    }
}

impl Hinter for Completion<'_, '_> {
    type Hint = String;
}

impl Highlighter for Completion<'_, '_> {}
impl Validator for Completion<'_, '_> {}
impl Helper for Completion<'_, '_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::metadata_shell::node::Children;

    #[test]
    fn commands_and_paths_are_completed() {
        let root = Node::directory(|| {
            let folder = || Node::directory(|| Children::from([("leader".to_owned(), Node::file("1"))]));
            Children::from([
                ("image".to_owned(), folder()),
                ("images.txt".to_owned(), Node::file("x")),
                ("local".to_owned(), folder()),
            ])
        });
        let completion = Completion { root: &root, working: "/".to_owned() };
        for (begun, start, expected) in [
            ("h", 0, &["help ", "history "][..]),
            ("man c", 4, &["cat ", "cd "]),
            ("cat im", 4, &["image/", "images.txt "]),
            ("cd im", 3, &["image/"]),
            ("ls local image/l", 9, &["image/leader "]),
            ("ls /local/", 3, &["/local/leader "]),
            ("ls none/", 3, &[]),
            ("pwd im", 4, &[]),
        ] {
            let expected = expected.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(completion.candidates(begun), (start, expected), "{begun}");
        }
    }
}
