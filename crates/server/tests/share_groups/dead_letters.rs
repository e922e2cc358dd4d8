//! What members give up is in the group's dead-letter queue.

use model::Uuid;
use protocol::ErrorCode;

use super::harness::{self, Client, TestNode, batch, values};
use super::{Member, ONE_BROKER, configure, records, share};

const REJECTED: &str = "Offset rejected by client.";
const USED_UP: &str = "Offset delivery count exceeded the threshold.";

/// Lets share groups have dead-letter queues, and gives the group `dlq.t`.
async fn with_queue(client: &mut Client) {
    let update = protocol::update_features_request::FeatureUpdateKey {
        feature: "share.version".to_owned(),
        max_version_level: 2,
        upgrade_type: 1,
        ..Default::default()
    };
    let request = protocol::UpdateFeaturesRequest { feature_updates: vec![update], ..Default::default() };
    let response = client.ask(request, 2).await;
    assert_eq!(response.error_code, ErrorCode::NONE, "{:?}", response.error_message);
    configure(client, "errors.deadletterqueue.topic.name", "dlq.t").await;
}

/// Waits for `count` records in a topic; tells the key, the value and the headers of each.
async fn dead_letters(client: &mut Client, topic: &str, count: usize) -> Vec<(String, String, Vec<String>)> {
    client.wait_for_topic(topic).await;
    let shown = |bytes: Option<&[u8]>| {
        bytes.map_or_else(|| "null".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    loop {
        let fetched = client.fetch(topic, 0, 0, 1000).await;
        let bytes = fetched.records.as_ref().map(|records| records.read().unwrap()).unwrap_or_default();
        let mut found = Vec::new();
        for batch in records::batches(bytes) {
            let decoded = batch.unwrap().decode(usize::MAX).unwrap();
            for record in decoded.iter() {
                let record = record.unwrap();
                let headers = record.headers.map(|header| shown(header.value)).collect();
                found.push((shown(record.key), shown(record.value), headers));
            }
        }
        if found.len() >= count {
            return found;
        }
    }
}

fn letter(value: &str, offset: i64, count: i16, message: &str) -> (String, String, Vec<String>) {
    let (offset, count) = (offset.to_string(), count.to_string());
    let headers = ["t", "0", &offset, "g", &count, message].map(str::to_owned).to_vec();
    ("null".to_owned(), value.to_owned(), headers)
}

#[tokio::test]
async fn what_a_member_rejects_is_in_a_queue_that_is_made_for_it_and_does_not_come_again() {
    let dir = tempfile::tempdir().unwrap();
    let own =
        ["errors.deadletterqueue.auto.create.topics.enable=true", "monedula.metrics.listener=localhost:0"];
    let overrides = [ONE_BROKER, &own].concat();
    let node = TestNode::start(dir.path(), &overrides).await;
    let (mut client, topic_id) = share(&node).await;
    with_queue(&mut client).await;
    configure(&mut client, "errors.deadletterqueue.copy.record.enable", "true").await;
    client.produce("t", 0, batch(&["a", "b", "c"])).await;
    let mut member = Member::new(&node, "m", topic_id).await;
    assert_eq!(member.take().await.len(), 3);
    let response = member.acknowledge(&[(0, 2, &[1, 3, 3])]).await;
    assert_eq!(response.responses[0].partitions[0].error_code, ErrorCode::NONE);
    let expected = [letter("b", 1, 1, REJECTED), letter("c", 2, 1, REJECTED)];
    assert_eq!(dead_letters(&mut client, "dlq.t", 2).await, expected);
    client.produce("t", 0, batch(&["d"])).await;
    assert_eq!(member.take().await, records(&[(3, "d", 1)]));
    wait_until_archived(&mut client, topic_id, 3).await;
    let page = harness::metrics_page(&node).await;
    for row in [
        "kafka_server_sharegroupmetrics_deadletterqueuerecordcount_total{group=\"g\"} 2",
        "kafka_server_sharegroupmetrics_deadletterqueuetotalproducerequests_total{group=\"g\"} 1",
        "kafka_server_sharegroupmetrics_recordacknowledgements_total{ackType=\"Reject\"} 2",
        "kafka_server_sharepartitionmetrics_inflightbatchmessagecount_count{group=\"g\",topic=\"t\",partition=\"0\"} 2",
    ] {
        assert!(page.lines().any(|line| line == row), "{row} in\n{page}");
    }
    drop((client, member));
    node.stop().await;

    let node = TestNode::start(dir.path(), &overrides).await;
    let mut member = Member::new(&node, "m", topic_id).await;
    let taken = member.take().await;
    assert_eq!(taken.iter().map(|(offset, ..)| *offset).collect::<Vec<_>>(), [3]);
    let mut client = node.client().await;
    assert_eq!(dead_letters(&mut client, "dlq.t", 2).await.len(), 2);
    node.stop().await;
}

#[tokio::test]
async fn what_was_delivered_too_often_is_in_the_queue_without_its_content() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), ONE_BROKER).await;
    let (mut client, topic_id) = share(&node).await;
    with_queue(&mut client).await;
    configure(&mut client, "share.delivery.count.limit", "2").await;
    client.create_topic("dlq.t", 1, &[("errors.deadletterqueue.group.enable", "true")]).await;
    client.produce("t", 0, batch(&["a"])).await;
    let mut member = Member::new(&node, "m", topic_id).await;
    for count in 1..=2 {
        assert_eq!(member.take().await, records(&[(0, "a", count)]));
        assert_eq!(member.acknowledge(&[(0, 0, &[2])]).await.error_code, ErrorCode::NONE);
    }
    assert_eq!(dead_letters(&mut client, "dlq.t", 1).await, [letter("null", 0, 2, USED_UP)]);
    node.stop().await;
}

#[tokio::test]
async fn what_was_on_its_way_to_the_queue_when_the_node_was_lost_is_written_by_who_loads_the_state() {
    use protocol::write_share_group_state_request::{PartitionData, StateBatch, WriteStateData};
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), ONE_BROKER).await;
    let (mut client, topic_id) = share(&node).await;
    with_queue(&mut client).await;
    client.create_topic("dlq.t", 1, &[("errors.deadletterqueue.group.enable", "true")]).await;
    client.produce("t", 0, batch(&["a", "b", "c"])).await;
    let archiving = |first_offset, last_offset, delivery_count| StateBatch {
        first_offset,
        last_offset,
        delivery_state: 3,
        delivery_count,
        ..Default::default()
    };
    let partition = PartitionData {
        start_offset: 0,
        state_batches: vec![archiving(0, 0, 1), archiving(1, 1, 5)],
        ..Default::default()
    };
    let topic = WriteStateData { topic_id, partitions: vec![partition], ..Default::default() };
    let request = protocol::WriteShareGroupStateRequest {
        group_id: "g".to_owned(),
        topics: vec![topic],
        ..Default::default()
    };
    let response = client.ask(request, 0).await;
    assert_eq!(response.results[0].partitions[0].error_code, ErrorCode::NONE);
    let mut member = Member::new(&node, "m", topic_id).await;
    assert_eq!(member.take().await, records(&[(2, "c", 1)]));
    let expected = [letter("null", 0, 1, REJECTED), letter("null", 1, 5, USED_UP)];
    assert_eq!(dead_letters(&mut client, "dlq.t", 2).await, expected);
    wait_until_archived(&mut client, topic_id, 2).await;
    node.stop().await;
}

#[tokio::test]
async fn without_a_queue_that_may_be_one_records_are_archived_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), ONE_BROKER).await;
    let (mut client, topic_id) = share(&node).await;
    with_queue(&mut client).await;
    client.create_topic("dlq.t", 1, &[]).await;
    let mut member = Member::new(&node, "m", topic_id).await;
    for (offset, topic) in [(0, "dlq.t"), (1, "elsewhere"), (2, "dlq.missing")] {
        configure(&mut client, "errors.deadletterqueue.topic.name", topic).await;
        client.produce("t", 0, batch(&["a"])).await;
        assert_eq!(member.take().await, records(&[(offset, "a", 1)]));
        assert_eq!(member.acknowledge(&[(offset, offset, &[3])]).await.error_code, ErrorCode::NONE);
    }
    wait_until_archived(&mut client, topic_id, 3).await;
    assert_eq!(values(&client.fetch("dlq.t", 0, 0, 0).await.records), []);
    node.stop().await;
}

/// Waits until nothing before `offset` is open in the persisted state.
async fn wait_until_archived(client: &mut Client, topic_id: Uuid, offset: i64) {
    while !is_archived(client, topic_id, offset).await {
        tokio::task::yield_now().await;
    }
}

async fn is_archived(client: &mut Client, topic_id: Uuid, offset: i64) -> bool {
    use protocol::read_share_group_state_request::{PartitionData, ReadStateData};
    let partition = PartitionData { partition: 0, leader_epoch: 0, ..Default::default() };
    let topic = ReadStateData { topic_id, partitions: vec![partition], ..Default::default() };
    let request = protocol::ReadShareGroupStateRequest {
        group_id: "g".to_owned(),
        topics: vec![topic],
        ..Default::default()
    };
    let response = client.ask(request, 0).await;
    let row = &response.results[0].partitions[0];
    assert_eq!(row.error_code, ErrorCode::NONE, "{:?}", row.error_message);
    let done = |batch: &protocol::read_share_group_state_response::StateBatch| {
        matches!(batch.delivery_state, 2 | 4) || batch.first_offset >= offset
    };
    let reached = row.state_batches.iter().map(|batch| batch.last_offset + 1).max();
    row.state_batches.iter().all(done) && reached.unwrap_or(row.start_offset) >= offset
}
