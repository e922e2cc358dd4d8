//! `kafka-metadata-shell`: looks around in the metadata of a cluster, as a snapshot or a log of it has them.
//! Kafka: `MetadataShell`.
//!
//! Not yet: in the interactive shell, editing of lines and completion with the tab key.

mod commands;
mod glob;
mod image;
mod load;
mod node;

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use crate::Failure;
use crate::arguments::Arity::One;
use crate::arguments::{Syntax, arg};

use commands::{After, Shell};
use node::Node;

const SYNTAX: Syntax = Syntax {
    program: "kafka-metadata-shell",
    intro: "Looks around in the metadata of a cluster: a tree of directories and files. With a command it runs that \
            (ls, cat, find, tree); without, it asks for commands: help tells which.",
    args: &[arg(
        "--snapshot",
        "-s",
        One,
        "The snapshot, or the log segment, of __cluster_metadata; or the whole directory of it.",
    )
    .required()],
    commands: &[],
};

const PROMPT: &str = ">> ";
const DEFAULT_WIDTH: usize = 80;

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let (options, command) = split(args);
    let options = crate::arguments::Arguments::parse(&SYNTAX, &options)?;
    let path = Path::new(options.value("--snapshot").unwrap_or_default());
    let _lock = load::lock(path)?;
    if command.is_empty() {
        writeln!(out, "Loading...")?;
    }
    let image = load::image(path).map_err(|failure| match failure {
        Failure::Message(text, code) => Failure::Message(format!("Unexpected error: {text}"), code),
        other => other,
    })?;
    let root = Node::root(&image);
    let mut shell = Shell::new(&root);
    if !command.is_empty() {
        return shell.run(&command, None, out).map(drop);
    }
    writeln!(out, "Starting...")?;
    interact(&mut shell, out)
}

/// The tool's own arguments, and the command: what stands from the first word on that is no option.
fn split(args: &[String]) -> (Vec<String>, Vec<String>) {
    let mut own = Vec::new();
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-s" | "--snapshot" => {
                own.push(word.clone());
                own.extend(words.next().cloned());
            }
            option if option.starts_with('-') => own.push(word.clone()),
            _ => {
                let command = std::iter::once(word).chain(words).cloned().collect();
                return (own, command);
            }
        }
    }
    (own, Vec::new())
}

fn interact(shell: &mut Shell<'_, '_>, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "[ Kafka Metadata Shell ]")?;
    let input = std::io::stdin();
    let width = input.is_terminal().then(|| {
        std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(DEFAULT_WIDTH)
    });
    let mut line = String::new();
    loop {
        write!(out, "{PROMPT}")?;
        out.flush()?;
        line.clear();
        if input.lock().read_line(&mut line)? == 0 {
            return Ok(());
        }
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        shell.remember(line.trim_end());
        if let After::Exit = shell.run(&words, Some(width.unwrap_or(0)), out)? {
            return Ok(());
        }
    }
}
