//! Kafka's command-line tools, one file for each command.
//!
//! Names, options, output and exit codes are those of Apache Kafka's tools; the help is our own.

#[macro_use]
mod terminal;

mod arguments;
mod commands;
mod coordinator_json;
mod datetime;
mod events;
mod failure;
mod group_list;
mod lines;
mod options;
mod print_metrics;
mod progress;
mod schema_json;
mod session;

pub use commands::{COMMANDS, Command, find, storage};
pub use failure::Failure;

/// The release of Apache Kafka that the tools follow.
pub const KAFKA_VERSION: &str = "4.3.1";
