//! `kafka-metadata-shell`: looks around in the metadata of a cluster, as a snapshot or a log of it has them.
//! Kafka: `MetadataShell`.
//!
//! Where a terminal is there, lines can be edited, and the tab key completes them.

mod commands;
mod completion;
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
use completion::Completion;
use node::Node;
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{CompletionType, Editor};

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
    let options = crate::arguments::Arguments::parse_or_fail(&SYNTAX, &options)?;
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
    writeln!(out, "[ Kafka Metadata Shell ]")?;
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        let completion = Completion { root: &root, working: shell.working().to_owned() };
        return converse(&mut shell, completion, out);
    }
    obey(&mut shell, out)
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

/// Runs what is typed at a terminal.
fn converse(
    shell: &mut Shell<'_, '_>,
    completion: Completion<'_, '_>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let broken = |error: ReadlineError| Failure::message(error.to_string());
    let config = rustyline::Config::builder().completion_type(CompletionType::List).build();
    let mut editor = Editor::<Completion<'_, '_>, DefaultHistory>::with_config(config).map_err(broken)?;
    editor.set_helper(Some(completion));
    loop {
        out.flush()?;
        let line = match editor.readline(PROMPT) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(broken(error)),
        };
        editor.add_history_entry(line.as_str()).map_err(broken)?;
        let width = editor.dimensions().map_or(DEFAULT_WIDTH, |(columns, _)| usize::from(columns));
        if let After::Exit = act(shell, &line, width, out)? {
            return Ok(());
        }
        if let Some(completion) = editor.helper_mut() {
            completion.working = shell.working().to_owned();
        }
    }
}

/// Runs what comes from a file or a pipe, of whose reader's screen nothing is known.
fn obey(shell: &mut Shell<'_, '_>, out: &mut dyn Write) -> Result<(), Failure> {
    let input = std::io::stdin();
    let mut line = String::new();
    loop {
        write!(out, "{PROMPT}")?;
        out.flush()?;
        line.clear();
        if input.lock().read_line(&mut line)? == 0 {
            return Ok(());
        }
        if let After::Exit = act(shell, &line, 0, out)? {
            return Ok(());
        }
    }
}

fn act(shell: &mut Shell<'_, '_>, line: &str, width: usize, out: &mut dyn Write) -> Result<After, Failure> {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    shell.remember(line.trim_end());
    shell.run(&words, Some(width), out)
}
