//! A node that serves while logs are still being loaded: what clients meet, and that nothing is lost.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/gated_files.rs"]
mod gated_files;
#[path = "harness/harness.rs"]
mod harness;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gated_files::{Gate, GatedFiles};
use harness::{Client, TestNode, batch, values};
use protocol::delete_topics_request::DeleteTopicState;
use protocol::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::{DeleteTopicsRequest, DescribeLogDirsRequest, ErrorCode, ListOffsetsRequest};

/// Fills partitions 0 and 1 of topic `t`, and leaves the dirs as a kill does that tore an append to partition 0.
async fn killed(dir: &Path, dirs: &[PathBuf], overrides: &[&str]) {
    let node = TestNode::start(dir, overrides).await;
    let mut client = node.client().await;
    client.create_topic("t", 2, &[]).await;
    for partition in 0..2 {
        let produced = client.produce("t", partition, batch(&["old"])).await;
        assert_eq!(produced.error_code, ErrorCode::NONE);
    }
    node.stop().await;
    for dir in dirs {
        std::fs::remove_file(dir.join(".kafka_cleanshutdown")).unwrap();
        let log = dir.join("t-0/00000000000000000000.log");
        if log.exists() {
            let mut torn = std::fs::File::options().append(true).open(log).unwrap();
            torn.write_all(&batch(&["torn"])[..40]).unwrap();
        }
    }
}

async fn list_offsets(client: &mut Client, partition: i32) -> (ErrorCode, i64) {
    let asked = ListOffsetsPartition {
        partition_index: partition,
        current_leader_epoch: -1,
        timestamp: -1,
        ..Default::default()
    };
    let topic = ListOffsetsTopic { name: "t".to_owned(), partitions: vec![asked], ..Default::default() };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let found = client.ask(request, 7).await.topics.remove(0).partitions.remove(0);
    (found.error_code, found.offset)
}

/// Produces as a client does, which asks again while the partition is not there.
async fn produce_at_last(client: &mut Client, partition: i32, value: &str) -> i64 {
    loop {
        let produced = client.produce("t", partition, batch(&[value])).await;
        match produced.error_code {
            ErrorCode::NOT_LEADER_OR_FOLLOWER => tokio::task::yield_now().await,
            error => {
                assert_eq!(error, ErrorCode::NONE);
                return produced.base_offset;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_whose_log_is_loaded_late_has_clients_ask_again() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path(), &[dir.path().join("data")], &[]).await;
    let files = GatedFiles::opened("t-0");
    let node = TestNode::start_on(Arc::new(files.clone()), dir.path(), &[]).await;
    let mut client = node.client().await;
    client.wait_for_topic("t").await;
    let refused = ErrorCode::NOT_LEADER_OR_FOLLOWER;
    assert_eq!(client.produce("t", 0, batch(&["early"])).await.error_code, refused);
    assert_eq!(client.fetch("t", 0, 0, 0).await.error_code, refused);
    assert_eq!(list_offsets(&mut client, 0).await.0, refused);
    assert_eq!(client.produce("t", 1, batch(&["new"])).await.base_offset, 1, "the others are served");
    assert_eq!(values(&client.fetch("t", 1, 0, 0).await.records).len(), 2);
    files.set(Gate::Open);
    assert_eq!(produce_at_last(&mut client, 0, "late").await, 1, "what was torn is gone");
    let found = values(&client.fetch("t", 0, 0, 0).await.records);
    assert_eq!(found, [(0, "old".to_owned()), (1, "late".to_owned())]);
    assert_eq!(list_offsets(&mut client, 0).await, (ErrorCode::NONE, 2));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_while_its_old_log_is_loaded_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path(), &[dir.path().join("data")], &[]).await;
    let files = GatedFiles::opened("t-0");
    let node = TestNode::start_on(Arc::new(files.clone()), dir.path(), &[]).await;
    let mut client = node.client().await;
    client.wait_for_topic("t").await;
    let topics = vec![DeleteTopicState { name: Some("t".to_owned()), ..Default::default() }];
    let deleted =
        client.ask(DeleteTopicsRequest { topics, timeout_ms: 30_000, ..Default::default() }, 6).await;
    assert_eq!(deleted.responses[0].error_code, ErrorCode::NONE);
    client.create_topic("t", 1, &[]).await;
    files.set(Gate::Open);
    assert_eq!(produce_at_last(&mut client, 0, "anew").await, 0);
    assert_eq!(values(&client.fetch("t", 0, 0, 0).await.records), [(0, "anew".to_owned())]);
    node.stop().await;
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    assert_eq!(values(&client.fetch("t", 0, 0, 0).await.records), [(0, "anew".to_owned())]);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_dir_that_fails_while_it_is_loaded_leaves_the_others() {
    let dir = tempfile::tempdir().unwrap();
    // The first is the metadata's too.
    let dirs = ["one", "two"].map(|name| dir.path().join(name));
    let log_dirs = format!("log.dirs={},{}", dirs[0].display(), dirs[1].display());
    killed(dir.path(), &dirs, &[&log_dirs]).await;
    assert!(dirs[1].join("t-1").exists());
    let files = GatedFiles::opened("t-1");
    let node = TestNode::start_on(Arc::new(files.clone()), dir.path(), &[&log_dirs]).await;
    let mut client = node.client().await;
    client.wait_for_topic("t").await;
    assert_eq!(client.fetch("t", 1, 0, 0).await.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    let mut waiting = node.client().await;
    waiting.send(DescribeLogDirsRequest { topics: None, ..Default::default() }, 5).await;
    files.set(Gate::Failing);
    let described = waiting.receive::<DescribeLogDirsRequest>(5).await.results;
    let errors: Vec<_> = described.iter().map(|dir| dir.error_code).collect();
    assert_eq!(errors, [ErrorCode::NONE, ErrorCode::KAFKA_STORAGE_ERROR]);
    loop {
        match client.fetch("t", 1, 0, 0).await.error_code {
            ErrorCode::NOT_LEADER_OR_FOLLOWER => tokio::task::yield_now().await,
            error => break assert_eq!(error, ErrorCode::KAFKA_STORAGE_ERROR),
        }
    }
    assert_eq!(client.produce("t", 0, batch(&["new"])).await.base_offset, 1, "the others are served");
    node.stop().await;
    let node = TestNode::start(dir.path(), &[&log_dirs]).await;
    let mut client = node.client().await;
    assert_eq!(produce_at_last(&mut client, 1, "mended").await, 1, "the disk is well again");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_while_logs_are_loaded_fails_the_node_which_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    killed(dir.path(), &[dir.path().join("data")], &[]).await;
    let files = GatedFiles::opened("t-0");
    let node = TestNode::start_on(Arc::new(files.clone()), dir.path(), &[]).await;
    let mut waiting = node.client().await;
    waiting.send(DescribeLogDirsRequest { topics: None, ..Default::default() }, 5).await;
    files.set(Gate::Panicking);
    assert!(node.failure().await.starts_with("the thread that loads logs panicked"));
    node.stop().await;
    assert!(waiting.is_closed().await, "who waited for the logs is not kept waiting");
    let node = TestNode::start(dir.path(), &[]).await;
    assert_eq!(produce_at_last(&mut node.client().await, 0, "later").await, 1, "nothing was lost");
    node.stop().await;
}
