//! Tools against a node in this process, over its sockets.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "test_node/groups.rs"]
mod groups;

#[path = "../../server/tests/harness/harness.rs"]
mod harness;

use std::net::SocketAddr;

use harness::TestNode;
use serde_json::Value;
use tools::{Failure, find};

/// What a tool printed, and how it ended: its exit code, and what it said on standard error.
struct Ended {
    out: String,
    code: i32,
    error: String,
}

/// Runs a tool with these words.
async fn run(tool: &'static str, args: Vec<String>) -> Ended {
    let ran = tokio::task::spawn_blocking(move || {
        let mut out = Vec::new();
        let ended = (find(tool).expect("a tool").run)(&args, &mut out);
        let (code, error) = match ended {
            Ok(()) => (0, String::new()),
            Err(Failure::Code(code)) => (code, String::new()),
            Err(Failure::Message(text, code)) => (code, text),
            Err(Failure::Usage { message, .. }) => (1, message),
        };
        Ended { out: String::from_utf8(out).unwrap(), code, error }
    });
    ran.await.unwrap()
}

/// Runs a tool against a node, with words that stand between blanks.
async fn at(address: SocketAddr, tool: &'static str, line: &str) -> Ended {
    let mut args = vec!["--bootstrap-server".to_owned(), format!("localhost:{}", address.port())];
    args.extend(line.split_whitespace().map(str::to_owned));
    run(tool, args).await
}

/// What the tool prints when it succeeds.
#[track_caller]
fn said(ended: Ended) -> String {
    assert_eq!((ended.code, ended.error.as_str()), (0, ""), "{}", ended.out);
    ended.out
}

async fn node(dir: &tempfile::TempDir) -> TestNode {
    let node = TestNode::start(dir.path(), &[]).await;
    node.client().await.create_topic("t", 2, &[]).await;
    node
}

#[tokio::test]
async fn features_are_described_and_switched_and_leaders_elected() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    let features = said(at(node.address, "kafka-features", "describe").await);
    assert!(features.contains("Feature: transaction.version  "), "{features}");
    let dry = said(at(node.address, "kafka-features", "disable --feature group.version --dry-run").await);
    assert_eq!(dry, "group.version can be disabled.\n");
    let refused = at(node.address, "kafka-features", "upgrade --feature group.version=7").await;
    assert!(refused.out.starts_with("Could not upgrade group.version to 7. "), "{}", refused.out);
    assert_eq!((refused.code, refused.error.as_str()), (1, "1 out of 1 operation(s) failed."));
    let elected = said(
        at(node.address, "kafka-leader-election", "--election-type preferred --topic t --partition 1").await,
    );
    assert_eq!(elected, "Valid replica already elected for partitions t-1\n");
    let missing =
        at(node.address, "kafka-leader-election", "--election-type preferred --topic x --partition 0").await;
    assert_eq!((missing.code, missing.error.as_str()), (1, "1 replica(s) could not be elected"));
    node.stop().await;
}

#[tokio::test]
async fn transactions_are_listed_and_those_that_hang_are_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    let header = "TransactionalId\tCoordinator\tProducerId\tTransactionState\t\n";
    assert_eq!(said(at(node.address, "kafka-transactions", "list").await), header);
    let producers =
        said(at(node.address, "kafka-transactions", "describe-producers --topic t --partition 0").await);
    assert!(producers.starts_with("ProducerId\tProducerEpoch\t"), "{producers}");
    let hanging = said(at(node.address, "kafka-transactions", "find-hanging --topic t").await);
    assert_eq!(hanging.lines().count(), 1);
    let refused =
        at(node.address, "kafka-transactions", "abort --topic t --partition 0 --start-offset 3").await;
    assert_eq!(refused.error, "Could not find any open transactions starting at offset 3 on partition t-0");
    let terminated =
        at(node.address, "kafka-transactions", "forceTerminateTransaction --transactionalId x").await;
    assert_eq!((terminated.code, terminated.error.as_str()), (0, ""));
    let described = said(at(node.address, "kafka-transactions", "describe --transactional-id x").await);
    assert!(described.lines().nth(1).unwrap().contains("\tEmpty"), "{described}");
    let unknown = at(node.address, "kafka-transactions", "describe --transactional-id y").await;
    assert!(unknown.error.starts_with("Failed to describe transaction state of transactional-id `y`: "));
    node.stop().await;
}

#[tokio::test]
async fn moves_are_generated_begun_verified_and_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let topics = write("topics.json", r#"{"version":1,"topics":[{"topic":"t"}]}"#);
    let line = format!("--generate --broker-list 1 --topics-to-move-json-file {topics}");
    let generated = said(at(node.address, "kafka-reassign-partitions", &line).await);
    let lines: Vec<_> = generated.lines().collect();
    assert_eq!(lines[0], "Current partition replica assignment");
    assert_eq!(lines[3], "Proposed partition reassignment configuration");
    let moves = write("moves.json", lines[4]);
    let throttled = format!("--execute --throttle 5000 --reassignment-json-file {moves}");
    let executed = said(at(node.address, "kafka-reassign-partitions", &throttled).await);
    assert!(executed.contains("The inter-broker throttle limit was set to 5000 B/s\n"), "{executed}");
    assert!(executed.contains("Successfully started partition reassignments for t-0,t-1\n"), "{executed}");
    let verified = said(
        at(node.address, "kafka-reassign-partitions", &format!("--verify --reassignment-json-file {moves}"))
            .await,
    );
    assert!(verified.contains("Reassignment of partition t-1 is completed.\n"), "{verified}");
    assert!(verified.contains("Clearing topic-level throttles on topic t\n"), "{verified}");
    let listed = said(at(node.address, "kafka-reassign-partitions", "--list").await);
    assert_eq!(listed, "No partition reassignments found.\n");
    let stopped = said(
        at(node.address, "kafka-reassign-partitions", &format!("--cancel --reassignment-json-file {moves}"))
            .await,
    );
    assert!(stopped.starts_with("None of the specified partition reassignments are active.\n"), "{stopped}");
    let elsewhere = write("far.json", &lines[4].replace("[1]", "[7]"));
    let refused = at(
        node.address,
        "kafka-reassign-partitions",
        &format!("--execute --reassignment-json-file {elsewhere}"),
    )
    .await;
    assert_eq!((refused.code, refused.out.as_str()), (1, "Error: Unknown broker id 7\n"));
    node.stop().await;
}

#[tokio::test]
async fn subscriptions_to_metrics_are_made_shown_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    let tool = "kafka-client-metrics";
    let made = said(at(node.address, tool, "--alter --name s --interval 1000 --metrics a,b").await);
    assert_eq!(made, "Altered client metrics config for s.\n");
    assert_eq!(said(at(node.address, tool, "--list").await), "s\n");
    let shown = said(at(node.address, tool, "--describe --name s").await);
    assert!(shown.starts_with("Client metrics configs for s are:\n"), "{shown}");
    assert!(shown.contains("  interval.ms=1000\n") && shown.contains("  metrics=a,b\n"), "{shown}");
    assert_eq!(
        said(at(node.address, tool, "--delete --name s").await),
        "Deleted client metrics config for s.\n"
    );
    let gone = said(at(node.address, tool, "--describe --name s").await);
    assert_eq!(gone, "The client metric resource s doesn't exist and doesn't have dynamic config.\n");
    node.stop().await;
}

#[tokio::test]
async fn the_shell_shows_the_metadata_that_a_node_has_left() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    node.stop().await;
    let log = dir.path().join("data/__cluster_metadata-0");
    let shell = async |line: &str| {
        let mut args = vec!["--snapshot".to_owned(), log.display().to_string()];
        args.extend(line.split_whitespace().map(str::to_owned));
        said(run("kafka-metadata-shell", args).await)
    };
    assert_eq!(
        shell("ls /image/topics /local").await,
        "topics:\nbyId\nbyName\n\nlocal:\ncommitId\nversion\n"
    );
    assert_eq!(shell("cat /image/topics/byName/*/name").await, "t\n");
    let partition = shell("cat image/topics/byName/t/1").await;
    assert!(partition.starts_with("PartitionRegistration(replicas=[1], directories=["), "{partition}");
    let found = shell("find /image/cluster").await;
    assert!(
        found.starts_with("/image/cluster\n/image/cluster/brokers\n/image/cluster/brokers/1\n"),
        "{found}"
    );
    let tree = shell("tree /image/features").await;
    assert!(tree.contains("\nmetadataVersion:\n  Optional[4.3-IV0]\n"), "{tree}");
    assert_eq!(shell("cat /none").await, "cat: /none: No such file or directory.\n");
    let refused = shell("pwd").await;
    assert_eq!(refused, "invalid choice: 'pwd' (choose from 'cat', 'find', 'ls', 'tree')\n");
}

#[tokio::test]
async fn replicas_of_no_topic_are_not_compared() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    let brokers = format!("localhost:{}", node.address.port());
    let args = ["--broker-list", &brokers, "--topics-include", "none"];
    let ended = run("kafka-replica-verification", args.map(str::to_owned).to_vec()).await;
    assert!(ended.error.starts_with("No topics found. "), "{}", ended.error);
    node.stop().await;
}

/// Runs a tool whose first word is what to do.
async fn ask(address: SocketAddr, tool: &'static str, line: &str) -> Ended {
    let line = format!("{line} --bootstrap-server localhost:{}", address.port());
    run(tool, line.split_whitespace().map(str::to_owned).collect()).await
}

/// Lines with runs of blanks made one.
fn squeezed(text: &str) -> Vec<String> {
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(squeeze).filter(|line| !line.is_empty()).collect()
}

#[tokio::test]
async fn a_cluster_tells_its_id_and_its_nodes() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    let id = said(ask(node.address, "kafka-cluster", "cluster-id").await);
    assert!(id.starts_with("Cluster ID: ") && id.trim_end().len() == "Cluster ID: ".len() + 22, "{id}");
    let nodes = said(ask(node.address, "kafka-cluster", "list-endpoints --include-fenced-brokers").await);
    let lines = squeezed(&nodes);
    assert_eq!(lines[0], "ID HOST PORT RACK STATE ENDPOINT_TYPE");
    assert_eq!(lines[1], format!("1 localhost {} null unfenced broker", node.address.port()));
    let unknown = ask(node.address, "kafka-cluster", "unregister --id 77").await;
    assert_eq!(
        (unknown.code, unknown.error.as_str()),
        (
            1,
            "org.apache.kafka.common.errors.BrokerIdNotRegisteredException: Broker ID 77 is not currently registered"
        )
    );
    let words = ["list-endpoints", "--bootstrap-controller", "localhost:1", "--include-fenced-brokers"];
    let refused = run("kafka-cluster", words.map(str::to_owned).to_vec()).await;
    let reason = "The option --include-fenced-brokers is only supported with --bootstrap-server option";
    assert_eq!((refused.code, refused.error.as_str()), (1, reason));
    node.stop().await;
}

#[tokio::test]
async fn what_partitions_take_in_log_dirs_is_told_of_brokers_that_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    node.client().await.produce("t", 1, harness::batch(&["a", "b"])).await;
    let told =
        said(at(node.address, "kafka-log-dirs", "--describe --topic-list t,nope --broker-list 1").await);
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines[0], "Querying brokers for log directories information");
    assert_eq!(lines[1], "Received log directory information from brokers 1");
    let dirs: Value = serde_json::from_str(lines[2]).unwrap();
    assert_eq!((&dirs["version"], &dirs["brokers"][0]["broker"]), (&1.into(), &1.into()));
    let partitions = dirs["brokers"][0]["logDirs"][0]["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), 2, "{told}");
    let of = |name: &str| partitions.iter().find(|partition| partition["partition"] == name).unwrap();
    assert_eq!((&of("t-0")["size"], &of("t-0")["isFuture"]), (&0.into(), &false.into()));
    assert!(of("t-1")["size"].as_u64().unwrap() > 61, "{told}");
    let refused = at(node.address, "kafka-log-dirs", "--describe --broker-list 1,9").await;
    let reason = "ERROR: The given brokers do not exist from --broker-list: 9. Current existent brokers: 1";
    assert_eq!((refused.code, refused.error.as_str()), (1, reason));
    node.stop().await;
}

#[tokio::test]
async fn the_quorum_tells_its_leader_and_its_voters() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    let status = said(at(node.address, "kafka-metadata-quorum", "describe --status").await);
    let lines = squeezed(&status);
    let keys: Vec<_> = lines.iter().filter_map(|line| line.split_once(':').map(|(key, _)| key)).collect();
    assert_eq!(
        keys,
        [
            "ClusterId",
            "LeaderId",
            "LeaderEpoch",
            "HighWatermark",
            "MaxFollowerLag",
            "MaxFollowerLagTimeMs",
            "CurrentVoters",
            "CurrentObservers"
        ]
    );
    assert_eq!((lines[1].as_str(), lines[7].as_str()), ("LeaderId: 1", "CurrentObservers: []"));
    let replication = said(at(node.address, "kafka-metadata-quorum", "describe --replication").await);
    let lines = squeezed(&replication);
    assert_eq!(
        lines[0],
        "NodeId DirectoryId LogEndOffset Lag LastFetchTimestamp LastCaughtUpTimestamp Status"
    );
    assert!(lines[1].starts_with("1 ") && lines[1].ends_with(" Leader"), "{}", lines[1]);
    assert_eq!(lines.len(), 2);
    node.stop().await;
}

#[tokio::test]
async fn a_node_is_stopped_by_its_id_and_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("server"), "read line\n").unwrap();
    let start = |id: &str| {
        use std::os::unix::process::CommandExt;
        let mut program = std::process::Command::new("sh");
        program.arg0("monedula").args(["server", "--override", &format!("node.id={id}")]);
        program.current_dir(dir.path()).stdin(std::process::Stdio::piped()).spawn().unwrap()
    };
    let (mut meant, mut other) = (start("70001"), start("70002"));
    let stop = |words: &[&str]| run("kafka-server-stop", words.iter().map(|word| word.to_string()).collect());
    let none = stop(&["--node-id=70003"]).await;
    assert_eq!((none.code, none.out.as_str()), (1, "No kafka server found with node.id=70003\n"));
    assert_eq!(said(stop(&["--node-id=70001"]).await), "");
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(meant.wait().unwrap().signal(), Some(15));
    assert!(other.try_wait().unwrap().is_none(), "it was not meant");
    drop(other.stdin.take());
    other.wait().unwrap();
}

#[tokio::test]
async fn what_does_not_exist_is_refused_without_waiting_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    let reset = "--reset-offsets --group g --topic t:0,7 --to-earliest --dry-run";
    let missing = at(node.address, "kafka-consumer-groups", reset).await;
    assert!(missing.out.contains("The partitions \"t-7\" do not exist"), "{}{}", missing.out, missing.error);
    let port = node.address.port();
    let words = ["unregister", "--bootstrap-server", &format!("localhost:{port}"), "--id", "9"];
    let unregistered = run("kafka-cluster", words.map(str::to_owned).to_vec()).await;
    let text = "org.apache.kafka.common.errors.BrokerIdNotRegisteredException: Broker ID 9 is not currently registered";
    assert_eq!((unregistered.code, unregistered.error.as_str()), (1, text));
    let named = "--alter --entity-type ips --entity-name not..an --add-config connection_creation_rate=10";
    let refused = at(node.address, "kafka-configs", named).await;
    let text = "The entity name for ips must be a valid IP or resolvable host, but it is: not..an";
    assert_eq!((refused.code, refused.error.as_str()), (1, text));
    let versions = said(at(node.address, "kafka-broker-api-versions", "").await);
    assert!(versions.contains("\tAddRaftVoter(80): UNSUPPORTED"), "{versions}");
    node.stop().await;
}
