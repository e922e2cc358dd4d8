//! Members of share groups over a real socket: they acquire, acknowledge, come and go, and what they give up is in the group's
//! dead-letter queue.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/harness.rs"]
mod harness;

use harness::{Client, TestNode, batch, values};
use model::Uuid;
use protocol::initialize_share_group_state_request::{InitializeStateData, PartitionData as InitialState};
use protocol::share_acknowledge_request::{
    AcknowledgePartition, AcknowledgeTopic, AcknowledgementBatch as Acknowledged,
};
use protocol::share_fetch_request::{AcknowledgementBatch, FetchPartition, FetchTopic};
use protocol::share_fetch_response::PartitionData;
use protocol::{
    ErrorCode, IncrementalAlterConfigsRequest, InitializeShareGroupStateRequest, ShareAcknowledgeRequest,
    ShareAcknowledgeResponse, ShareFetchRequest, ShareFetchResponse,
};

const ONE_BROKER: &[&str] = &[
    "share.coordinator.state.topic.num.partitions=2",
    "share.coordinator.state.topic.replication.factor=1",
    "share.coordinator.state.topic.min.isr=1",
];

/// What is acknowledged: first and last offset, and types.
type Words<'a> = &'a [(i64, i64, &'a [i8])];

/// A member of group `g`, on a connection of its own.
struct Member {
    client: Client,
    id: String,
    topic_id: Uuid,
    epoch: i32,
    wait_ms: i32,
}

impl Member {
    async fn new(node: &TestNode, id: &str, topic_id: Uuid) -> Self {
        Self { client: node.client().await, id: id.to_owned(), topic_id, epoch: 0, wait_ms: 10_000 }
    }

    fn request(&mut self, words: Words<'_>) -> ShareFetchRequest {
        let batch = |(first_offset, last_offset, types): &(i64, i64, &[i8])| AcknowledgementBatch {
            first_offset: *first_offset,
            last_offset: *last_offset,
            acknowledge_types: types.to_vec(),
            ..Default::default()
        };
        let acknowledgement_batches = words.iter().map(batch).collect();
        let partition = FetchPartition { partition_index: 0, acknowledgement_batches, ..Default::default() };
        let topic = FetchTopic { topic_id: self.topic_id, partitions: vec![partition], ..Default::default() };
        let share_session_epoch = self.epoch;
        self.epoch += 1;
        ShareFetchRequest {
            group_id: Some("g".to_owned()),
            member_id: Some(self.id.clone()),
            share_session_epoch,
            max_wait_ms: self.wait_ms,
            min_bytes: 1,
            max_bytes: 1 << 20,
            max_records: 500,
            batch_size: 500,
            topics: vec![topic],
            ..Default::default()
        }
    }

    async fn fetch(&mut self, words: Words<'_>) -> ShareFetchResponse {
        let request = self.request(words);
        self.client.ask(request, 2).await
    }

    /// Fetches; tells offsets, values and delivery counts of what it acquired.
    async fn take(&mut self) -> Vec<(i64, String, i16)> {
        let response = self.fetch(&[]).await;
        assert_eq!(response.error_code, ErrorCode::NONE);
        acquired(&response)
    }

    async fn acknowledge(&mut self, words: Words<'_>) -> ShareAcknowledgeResponse {
        let batch = |(first_offset, last_offset, types): &(i64, i64, &[i8])| Acknowledged {
            first_offset: *first_offset,
            last_offset: *last_offset,
            acknowledge_types: types.to_vec(),
            ..Default::default()
        };
        let acknowledgement_batches = words.iter().map(batch).collect();
        let partition =
            AcknowledgePartition { partition_index: 0, acknowledgement_batches, ..Default::default() };
        let topic =
            AcknowledgeTopic { topic_id: self.topic_id, partitions: vec![partition], ..Default::default() };
        let request = ShareAcknowledgeRequest {
            group_id: Some("g".to_owned()),
            member_id: Some(self.id.clone()),
            share_session_epoch: self.epoch,
            topics: vec![topic],
            ..Default::default()
        };
        self.epoch += 1;
        self.client.ask(request, 2).await
    }

    async fn accept(&mut self, first: i64, last: i64) {
        let response = self.acknowledge(&[(first, last, &[1])]).await;
        let row = &response.responses[0].partitions[0];
        assert_eq!((response.error_code, row.error_code), (ErrorCode::NONE, ErrorCode::NONE), "{row:?}");
    }
}

fn rows(response: &ShareFetchResponse) -> Vec<&PartitionData> {
    response.responses.iter().flat_map(|topic| &topic.partitions).collect()
}

fn acquired(response: &ShareFetchResponse) -> Vec<(i64, String, i16)> {
    let mut found = Vec::new();
    for row in rows(response) {
        assert_eq!(row.error_code, ErrorCode::NONE);
        for (offset, value) in values(&row.records) {
            let range = row
                .acquired_records
                .iter()
                .find(|range| (range.first_offset..=range.last_offset).contains(&offset));
            found.extend(range.map(|range| (offset, value, range.delivery_count)));
        }
    }
    found
}

fn records(expected: &[(i64, &str, i16)]) -> Vec<(i64, String, i16)> {
    expected.iter().map(|(offset, value, count)| (*offset, (*value).to_owned(), *count)).collect()
}

/// Makes topic `t`, which group `g` reads from its first record on.
async fn share(node: &TestNode) -> (Client, Uuid) {
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    let topic_id = client.wait_for_topic("t").await;
    let state = InitialState { partition: 0, state_epoch: 0, start_offset: 0, ..Default::default() };
    let topic = InitializeStateData { topic_id, partitions: vec![state], ..Default::default() };
    let request = InitializeShareGroupStateRequest {
        group_id: "g".to_owned(),
        topics: vec![topic],
        ..Default::default()
    };
    loop {
        let response = client.ask(request.clone(), 0).await;
        match response.results[0].partitions[0].error_code {
            ErrorCode::NONE => return (client, topic_id),
            ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            | ErrorCode::NOT_COORDINATOR => {
                find_coordinator(&mut client, topic_id).await;
            }
            error => panic!("{error:?}"),
        }
    }
}

/// Asking for the coordinator has its topic made.
async fn find_coordinator(client: &mut Client, topic_id: Uuid) {
    let request = protocol::FindCoordinatorRequest {
        key_type: 2,
        coordinator_keys: vec![format!("g:{topic_id}:0")],
        ..Default::default()
    };
    client.ask(request, 6).await;
    tokio::task::yield_now().await;
}

async fn configure(client: &mut Client, name: &str, value: &str) {
    use protocol::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let config = AlterableConfig {
        name: name.to_owned(),
        config_operation: 0,
        value: Some(value.to_owned()),
        ..Default::default()
    };
    let resource = AlterConfigsResource {
        resource_type: 32,
        resource_name: "g".to_owned(),
        configs: vec![config],
        ..Default::default()
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    let response = client.ask(request, 1).await;
    assert_eq!(
        response.responses[0].error_code,
        ErrorCode::NONE,
        "{:?}",
        response.responses[0].error_message
    );
}

#[tokio::test]
async fn what_was_accepted_does_not_come_again_and_what_was_not_does_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), ONE_BROKER).await;
    let (mut client, topic_id) = share(&node).await;
    client.produce("t", 0, batch(&["a", "b", "c"])).await;
    let mut member = Member::new(&node, "m", topic_id).await;
    assert_eq!(member.take().await, records(&[(0, "a", 1), (1, "b", 1), (2, "c", 1)]));
    member.accept(0, 1).await;
    drop((client, member));
    node.stop().await;

    let node = TestNode::start(dir.path(), ONE_BROKER).await;
    let mut member = Member::new(&node, "m", topic_id).await;
    let taken = member.take().await;
    assert_eq!(taken.iter().map(|(offset, ..)| *offset).collect::<Vec<_>>(), [2]);
    node.stop().await;
}

#[tokio::test]
async fn a_record_goes_to_one_member_and_to_another_when_it_is_released() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), ONE_BROKER).await;
    let (mut client, topic_id) = share(&node).await;
    let (mut one, mut two) =
        (Member::new(&node, "1", topic_id).await, Member::new(&node, "2", topic_id).await);
    client.produce("t", 0, batch(&["a", "b"])).await;
    assert_eq!(one.take().await, records(&[(0, "a", 1), (1, "b", 1)]));
    two.wait_ms = 0;
    assert_eq!(two.take().await, []);
    two.wait_ms = 30_000;
    let waiting = two.request(&[]);
    two.client.send(waiting, 2).await;
    // Along with the next fetch it accepts one record and releases the other.
    one.wait_ms = 0;
    let response = one.fetch(&[(0, 1, &[1, 2])]).await;
    let row = rows(&response)[0];
    assert_eq!(row.acknowledge_error_code, ErrorCode::NONE);
    let taken = two.client.receive::<ShareFetchRequest>(2).await;
    assert_eq!(acquired(&taken), records(&[(1, "b", 2)]));
    node.stop().await;
}

#[tokio::test]
async fn a_share_fetch_waits_for_the_next_record() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), ONE_BROKER).await;
    let (mut client, topic_id) = share(&node).await;
    let mut member = Member::new(&node, "m", topic_id).await;
    member.wait_ms = 30_000;
    let request = member.request(&[]);
    member.client.send(request, 2).await;
    tokio::task::yield_now().await;
    client.produce("t", 0, batch(&["late"])).await;
    let response = member.client.receive::<ShareFetchRequest>(2).await;
    assert_eq!(acquired(&response), records(&[(0, "late", 1)]));
    assert_eq!(response.acquisition_lock_timeout_ms, 30_000);
    node.stop().await;
}

#[tokio::test]
async fn what_a_member_held_goes_to_others_when_its_session_closes_or_its_connection_drops() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), ONE_BROKER).await;
    let (mut client, topic_id) = share(&node).await;
    client.produce("t", 0, batch(&["a"])).await;
    let mut one = Member::new(&node, "1", topic_id).await;
    assert_eq!(one.take().await, records(&[(0, "a", 1)]));
    one.epoch = -1;
    let closed = one.acknowledge(&[]).await;
    assert_eq!(closed.error_code, ErrorCode::NONE);
    let mut two = Member::new(&node, "2", topic_id).await;
    assert_eq!(two.take().await, records(&[(0, "a", 2)]));
    drop(two);
    let mut three = Member::new(&node, "3", topic_id).await;
    assert_eq!(three.take().await, records(&[(0, "a", 3)]));
    node.stop().await;
}

#[tokio::test]
async fn a_lock_that_runs_out_gives_the_record_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let quick = [ONE_BROKER, &["group.share.min.record.lock.duration.ms=1000"]].concat();
    let node = TestNode::start(dir.path(), &quick).await;
    let (mut client, topic_id) = share(&node).await;
    configure(&mut client, "share.record.lock.duration.ms", "1000").await;
    client.produce("t", 0, batch(&["a"])).await;
    let (mut one, mut two) =
        (Member::new(&node, "1", topic_id).await, Member::new(&node, "2", topic_id).await);
    assert_eq!(one.take().await, records(&[(0, "a", 1)]));
    assert_eq!(two.take().await, records(&[(0, "a", 2)]));
    let late = one.acknowledge(&[(0, 0, &[1])]).await;
    let row = &late.responses[0].partitions[0];
    assert_eq!(row.error_code, ErrorCode::INVALID_RECORD_STATE);
    assert_eq!(row.error_message.as_deref(), Some("Member is not the owner of batch record"));
    node.stop().await;
}

#[tokio::test]
async fn whoever_makes_no_sense_is_refused_as_kafka_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let few = [ONE_BROKER, &["group.share.max.share.sessions=1", "group.share.max.size=1"]].concat();
    let node = TestNode::start(dir.path(), &few).await;
    let (_client, topic_id) = share(&node).await;
    let mut member = Member::new(&node, "m", topic_id).await;
    member.wait_ms = 0;
    let code = member.fetch(&[(0, 0, &[1])]).await.error_code;
    assert_eq!(code, ErrorCode::INVALID_REQUEST, "acknowledgements with the epoch that opens a session");
    assert_eq!(member.fetch(&[]).await.error_code, ErrorCode::SHARE_SESSION_NOT_FOUND);
    member.epoch = 0;
    assert_eq!(member.acknowledge(&[]).await.error_code, ErrorCode::INVALID_SHARE_SESSION_EPOCH);
    member.epoch = 0;
    assert_eq!(member.fetch(&[]).await.error_code, ErrorCode::NONE);
    let response = member.fetch(&[(0, 5, &[1, 1])]).await;
    assert_eq!(rows(&response)[0].acknowledge_error_code, ErrorCode::INVALID_REQUEST);
    let response = member.fetch(&[(0, 5, &[1])]).await;
    assert_eq!(rows(&response)[0].acknowledge_error_code, ErrorCode::INVALID_RECORD_STATE);
    member.epoch = 7;
    assert_eq!(member.fetch(&[]).await.error_code, ErrorCode::INVALID_SHARE_SESSION_EPOCH);
    let mut second = Member::new(&node, "n", topic_id).await;
    second.wait_ms = 0;
    assert_eq!(second.fetch(&[]).await.error_code, ErrorCode::SHARE_SESSION_LIMIT_REACHED);
    let mut nameless = Member::new(&node, "", topic_id).await;
    assert_eq!(nameless.fetch(&[]).await.error_code, ErrorCode::INVALID_REQUEST);
    let mut elsewhere = Member::new(&node, "m", Uuid::from_u128(99)).await;
    elsewhere.wait_ms = 0;
    assert_eq!(rows(&elsewhere.fetch(&[]).await)[0].error_code, ErrorCode::UNKNOWN_TOPIC_ID);
    node.stop().await;
}

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

const REJECTED: &str = "Offset rejected by client.";
const USED_UP: &str = "Offset delivery count exceeded the threshold.";

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
