//! Requests that a client sends without waiting for the answers to those before.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/harness.rs"]
mod harness;

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
