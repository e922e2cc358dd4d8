//! The real Apache Kafka, from its published jars: the other side of every comparison.
//!
//! The jars are fetched once by Maven (`compat/reference/pom.xml`) into `target/reference`.

use crate::root;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

const HELP: &str = "cargo xtask kafka TOOL [ARGUMENT…]        one of its tools by name: kafka-topics, kafka-console-producer, …
cargo xtask kafka run CLASS [ARGUMENT…]   any of its classes
cargo xtask kafka libs                    fetches the jars and prints their folder";

/// Tool and main class.
const TOOLS: &[(&str, &str)] = &[
    ("kafka-acls", "org.apache.kafka.tools.AclCommand"),
    ("kafka-broker-api-versions", "org.apache.kafka.tools.BrokerApiVersionsCommand"),
    ("kafka-client-metrics", "org.apache.kafka.tools.ClientMetricsCommand"),
    ("kafka-cluster", "org.apache.kafka.tools.ClusterTool"),
    ("kafka-configs", "kafka.admin.ConfigCommand"),
    ("kafka-console-consumer", "org.apache.kafka.tools.consumer.ConsoleConsumer"),
    ("kafka-console-producer", "org.apache.kafka.tools.ConsoleProducer"),
    ("kafka-console-share-consumer", "org.apache.kafka.tools.consumer.ConsoleShareConsumer"),
    ("kafka-consumer-groups", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"),
    ("kafka-consumer-perf-test", "org.apache.kafka.tools.ConsumerPerformance"),
    ("kafka-delegation-tokens", "org.apache.kafka.tools.DelegationTokenCommand"),
    ("kafka-delete-records", "org.apache.kafka.tools.DeleteRecordsCommand"),
    ("kafka-dump-log", "org.apache.kafka.tools.DumpLogSegments"),
    ("kafka-e2e-latency", "org.apache.kafka.tools.EndToEndLatency"),
    ("kafka-features", "org.apache.kafka.tools.FeatureCommand"),
    ("kafka-get-offsets", "org.apache.kafka.tools.GetOffsetShell"),
    ("kafka-groups", "org.apache.kafka.tools.GroupsCommand"),
    ("kafka-leader-election", "org.apache.kafka.tools.LeaderElectionCommand"),
    ("kafka-log-dirs", "org.apache.kafka.tools.LogDirsCommand"),
    ("kafka-metadata-quorum", "org.apache.kafka.tools.MetadataQuorumCommand"),
    ("kafka-producer-perf-test", "org.apache.kafka.tools.ProducerPerformance"),
    ("kafka-reassign-partitions", "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"),
    ("kafka-replica-verification", "org.apache.kafka.tools.ReplicaVerificationTool"),
    ("kafka-share-consumer-perf-test", "org.apache.kafka.tools.ShareConsumerPerformance"),
    ("kafka-share-groups", "org.apache.kafka.tools.consumer.group.ShareGroupCommand"),
    ("kafka-storage", "kafka.tools.StorageTool"),
    ("kafka-streams-application-reset", "org.apache.kafka.tools.StreamsResetter"),
    ("kafka-streams-groups", "org.apache.kafka.tools.streams.StreamsGroupCommand"),
    ("kafka-topics", "org.apache.kafka.tools.TopicCommand"),
    ("kafka-transactions", "org.apache.kafka.tools.TransactionsCommand"),
    ("kafka-verifiable-consumer", "org.apache.kafka.tools.VerifiableConsumer"),
    ("kafka-verifiable-producer", "org.apache.kafka.tools.VerifiableProducer"),
    ("kafka-verifiable-share-consumer", "org.apache.kafka.tools.VerifiableShareConsumer"),
];

/// The main class of the node itself.
pub const NODE: &str = "kafka.Kafka";
/// The main class of `kafka-storage`.
pub const STORAGE: &str = "kafka.tools.StorageTool";

/// The folder with the jars; fetched when it is not there.
pub fn libs() -> Result<PathBuf> {
    let libs = root().join("target/reference/4.3.1");
    let whole = libs.join("whole");
    if !whole.exists() {
        let fetched = Command::new("mvn")
            .args(["-q", "-B", "-f", "compat/reference/pom.xml", "dependency:copy-dependencies"])
            .arg(format!("-DoutputDirectory={}", libs.display()))
            .current_dir(root())
            // What a tool prints is compared; what Maven says on the way is not part of it.
            .stdout(std::io::stderr())
            .status()
            .context("Apache Kafka's jars need Maven (mvn)")?;
        if !fetched.success() {
            bail!("Maven could not fetch Apache Kafka's jars");
        }
        std::fs::write(whole, "")?;
    }
    Ok(libs)
}

/// A Java command for one of its classes, with these JVM options; arguments may follow.
pub fn java(options: &[&str], class: &str) -> Result<Command> {
    let mut command = Command::new("java");
    command.args(options).args(["-Dfile.encoding=UTF-8", "-cp"]).arg(format!("{}/*", libs()?.display()));
    command
        .arg(format!("-Dlog4j2.configurationFile={}/compat/reference/log4j2.properties", root().display()));
    command.arg(class);
    Ok(command)
}

/// Runs the command and takes its exit code over.
pub fn run(arguments: &[String]) -> Result<()> {
    let short_lived = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
    let (class, rest) = match arguments {
        [word] if word == "libs" => {
            println!("{}", libs()?.display());
            return Ok(());
        }
        [word, class, rest @ ..] if word == "run" => (class.as_str(), rest),
        [tool, rest @ ..] => match TOOLS.iter().find(|(name, _)| name == tool) {
            Some((_, class)) => (*class, rest),
            None => bail!("no tool named {tool}\n{HELP}"),
        },
        [] => bail!("{HELP}"),
    };
    let status =
        java(&short_lived, class)?.args(rest).status().context("Apache Kafka needs Java 17 or newer")?;
    std::process::exit(status.code().unwrap_or(1));
}
