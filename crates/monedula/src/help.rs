//! `monedula help`: what there is to type.

use std::io::{self, Write};

/// Prints the commands, to a reader that may go away before the end; returns the exit code.
pub fn print() -> i32 {
    let _ = write_to(&mut io::stdout().lock());
    0
}

fn write_to(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "Monedula is Apache Kafka's whole platform in one program.\n\n\
         Usage: monedula COMMAND [ARGUMENT]...\n\n\
         A command also answers to its name in Kafka, as `kafka-topics` or `kafka-topics.sh`: `monedula install-links \
         DIR` makes\nlinks with these names.\n\nCommands:"
    )?;
    writeln!(out, "  {:<22} Run a node: broker and controller in one", "server")?;
    for tool in tools::COMMANDS {
        writeln!(out, "  {:<22} {}", tool.name, tool.about)?;
    }
    writeln!(out, "  {:<22} Make links to this program with the names of Kafka's scripts", "install-links")?;
    writeln!(out, "  {:<22} Print the version", "version")?;
    writeln!(out, "\n`monedula COMMAND --help` tells what a command takes.")
}
