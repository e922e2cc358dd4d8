//! Members of share groups over a real socket: they acquire, acknowledge, come and go.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "share_groups/dead_letters.rs"]
mod dead_letters;

#[path = "share_groups/topic_counts.rs"]
mod topic_counts;

#[path = "harness/harness.rs"]
mod harness;

use harness::{Client, TestNode, batch, batch_at, now_ms, values};
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
async fn few_records_are_acquired_at_once_of_a_segment_that_gets_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[ONE_BROKER, &["log.roll.ms=1000"]].concat()).await;
    let (mut client, topic_id) = share(&node).await;
    client.produce("t", 0, batch_at(now_ms(), "old")).await;
    client.produce("t", 0, batch_at(now_ms() + 10_000, "new")).await;
    let mut member = Member::new(&node, "m", topic_id).await;
    member.wait_ms = 3_600_000;
    let much = ShareFetchRequest { min_bytes: 1 << 19, ..member.request(&[]) };
    assert_eq!(acquired(&member.client.ask(much, 2).await), records(&[(0, "old", 1)]));
    node.stop().await;
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
