//! Kafka's command-line tools, one file for each command.
