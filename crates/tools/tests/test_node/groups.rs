//! Tools that read as members of groups, and those that show and change groups.

use serde_json::Value;

use super::harness;
use super::{at, node, said, squeezed};

#[tokio::test]
async fn records_that_one_verifiable_client_sends_the_other_reads() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    let sent = said(
        at(
            node.address,
            "kafka-verifiable-producer",
            "--topic t --max-messages 5 --value-prefix 9 --repeating-keys 2",
        )
        .await,
    );
    let events: Vec<Value> = sent.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = events.iter().map(|event| event["name"].as_str().unwrap()).collect();
    assert_eq!((names[0], names[6], names[7]), ("startup_complete", "shutdown_complete", "tool_data"));
    assert!(names[1..6].iter().all(|name| *name == "producer_send_success"), "{sent}");
    assert_eq!((&events[7]["sent"], &events[7]["acked"]), (&5.into(), &5.into()));

    let read = said(
        at(node.address, "kafka-verifiable-consumer", "--topic t --group-id g --max-messages 5 --verbose")
            .await,
    );
    let events: Vec<Value> = read.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |name: &str| events.iter().filter(|event| event["name"] == name).collect::<Vec<_>>();
    let mut values: Vec<_> =
        of("record_data").iter().map(|event| event["value"].as_str().unwrap().to_owned()).collect();
    values.sort();
    assert_eq!(values, ["9.0", "9.1", "9.2", "9.3", "9.4"]);
    assert_eq!(of("partitions_assigned")[0]["partitions"].as_array().unwrap().len(), 2);
    assert!(of("offsets_committed").iter().all(|event| event["success"] == true), "{read}");
    assert_eq!((of("partitions_revoked").len(), of("shutdown_complete").len()), (1, 1));

    let groups = said(at(node.address, "kafka-groups", "--list --consumer").await);
    let line = format!("{:<20} {:<20} {:<20} ", "g", "Classic", "consumer");
    assert!(groups.lines().any(|found| found == line), "{groups}");
    assert_eq!(said(at(node.address, "kafka-groups", "--list --share").await).lines().count(), 1);

    let measured = said(
        at(
            node.address,
            "kafka-e2e-latency",
            "--topic new --num-records 3 --producer-acks all --record-size 9",
        )
        .await,
    );
    assert!(
        measured.contains("Topic \"new\" does not exist. Will create topic with 1 partition(s)"),
        "{measured}"
    );
    assert!(
        measured.contains("\nAvg latency: ") && measured.contains("\nPercentiles: 50th = "),
        "{measured}"
    );
    node.stop().await;
}

#[tokio::test]
async fn an_application_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    node.client().await.create_topic("app-store-changelog", 1, &[]).await;
    let sent = "--topic t --max-messages 4 --repeating-keys 1";
    said(at(node.address, "kafka-verifiable-producer", sent).await);
    said(at(node.address, "kafka-verifiable-consumer", "--topic t --group-id app --max-messages 4").await);
    let tool = "kafka-streams-application-reset";
    let planned =
        said(at(node.address, tool, "--application-id app --input-topics t --shift-by -1 --dry-run").await);
    let lines: Vec<_> = planned.lines().collect();
    assert!(lines[0].starts_with("----Dry run displays the actions"), "{planned}");
    assert_eq!(lines[1], "Reset-offsets for input topics [t]");
    assert!(planned.contains(" Offset: 3\n"), "{planned}");
    assert!(
        planned.ends_with("Deleting inferred internal topics [app-store-changelog]\nDone.\n"),
        "{planned}"
    );
    said(at(node.address, tool, "--application-id app --input-topics t --to-earliest").await);
    let described = said(at(node.address, "kafka-consumer-groups", "--describe --group app").await);
    assert!(described.lines().any(|line| line.split_whitespace().nth(3) == Some("0")), "{described}");
    let topics = said(at(node.address, "kafka-topics", "--list --exclude-internal").await);
    assert_eq!(topics, "t\n");
    let missing = at(node.address, tool, "--application-id app --input-topics none").await;
    assert_eq!(missing.code, 1);
    assert!(missing.out.contains("Following input topics are not found, skipping them\nTopic: none\n"));
    node.stop().await;
}

#[tokio::test]
async fn groups_are_described_reset_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    node.client().await.produce("t", 1, harness::batch(&["a", "b", "c"])).await;
    let tool = "kafka-consumer-groups";
    let reset = "--group g --reset-offsets --topic t:1 --to-offset 2 --execute";
    let lines = squeezed(&said(at(node.address, tool, reset).await));
    assert_eq!(lines, ["GROUP TOPIC PARTITION NEW-OFFSET", "g t 1 2"]);
    let described = at(node.address, tool, "--describe --group g").await;
    let lines = squeezed(&described.out);
    assert_eq!(lines.last().unwrap(), "g t 1 2 3 1 - - -", "{lines:?}");
    assert_eq!(described.error, "");
    let state = squeezed(&said(at(node.address, tool, "--describe --group g --state").await));
    assert_eq!(state[0], "GROUP COORDINATOR (ID) ASSIGNMENT-STRATEGY STATE #MEMBERS");
    assert_eq!(state[1], format!("g localhost:{} (1) - Empty 0", node.address.port()));
    assert_eq!(said(at(node.address, tool, "--list --state empty").await).lines().count(), 2);
    let planned = "--group g --reset-offsets --all-topics --shift-by -9 --dry-run --export";
    assert_eq!(said(at(node.address, tool, planned).await), "t,1,0\n\n");
    let forgotten = said(at(node.address, tool, "--group g --delete-offsets --topic gone --topic t:0").await);
    let lines = squeezed(&forgotten);
    assert_eq!(
        lines,
        [
            "Request succeeded for deleting offsets from group g.",
            "TOPIC PARTITION STATUS",
            "gone - Error: org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not host this topic-partition.",
            "t 0 Successful"
        ]
    );
    let missing = at(node.address, tool, "--delete --group nope").await;
    assert!(missing.out.contains("GroupIdNotFoundException"), "{}", missing.out);
    let deleted = said(at(node.address, tool, "--delete --group g").await);
    assert_eq!(deleted, "Deletion of requested consumer groups ('g') was successful.\n");
    assert_eq!(said(at(node.address, tool, "--list").await).trim(), "");
    node.stop().await;
}

#[tokio::test]
async fn a_consumers_speed_is_measured() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    for _ in 0..4 {
        node.client().await.produce("t", 0, harness::batch(&["0123456789"; 5])).await;
    }
    let measured = said(
        at(node.address, "kafka-consumer-perf-test", "--topic t --num-records 20 --timeout 20000").await,
    );
    let lines: Vec<_> = measured.lines().collect();
    assert_eq!(
        lines[0],
        "start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, \
         rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec"
    );
    let fields: Vec<_> = lines[1].split(", ").collect();
    assert_eq!((fields.len(), fields[2], fields[4]), (10, "0.0002", "20"), "{measured}");
    node.stop().await;
}

#[tokio::test]
async fn what_a_share_group_reads_is_told_and_measured() {
    let dir = tempfile::tempdir().unwrap();
    let node = node(&dir).await;
    let mut client = node.client().await;
    client.produce("t", 0, harness::batch(&["a", "b", "c"])).await;
    let line = "--topic t --group-id s --max-messages 3 --offset-reset-strategy earliest --acknowledgement-mode sync --verbose";
    let read = said(at(node.address, "kafka-verifiable-share-consumer", line).await);
    let events: Vec<Value> = read.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = events.iter().map(|event| event["name"].as_str().unwrap()).collect();
    let begin =
        ["startup_complete", "offset_reset_strategy_set", "record_data", "record_data", "record_data"];
    assert_eq!(names[..5], begin, "{read}");
    assert_eq!(names[5..], ["records_consumed", "offsets_acknowledged", "shutdown_complete"], "{read}");
    let summary = serde_json::json!([{ "topic": "t", "partition": 0, "count": 3, "offsets": [0, 1, 2] }]);
    assert_eq!((&events[5]["partitions"], &events[6]["partitions"]), (&summary, &summary));
    assert_eq!((&events[6]["count"], &events[6]["success"]), (&3.into(), &true.into()));

    client.produce("t", 0, harness::batch(&["d", "e"])).await;
    let line = "--topic t --group s --num-records 2 --hide-header --print-metrics";
    let measured = said(at(node.address, "kafka-share-consumer-perf-test", line).await);
    let figures: Vec<_> = measured.lines().next().unwrap().split(", ").collect();
    assert_eq!((figures.len(), figures[5]), (7, "2"), "{measured}");
    let printed = squeezed(&measured);
    for (name, value) in [
        ("consumer-share-coordinator-metrics:rebalance-total", "1.000"),
        ("consumer-share-fetch-manager-metrics:records-consumed-total", "2.000"),
        ("consumer-share-metrics:last-poll-seconds-ago", "0.000"),
        ("consumer-metrics:connection-close-total", "0.000"),
    ] {
        let row = format!("{name}:{{client-id=perf-share-consumer-client}} : {value}");
        assert!(printed.contains(&row), "{row} in\n{measured}");
    }
    node.stop().await;
}
