//! The table of tools, and how one is found by its names.

pub mod acls;
pub mod broker_api_versions;
pub mod client_metrics;
pub mod cluster;
pub mod configs;
pub mod console_consumer;
pub mod console_producer;
pub mod console_share_consumer;
pub mod consumer_groups;
pub mod consumer_perf_test;
pub mod delegation_tokens;
pub mod delete_records;
pub mod dump_log;
pub mod e2e_latency;
pub mod features;
pub mod get_offsets;
pub mod groups;
pub mod leader_election;
pub mod log_dirs;
pub mod metadata_quorum;
pub mod metadata_shell;
mod perf_test;
pub mod producer_perf_test;
pub mod reassign_partitions;
pub mod replica_verification;
pub mod server_stop;
pub mod share_consumer_perf_test;
pub mod share_groups;
pub mod storage;
pub mod streams_application_reset;
pub mod streams_groups;
pub mod topics;
pub mod transactions;
pub mod verifiable_consumer;
pub mod verifiable_producer;
pub mod verifiable_share_consumer;

use std::io::Write;

use crate::Failure;

/// What runs a tool: its arguments, and where its output goes.
type Run = fn(&[String], &mut dyn Write) -> Result<(), Failure>;

/// One tool.
#[derive(Clone, Copy)]
pub struct Command {
    /// Its name as a subcommand: `topics`.
    pub name: &'static str,
    /// Its name in Kafka, without `.sh`: `kafka-topics`.
    pub kafka_name: &'static str,
    /// What it is for, in a line.
    pub about: &'static str,
    /// Runs it.
    pub run: Run,
}

const fn command(name: &'static str, kafka_name: &'static str, about: &'static str, run: Run) -> Command {
    Command { name, kafka_name, about, run }
}

/// All tools, in the order in which the help shows them.
pub const COMMANDS: &[Command] = &[
    command("storage", "kafka-storage", "Format a node's directories, or look at them", storage::run),
    command("topics", "kafka-topics", "Create, delete, describe, list and change topics", topics::run),
    command("configs", "kafka-configs", "Show and change configurations", configs::run),
    command(
        "console-producer",
        "kafka-console-producer",
        "Send lines of standard input",
        console_producer::run,
    ),
    command(
        "console-consumer",
        "kafka-console-consumer",
        "Read topics to standard output",
        console_consumer::run,
    ),
    command(
        "console-share-consumer",
        "kafka-console-share-consumer",
        "Read a topic as a member of a share group",
        console_share_consumer::run,
    ),
    command(
        "consumer-groups",
        "kafka-consumer-groups",
        "List, describe, reset and delete consumer groups",
        consumer_groups::run,
    ),
    command(
        "share-groups",
        "kafka-share-groups",
        "List, describe, reset and delete share groups",
        share_groups::run,
    ),
    command(
        "streams-groups",
        "kafka-streams-groups",
        "List, describe, reset and delete streams groups",
        streams_groups::run,
    ),
    command("groups", "kafka-groups", "List groups of every kind", groups::run),
    command(
        "transactions",
        "kafka-transactions",
        "List and describe transactions, find and abort those that hang",
        transactions::run,
    ),
    command("get-offsets", "kafka-get-offsets", "Tell the offsets of partitions", get_offsets::run),
    command("delete-records", "kafka-delete-records", "Delete records before an offset", delete_records::run),
    command("log-dirs", "kafka-log-dirs", "Tell what partitions take on the disks of brokers", log_dirs::run),
    command("cluster", "kafka-cluster", "Tell a cluster's id and nodes", cluster::run),
    command(
        "broker-api-versions",
        "kafka-broker-api-versions",
        "Tell which requests brokers serve",
        broker_api_versions::run,
    ),
    command(
        "metadata-quorum",
        "kafka-metadata-quorum",
        "Tell the state of the controllers' quorum",
        metadata_quorum::run,
    ),
    command("features", "kafka-features", "Tell and switch a cluster's features", features::run),
    command("leader-election", "kafka-leader-election", "Elect leaders of partitions", leader_election::run),
    command(
        "reassign-partitions",
        "kafka-reassign-partitions",
        "Move partitions between brokers and directories",
        reassign_partitions::run,
    ),
    command("acls", "kafka-acls", "Show, add and remove rules of who may do what", acls::run),
    command(
        "delegation-tokens",
        "kafka-delegation-tokens",
        "Make, renew, end and show delegation tokens",
        delegation_tokens::run,
    ),
    command(
        "client-metrics",
        "kafka-client-metrics",
        "Show and change which clients send which metrics",
        client_metrics::run,
    ),
    command(
        "dump-log",
        "kafka-dump-log",
        "Show what is in log segments, indexes and snapshots",
        dump_log::run,
    ),
    command(
        "metadata-shell",
        "kafka-metadata-shell",
        "Look around in a snapshot or log of a cluster's metadata",
        metadata_shell::run,
    ),
    command(
        "replica-verification",
        "kafka-replica-verification",
        "Compare the replicas of topics",
        replica_verification::run,
    ),
    command(
        "streams-application-reset",
        "kafka-streams-application-reset",
        "Let a Kafka Streams application begin anew",
        streams_application_reset::run,
    ),
    command("producer-perf-test", "kafka-producer-perf-test", "Measure sending", producer_perf_test::run),
    command("consumer-perf-test", "kafka-consumer-perf-test", "Measure reading", consumer_perf_test::run),
    command(
        "share-consumer-perf-test",
        "kafka-share-consumer-perf-test",
        "Measure reading in a share group",
        share_consumer_perf_test::run,
    ),
    command(
        "e2e-latency",
        "kafka-e2e-latency",
        "Measure how long it takes from sending to reading",
        e2e_latency::run,
    ),
    command(
        "verifiable-producer",
        "kafka-verifiable-producer",
        "Send counted records and tell of each in JSON",
        verifiable_producer::run,
    ),
    command(
        "verifiable-consumer",
        "kafka-verifiable-consumer",
        "Read in a group and tell of it in JSON",
        verifiable_consumer::run,
    ),
    command(
        "verifiable-share-consumer",
        "kafka-verifiable-share-consumer",
        "Read in a share group and tell of it in JSON",
        verifiable_share_consumer::run,
    ),
    command("server-stop", "kafka-server-stop", "Ask the nodes of this machine to stop", server_stop::run),
];

/// Finds a tool by its subcommand, or by Kafka's name with or without `.sh`.
pub fn find(name: &str) -> Option<&'static Command> {
    let kafka_name = name.strip_suffix(".sh").unwrap_or(name);
    COMMANDS.iter().find(|command| command.name == name || command.kafka_name == kafka_name)
}
