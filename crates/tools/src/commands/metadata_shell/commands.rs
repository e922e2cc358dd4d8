//! The shell's commands. Kafka: `Commands` and the `…CommandHandler`s.

use std::io::Write;

use super::glob::{Found, visit};
use super::node::Node;
use crate::Failure;

/// A command: its name, what it does, its arguments as usage shows them and what they are, and whether it is for the
/// interactive shell alone.
struct Command {
    name: &'static str,
    about: &'static str,
    arguments: Option<(&'static str, &'static str, &'static str)>,
    shell_only: bool,
}

const fn command(
    name: &'static str,
    about: &'static str,
    arguments: Option<(&'static str, &'static str, &'static str)>,
    shell_only: bool,
) -> Command {
    Command { name, about, arguments, shell_only }
}

const COMMANDS: [Command; 10] = [
    command(
        "cat",
        "Show the contents of metadata files.",
        Some(("targets [targets ...]", "targets", "The files to show.")),
        false,
    ),
    command(
        "cd",
        "Set the current working directory.",
        Some(("[target]", "target", "The directory to go to; / if not given.")),
        true,
    ),
    command("exit", "Exit the metadata shell.", None, true),
    command(
        "find",
        "Search for nodes in the directory hierarchy.",
        Some(("[paths [paths ...]]", "paths", "Where to begin.")),
        false,
    ),
    command("help", "Display this help message.", None, true),
    command(
        "history",
        "Print command history.",
        Some(("[numEntriesToShow]", "numEntriesToShow", "How many lines; all if not given.")),
        true,
    ),
    command(
        "ls",
        "List metadata nodes.",
        Some(("[targets [targets ...]]", "targets", "The paths to list.")),
        false,
    ),
    command("man", "Show the help text for a specific command.", Some(("cmd", "cmd", "The command.")), true),
    command("pwd", "Print the current working directory.", None, true),
    command(
        "tree",
        "Show the contents of metadata nodes in a tree structure.",
        Some(("targets [targets ...]", "targets", "The nodes to show.")),
        false,
    ),
];

/// The names of commands that begin so.
pub(super) fn with_prefix(prefix: &str) -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|command| command.name).filter(move |name| name.starts_with(prefix))
}

/// Whether the arguments of a command are paths.
pub(super) fn takes_paths(name: &str) -> bool {
    matches!(name, "cat" | "cd" | "find" | "ls" | "tree")
}

/// What comes after a command.
pub(super) enum After {
    /// The next one.
    Continue,
    /// The end.
    Exit,
}

/// Where the user is.
pub(super) struct Shell<'n, 'a> {
    root: &'n Node<'a>,
    working: String,
    history: Vec<String>,
}

impl<'n, 'a> Shell<'n, 'a> {
    pub(super) fn new(root: &'n Node<'a>) -> Self {
        Self { root, working: "/".to_owned(), history: Vec::new() }
    }

    /// The directory where the user is.
    pub(super) fn working(&self) -> &str {
        &self.working
    }

    /// Keeps a line for `history`.
    pub(super) fn remember(&mut self, line: &str) {
        if !line.trim().is_empty() {
            self.history.push(line.to_owned());
        }
    }

    /// Runs a command. `width`: that of the screen of the interactive shell, 0 where it is not known; `None` outside it.
    pub(super) fn run(
        &mut self,
        words: &[String],
        width: Option<usize>,
        out: &mut dyn Write,
    ) -> Result<After, Failure> {
        let Some((name, arguments)) = words.split_first() else { return Ok(After::Continue) };
        if let Some(refusal) = refusal(name, arguments, width.is_some()) {
            writeln!(out, "{refusal}")?;
            return Ok(After::Continue);
        }
        match name.as_str() {
            "cat" => self.cat(arguments, out)?,
            "cd" => self.cd(arguments.first().map_or("/", String::as_str), out)?,
            "exit" => return Ok(After::Exit),
            "find" => self.find(arguments, out)?,
            "help" => help(out)?,
            "history" => self.show_history(arguments, out)?,
            "ls" => self.ls(arguments, width, out)?,
            "man" => man(&arguments[0], out)?,
            "pwd" => writeln!(out, "{}", self.working)?,
            _ => self.tree(arguments, out)?,
        }
        Ok(After::Continue)
    }

    fn visit(
        &self,
        path: &str,
        show: &mut dyn FnMut(Found<'_, 'a>) -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        visit(self.root, &self.working, path, show)
    }

    fn cat(&self, targets: &[String], out: &mut dyn Write) -> Result<(), Failure> {
        for target in targets {
            let any = self.visit(target, &mut |found| {
                match found.node {
                    Node::Directory(_) => writeln!(out, "cat: {target}: Is a directory")?,
                    file => file.print(0, out)?,
                }
                Ok(())
            })?;
            if !any {
                writeln!(out, "cat: {target}: No such file or directory.")?;
            }
        }
        Ok(())
    }

    fn tree(&self, targets: &[String], out: &mut dyn Write) -> Result<(), Failure> {
        for target in targets {
            if !self.visit(target, &mut |found| found.node.print(0, out).map_err(Failure::from))? {
                writeln!(out, "tree: {target}: No such file or directory.")?;
            }
        }
        Ok(())
    }

    fn cd(&mut self, target: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let mut working = None;
        let any = self.visit(target, &mut |found| {
            match found.node {
                Node::File(_) => writeln!(out, "cd: {target}: not a directory.")?,
                Node::Directory(_) => working = Some(found.absolute()),
            }
            Ok(())
        })?;
        if !any {
            writeln!(out, "cd: {target}: no such directory.")?;
        }
        self.working = working.unwrap_or_else(|| std::mem::take(&mut self.working));
        Ok(())
    }

    fn find(&self, paths: &[String], out: &mut dyn Write) -> Result<(), Failure> {
        for path in or_here(paths) {
            if !self.visit(path, &mut |found| walk(path, found.node, out).map_err(Failure::from))? {
                writeln!(out, "find: {path}: no such file or directory.")?;
            }
        }
        Ok(())
    }

    fn ls(&self, targets: &[String], width: Option<usize>, out: &mut dyn Write) -> Result<(), Failure> {
        let mut files = Vec::new();
        let mut folders: Vec<(String, Vec<String>)> = Vec::new();
        for target in or_here(targets) {
            let any = self.visit(target, &mut |found| {
                let name = found.name().to_owned();
                match found.node.children() {
                    None => files.push(name),
                    Some(children) => folders.push((name, children.into_keys().collect())),
                }
                Ok(())
            })?;
            if !any {
                writeln!(out, "ls: {target}: no such file or directory.")?;
            }
        }
        columns(&files, width, out)?;
        let has_titles = !files.is_empty() || folders.len() > 1;
        let mut is_first = files.is_empty();
        for (name, children) in folders {
            if has_titles && !children.is_empty() {
                let gap = if is_first { "" } else { "\n" };
                writeln!(out, "{gap}{name}:")?;
            }
            is_first = false;
            columns(&children, width, out)?;
        }
        Ok(())
    }

    fn show_history(&self, arguments: &[String], out: &mut dyn Write) -> Result<(), Failure> {
        let count = arguments.first().map_or(usize::MAX, |count| count.parse().unwrap_or(0));
        let skipped = self.history.len().saturating_sub(count);
        for (index, line) in self.history.iter().enumerate().skip(skipped) {
            writeln!(out, "{index:5}  {line}")?;
        }
        Ok(())
    }
}

fn or_here(paths: &[String]) -> Vec<&str> {
    let given: Vec<_> = paths.iter().map(String::as_str).filter(|path| !path.is_empty()).collect();
    if given.is_empty() { vec!["."] } else { given }
}

fn walk(path: &str, node: &Node<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{path}")?;
    for (name, child) in node.children().into_iter().flatten() {
        let slash = if path == "/" { "" } else { "/" };
        walk(&format!("{path}{slash}{name}"), &child, out)?;
    }
    Ok(())
}

/// Why a command cannot be run, in argparse4j's words.
fn refusal(name: &str, arguments: &[String], in_shell: bool) -> Option<String> {
    let known = || COMMANDS.iter().filter(|command| in_shell || !command.shell_only);
    let Some(command) = known().find(|command| command.name == name) else {
        let names: Vec<_> = known().map(|command| format!("'{}'", command.name)).collect();
        return Some(format!("invalid choice: '{name}' (choose from {})", names.join(", ")));
    };
    let most = match command.arguments {
        None => 0,
        Some((usage, ..)) if usage.contains("...") => usize::MAX,
        Some(_) => 1,
    };
    if let Some(word) = arguments.get(most) {
        return Some(format!("unrecognized arguments: '{word}'"));
    }
    let needs_one = command.arguments.is_some_and(|(usage, ..)| !usage.starts_with('['));
    if needs_one && arguments.is_empty() {
        return Some("too few arguments".to_owned());
    }
    let count = arguments.first().filter(|_| name == "history");
    count.filter(|count| count.parse::<i32>().is_err()).map(|count| {
        format!(
            "argument numEntriesToShow: could not convert '{count}' to Integer (For input string: \"{count}\")"
        )
    })
}

fn help(out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "Welcome to the Apache Kafka metadata shell.\n")?;
    let names: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
    let names = names.join(",");
    writeln!(out, "usage:  {{{names}}} ...\n\npositional arguments:\n  {{{names}}}")?;
    for command in &COMMANDS {
        writeln!(out, "    {:<21}{}", command.name, command.about)?;
    }
    Ok(())
}

fn man(name: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return Ok(writeln!(out, "man: unknown command {name}. Type help to get a list of commands.")?);
    };
    writeln!(out, "{name}: {}\n", command.about)?;
    match command.arguments {
        None => Ok(writeln!(out, "usage: {name}")?),
        Some((usage, argument, about)) => {
            writeln!(out, "usage: {name} {usage}\n\npositional arguments:\n  {argument:<23}{about}")?;
            Ok(())
        }
    }
}

/// Writes names in as many columns as the screen has room for, down first. Kafka: `LsCommandHandler.printEntries`.
fn columns(names: &[String], width: Option<usize>, out: &mut dyn Write) -> Result<(), Failure> {
    if names.is_empty() {
        return Ok(());
    }
    let screen = width.unwrap_or(0);
    let fits = |count: &usize| {
        let widths = widths(names, *count);
        widths.last().is_some_and(|last| *last != 0) && widths.iter().sum::<usize>() <= screen
    };
    let count = (2..=screen / 4).rev().find(fits).unwrap_or(1);
    let widths = widths(names, count);
    let lines = names.len().div_ceil(count);
    for line in 0..lines {
        let mut text = String::new();
        for (column, width) in widths.iter().enumerate() {
            let Some(name) = names.get(line + column * lines) else { continue };
            let width = if column + 1 < count { *width } else { 0 };
            text.push_str(&format!("{name:<width$}"));
        }
        writeln!(out, "{text}")?;
    }
    Ok(())
}

/// How wide each of `count` columns is, with two blanks behind its longest name; 0 for one without names.
fn widths(names: &[String], count: usize) -> Vec<usize> {
    let lines = names.len().div_ceil(count);
    let mut widths = vec![0; count];
    for (index, name) in names.iter().enumerate() {
        widths[index / lines] = widths[index / lines].max(name.len() + 2);
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(names: &[&str], width: Option<usize>) -> String {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut out = Vec::new();
        columns(&names, width, &mut out).expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn names_fill_the_screen_column_by_column() {
        let names = ["abc", "def", "ghi", "j", "kl"];
        assert_eq!(listed(&names, None), "abc\ndef\nghi\nj\nkl\n");
        assert_eq!(listed(&names, Some(12)), "abc  j\ndef  kl\nghi  \n");
    }

    #[test]
    fn commands_are_refused_in_argparses_words() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            refusal("pwd", &[], false).expect("refused"),
            "invalid choice: 'pwd' (choose from 'cat', 'find', 'ls', 'tree')"
        );
        assert_eq!(refusal("cat", &[], true).expect("refused"), "too few arguments");
        assert_eq!(refusal("cd", &words("a b"), true).expect("refused"), "unrecognized arguments: 'b'");
        assert!(refusal("ls", &words("a b"), false).is_none());
    }
}
