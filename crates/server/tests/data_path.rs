//! Produce, fetch, list and delete over a real socket.

#[path = "harness/harness.rs"]
mod harness;

use harness::{TestNode, batch, fetch_request, produce_request, values};
use protocol::ErrorCode;

#[tokio::test]
async fn what_was_produced_is_fetched_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 2, &[]).await;
    let first = client.produce("t", 1, batch(&["a", "b"])).await;
    assert_eq!((first.error_code, first.base_offset), (ErrorCode::NONE, 0));
    let second = client.produce("t", 1, batch(&["c"])).await;
    assert_eq!((second.error_code, second.base_offset, second.log_start_offset), (ErrorCode::NONE, 2, 0));
    let expected = [(0, "a".to_owned()), (1, "b".to_owned()), (2, "c".to_owned())];
    assert_eq!(values(&client.fetch("t", 1, 0, 0).await.records), expected);
    drop(client);
    node.stop().await;

    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.wait_for_topic("t").await;
    let fetched = client.fetch("t", 1, 0, 0).await;
    assert_eq!(fetched.error_code, ErrorCode::NONE);
    assert_eq!((values(&fetched.records), fetched.high_watermark), (expected.to_vec(), 3));
    node.stop().await;
}

#[tokio::test]
async fn a_fetch_at_the_end_waits_for_the_next_record() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let (mut reader, mut writer) = (node.client().await, node.client().await);
    writer.create_topic("t", 1, &[]).await;
    reader.send(fetch_request("t", 0, 0, 30_000), 12).await;
    tokio::task::yield_now().await;
    writer.produce("t", 0, batch(&["late"])).await;
    let fetched = reader.receive::<protocol::FetchRequest>(12).await;
    assert_eq!(values(&fetched.responses[0].partitions[0].records), [(0, "late".to_owned())]);
    node.stop().await;
}

#[tokio::test]
async fn acks_0_is_not_answered_and_a_failure_ends_the_connection() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    client.send(produce_request("t", 0, batch(&["quiet"]), 0), 9).await;
    assert_eq!(values(&client.fetch("t", 0, 0, 10_000).await.records), [(0, "quiet".to_owned())]);
    client.send(produce_request("nowhere", 0, batch(&["lost"]), 0), 9).await;
    assert!(client.is_closed().await);
    node.stop().await;
}
