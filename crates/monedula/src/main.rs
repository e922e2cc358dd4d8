//! The one binary: server and tools by subcommand or by Kafka's script names.

fn main() {}
