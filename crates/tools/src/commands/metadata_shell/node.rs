//! A tree of directories and files, made as it is looked at. Kafka: `MetadataNode`, `ShellNodePrinter`.

use std::collections::BTreeMap;
use std::io::Write;

use metadata::MetadataImage;

use super::image;
use crate::KAFKA_VERSION;

/// The commit that Kafka's release was built from.
const COMMIT_ID: &str = "26b251a451ce941d";

/// The children of a directory, by name.
pub(super) type Children<'a> = BTreeMap<String, Node<'a>>;

/// A file, or a directory.
pub(super) enum Node<'a> {
    /// A file with its text.
    File(String),
    /// A directory.
    Directory(Box<dyn Fn() -> Children<'a> + 'a>),
}

impl<'a> Node<'a> {
    pub(super) fn file(text: impl ToString) -> Self {
        Self::File(text.to_string())
    }

    pub(super) fn directory(children: impl Fn() -> Children<'a> + 'a) -> Self {
        Self::Directory(Box::new(children))
    }

    /// The root of the shell.
    pub(super) fn root(image: &'a MetadataImage) -> Self {
        Self::directory(move || {
            Children::from([
                ("image".to_owned(), Node::directory(move || image::children(image))),
                ("local".to_owned(), Node::directory(local)),
            ])
        })
    }

    /// The children of a directory; `None` of a file.
    pub(super) fn children(&self) -> Option<Children<'a>> {
        match self {
            Self::File(_) => None,
            Self::Directory(children) => Some(children()),
        }
    }

    /// Writes a file's text, or all that is in a directory, two blanks further in at each level.
    pub(super) fn print(&self, level: usize, out: &mut dyn Write) -> std::io::Result<()> {
        let indent = "  ".repeat(level);
        match self {
            Self::File(text) => writeln!(out, "{indent}{text}"),
            Self::Directory(children) => children().iter().try_for_each(|(name, child)| {
                writeln!(out, "{indent}{name}:")?;
                child.print(level + 1, out)
            }),
        }
    }
}

fn local<'a>() -> Children<'a> {
    Children::from([
        ("commitId".to_owned(), Node::file(COMMIT_ID)),
        ("version".to_owned(), Node::file(KAFKA_VERSION)),
    ])
}
