//! Requests that a client sends without waiting for the answers to those before.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/gated_files.rs"]
mod gated_files;
#[path = "harness/harness.rs"]
mod harness;

use std::sync::Arc;

use gated_files::{Gate, GatedFiles};
use harness::{Client, TestNode, batch, fetch_request, produce_request, values};
use protocol::{ApiVersionsRequest, ErrorCode, FetchRequest, ProduceRequest};

const HOUR_MS: i32 = 3_600_000;

#[tokio::test]
async fn an_answer_is_not_held_back_by_a_request_behind_it_that_waits() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    client.send(produce_request("t", 0, batch(&["first"]), 1), 9).await;
    client.send(fetch_request("t", 0, 1, HOUR_MS), 12).await;
    let produced = client.receive_before::<ProduceRequest>(9, 1).await;
    assert_eq!(produced.responses[0].partition_responses[0].base_offset, 0);
    node.client().await.produce("t", 0, batch(&["second"])).await;
    let fetched = client.receive::<FetchRequest>(12).await;
    assert_eq!(values(&fetched.responses[0].partitions[0].records), [(1, "second".to_owned())]);
    node.stop().await;
}

async fn send_versions(client: &mut Client, count: usize) {
    for _ in 0..count {
        client.send(ApiVersionsRequest::default(), 0).await;
    }
}

#[tokio::test]
async fn what_was_asked_before_a_broken_frame_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    send_versions(&mut client, 100).await;
    client.send_frame(&[]).await;
    for n in 0..100 {
        let versions = client.receive_before::<ApiVersionsRequest>(0, 99 - n).await;
        assert_eq!(versions.error_code, ErrorCode::NONE);
    }
    assert!(client.is_closed().await);
    node.stop().await;
}

/// A node that syncs nothing of topic `slow` for now, and a client that has made topics `fast` and `slow`.
async fn with_a_slow_topic(dir: &tempfile::TempDir) -> (TestNode, GatedFiles, Client) {
    let files = GatedFiles::synced("slow-0");
    let node = TestNode::start_on(Arc::new(files.clone()), dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("fast", 1, &[]).await;
    client.create_topic("slow", 1, &[]).await;
    (node, files, client)
}

/// Holds what a client sends, or lets it go all at once.
fn cork(client: &Client, holds: bool) {
    rustix::net::sockopt::set_tcp_cork(&client.socket, holds).unwrap();
}

async fn produce_to(client: &mut Client, topic: &str) {
    client.send(produce_request(topic, 0, batch(&["record"]), -1), 9).await;
}

async fn produced_before(client: &mut Client, others: i32) -> ErrorCode {
    let produced = client.receive_before::<ProduceRequest>(9, others).await;
    produced.responses[0].partition_responses[0].error_code
}

#[tokio::test]
async fn an_answer_is_not_held_back_by_one_behind_it_that_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let (node, files, mut client) = with_a_slow_topic(&dir).await;
    cork(&client, true);
    produce_to(&mut client, "fast").await;
    produce_to(&mut client, "slow").await;
    send_versions(&mut client, 1).await;
    cork(&client, false);
    assert_eq!(produced_before(&mut client, 2).await, ErrorCode::NONE);
    files.set(Gate::Open);
    assert_eq!(produced_before(&mut client, 1).await, ErrorCode::NONE);
    client.receive::<ApiVersionsRequest>(0).await;
    node.stop().await;
}

#[tokio::test]
async fn records_that_were_appended_before_a_broken_request_are_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (node, files, mut client) = with_a_slow_topic(&dir).await;
    cork(&client, true);
    produce_to(&mut client, "slow").await;
    // Produce, as may follow, in a version that nobody serves.
    client.send_frame(&[0, 0, 0x7f, 0xff, 0, 0, 0, 0, 0xff, 0xff]).await;
    cork(&client, false);
    // Meanwhile the broken request is read.
    let mut other = node.client().await;
    for _ in 0..10 {
        other.ask(ApiVersionsRequest::default(), 0).await;
    }
    files.set(Gate::Open);
    assert_eq!(produced_before(&mut client, 0).await, ErrorCode::NONE);
    assert!(client.is_closed().await);
    node.stop().await;
}

#[tokio::test]
async fn a_connection_whose_request_waits_for_longer_than_it_may_be_idle_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &["connections.max.idle.ms=500"]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    client.send(fetch_request("t", 0, 0, HOUR_MS), 12).await;
    assert!(client.is_closed().await);
    node.stop().await;
}
