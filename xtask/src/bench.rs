//! `cargo xtask bench`: this node and Apache Kafka side by side.

use anyhow::{Result, bail};

/// The command.
pub fn run(_arguments: &[String]) -> Result<()> {
    bail!("not here")
}
