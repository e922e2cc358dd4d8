//! The project's automation: `cargo xtask codegen|tidy|test|compat|bench|node|kafka`.
//!
//! Each command is one module with one `run(arguments)`; an error, or a failed check, ends the process with code 1.

mod bench;
mod codegen;
mod compat;
mod node;
mod reference;
mod tally;
mod test;
mod tidy;

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use tally::Tally;

const HELP: &str = "cargo xtask COMMAND
  test                      everything that must pass: format, lints, tests, tidy, and compat where the tools are there
  codegen [--check]         writes the protocol crate's generated code from its schema files
  tidy                      the tree's own rules: layers, file heads, marks, links, licences
  compat [--all] [SUITE…]   other people's clients and suites against a node (--list, --against kafka)
  bench                     this node and Apache Kafka side by side; what hot paths take in instructions (bench --help)
  node start|stop           one node of either product, by hand (node --help)
  kafka TOOL|run CLASS …    a tool of the real Apache Kafka, from its published jars";

/// The root of the checkout.
pub fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies in the root of the checkout").to_path_buf()
}

/// A command of cargo's, in the root of the checkout.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Builds a program of the workspace for speed.
pub fn build(package: &str) -> Result<()> {
    let built = cargo(&["build", "--release", "-p", package]).status().context("cargo does not run")?;
    if !built.success() {
        bail!("{package} cannot be built");
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(tally) if tally.failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the command named first; those that check things print what they counted as the last line.
fn run(arguments: &[String]) -> Result<Tally> {
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    match command {
        "codegen" => done(codegen::run(rest)?),
        "tidy" => counted(tidy::report()),
        "test" => counted(test::run()?),
        "compat" => counted(compat::run(rest)?),
        "bench" => done(bench::run(rest)?),
        "node" => done(node::run(rest)?),
        "kafka" => done(reference::run(rest)?),
        "help" | "-h" | "--help" => {
            println!("{HELP}");
            done(())
        }
        other => bail!("no command named {other}\n{HELP}"),
    }
}

fn counted(tally: Tally) -> Result<Tally> {
    println!("{tally}");
    Ok(tally)
}

fn done(_: ()) -> Result<Tally> {
    Ok(Tally::default())
}
