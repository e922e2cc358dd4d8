//! Produce, fetch, list and delete over a real socket.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/harness.rs"]
mod harness;

use harness::{Client, TestNode, batch, batch_at, fetch_request, now_ms, produce_request, values};
use protocol::ErrorCode;
use protocol::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::offset_fetch_request::OffsetFetchRequestTopic;

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
async fn a_produce_request_that_gives_replicas_no_time_waits_for_this_node_s_disk() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    for (timeout_ms, offset) in [(0, 0), (-1, 1)] {
        let request = protocol::ProduceRequest { timeout_ms, ..produce_request("t", 0, batch(&["a"]), -1) };
        let row = client.ask(request, 9).await.responses.remove(0).partition_responses.remove(0);
        assert_eq!((row.error_code, row.base_offset), (ErrorCode::NONE, offset));
    }
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
async fn a_fetch_of_a_segment_that_gets_no_more_records_does_not_wait_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &["log.roll.ms=1000"]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    client.produce("t", 0, batch_at(now_ms(), "old")).await;
    client.produce("t", 0, batch_at(now_ms() + 10_000, "new")).await;
    let mut much = fetch_request("t", 0, 0, 3_600_000);
    much.min_bytes = 1 << 20;
    let fetched = client.ask(much, 12).await;
    assert_eq!(values(&fetched.responses[0].partitions[0].records), [(0, "old".to_owned())]);
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

#[tokio::test]
async fn offsets_committed_without_waiting_are_answered_in_order_and_before_what_follows() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    let find = protocol::FindCoordinatorRequest { key: "g".to_owned(), ..Default::default() };
    while client.ask(find.clone(), 3).await.error_code.is_error() {
        tokio::task::yield_now().await;
    }
    let first_error = |response: &protocol::OffsetCommitResponse| response.topics[0].partitions[0].error_code;
    while first_error(&client.ask(offset_commit(0), 9).await).is_error() {
        tokio::task::yield_now().await;
    }
    for n in 1..=40 {
        client.send(offset_commit(n), 9).await;
    }
    let partitions = vec![OffsetFetchRequestTopic {
        name: "t".to_owned(),
        partition_indexes: vec![0],
        ..Default::default()
    }];
    let fetch = protocol::OffsetFetchRequest {
        group_id: "g".to_owned(),
        topics: Some(partitions),
        ..Default::default()
    };
    client.send(fetch, 7).await;
    for n in 1..=40 {
        let committed = client.receive_before::<protocol::OffsetCommitRequest>(9, 41 - n).await;
        assert_eq!(first_error(&committed), ErrorCode::NONE);
    }
    let fetched = client.receive::<protocol::OffsetFetchRequest>(7).await;
    assert_eq!(fetched.topics[0].partitions[0].committed_offset, 40);
    node.stop().await;
}

fn offset_commit(offset: i64) -> protocol::OffsetCommitRequest {
    let partition = OffsetCommitRequestPartition {
        committed_offset: offset,
        committed_leader_epoch: -1,
        ..Default::default()
    };
    protocol::OffsetCommitRequest {
        group_id: "g".to_owned(),
        generation_id_or_member_epoch: -1,
        topics: vec![OffsetCommitRequestTopic {
            name: "t".to_owned(),
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[tokio::test]
async fn produce_requests_sent_without_waiting_are_answered_in_order_and_before_what_follows() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    let acks = |n: i32| if n % 5 == 4 { 1 } else { -1 };
    for n in 0..40 {
        client.send(produce_request("t", 0, batch(&[&n.to_string()]), acks(n)), 9).await;
    }
    client.send(fetch_request("t", 0, 39, 0), 12).await;
    for n in 0..40 {
        let produced = client.receive_before::<protocol::ProduceRequest>(9, 40 - n).await;
        assert_eq!(produced.responses[0].partition_responses[0].base_offset, i64::from(n));
    }
    let fetched = client.receive::<protocol::FetchRequest>(12).await;
    assert_eq!(values(&fetched.responses[0].partitions[0].records), [(39, "39".to_owned())]);
    node.stop().await;
}

async fn list(client: &mut Client, partition: i32, timestamp: i64, epoch: i32) -> (ErrorCode, i64, i64) {
    use protocol::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    let asked = ListOffsetsPartition {
        partition_index: partition,
        timestamp,
        current_leader_epoch: epoch,
        ..Default::default()
    };
    let topic = ListOffsetsTopic { name: "t".to_owned(), partitions: vec![asked], ..Default::default() };
    let request = protocol::ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let row = client.ask(request, 11).await.topics.remove(0).partitions.remove(0);
    (row.error_code, row.offset, row.timestamp)
}

#[tokio::test]
async fn every_sentinel_and_timestamp_finds_its_offset() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    let base = now_ms() - 10_000;
    for time in [base, base + 3000, base + 1000] {
        client.produce("t", 0, batch_at(time, "v")).await;
    }
    for (what, timestamp, expected) in [
        ("latest", -1, (3, -1)),
        ("earliest", -2, (0, -1)),
        ("greatest timestamp", -3, (1, base + 3000)),
        ("earliest local", -4, (0, -1)),
        ("latest tiered", -5, (-1, -1)),
        ("earliest pending upload", -6, (-1, -1)),
        ("a time before all", base - 1, (0, base)),
        ("a time between", base + 500, (1, base + 3000)),
        ("a time after all", base + 3001, (-1, -1)),
    ] {
        let (error, offset, time) = list(&mut client, 0, timestamp, -1).await;
        assert_eq!((error, (offset, time)), (ErrorCode::NONE, expected), "{what}");
    }
    assert_eq!(list(&mut client, 0, -7, -1).await.0, ErrorCode::UNSUPPORTED_VERSION);
    assert_eq!(list(&mut client, 5, -1, -1).await.0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(list(&mut client, 0, -1, 99).await.0, ErrorCode::UNKNOWN_LEADER_EPOCH);
    assert_eq!(list(&mut client, 0, -1, -2).await.0, ErrorCode::FENCED_LEADER_EPOCH);
    node.stop().await;
}

#[tokio::test]
async fn deleted_records_are_gone_for_readers() {
    use protocol::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    for value in ["a", "b", "c"] {
        client.produce("t", 0, batch(&[value])).await;
    }
    let delete = |offset| {
        let partition = DeleteRecordsPartition { partition_index: 0, offset, ..Default::default() };
        let topic =
            DeleteRecordsTopic { name: "t".to_owned(), partitions: vec![partition], ..Default::default() };
        protocol::DeleteRecordsRequest { topics: vec![topic], timeout_ms: 1000, ..Default::default() }
    };
    let row = client.ask(delete(9), 2).await.topics.remove(0).partitions.remove(0);
    assert_eq!((row.error_code, row.low_watermark), (ErrorCode::OFFSET_OUT_OF_RANGE, -1));
    let row = client.ask(delete(2), 2).await.topics.remove(0).partitions.remove(0);
    assert_eq!((row.error_code, row.low_watermark), (ErrorCode::NONE, 2));
    assert_eq!(client.fetch("t", 0, 0, 0).await.error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
    let fetched = client.fetch("t", 0, 2, 0).await;
    assert_eq!((fetched.log_start_offset, values(&fetched.records)), (2, vec![(2, "c".to_owned())]));
    node.stop().await;
}

#[tokio::test]
async fn a_topic_that_is_asked_for_is_created_where_that_is_allowed() {
    use protocol::metadata_request::MetadataRequestTopic;
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &["num.partitions=3"]).await;
    let mut client = node.client().await;
    let ask = |allow| protocol::MetadataRequest {
        topics: Some(vec![MetadataRequestTopic { name: Some("wanted".to_owned()), ..Default::default() }]),
        allow_auto_topic_creation: allow,
        ..Default::default()
    };
    let missing = client.ask(ask(false), 9).await.topics.remove(0);
    assert_eq!(missing.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let missing = client.ask(ask(true), 9).await.topics.remove(0);
    assert_eq!(missing.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    client.wait_for_topic("wanted").await;
    assert_eq!(client.ask(ask(false), 9).await.topics[0].partitions.len(), 3);
    node.stop().await;
}

#[tokio::test]
async fn a_fetch_session_tells_only_what_is_new() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 2, &[]).await;
    let mut open = protocol::FetchRequest { session_epoch: 0, ..fetch_request("t", 0, 0, 0) };
    let second =
        protocol::fetch_request::FetchPartition { partition: 1, ..open.topics[0].partitions[0].clone() };
    open.topics[0].partitions.push(second);
    let opened = client.ask(open.clone(), 12).await;
    assert_ne!(opened.session_id, 0);
    assert_eq!(opened.responses[0].partitions.len(), 2);
    let more = |session_epoch| protocol::FetchRequest {
        session_id: opened.session_id,
        session_epoch,
        topics: Vec::new(),
        ..open.clone()
    };
    assert!(client.ask(more(1), 12).await.responses.is_empty());
    client.produce("t", 1, batch(&["new"])).await;
    let told = client.ask(more(2), 12).await;
    assert_eq!((told.responses.len(), told.responses[0].partitions[0].partition_index), (1, 1));
    let wrong = client.ask(more(2), 12).await;
    assert_eq!(wrong.error_code, ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    node.stop().await;
}

#[tokio::test]
async fn a_fetch_keeps_to_its_limits_but_always_gets_on() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    for _ in 0..3 {
        client.produce("t", 0, batch(&[&"x".repeat(1000)])).await;
    }
    let limited = |max_bytes| protocol::FetchRequest { max_bytes, ..fetch_request("t", 0, 0, 0) };
    let one = client.ask(limited(1), 12).await;
    assert_eq!(values(&one.responses[0].partitions[0].records).len(), 1, "one batch comes, however large");
    let two = client.ask(limited(2300), 12).await;
    let bytes = two.responses[0].partitions[0].records.as_ref().unwrap().len();
    assert!((1000..=2300).contains(&bytes), "{bytes} bytes for 2,300");
    node.stop().await;
}

#[tokio::test]
async fn a_reader_whose_last_epoch_the_log_does_not_know_is_out_of_range() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    client.produce("t", 0, batch(&["a"])).await;
    let mut request = fetch_request("t", 0, 0, 0);
    request.topics[0].partitions[0].last_fetched_epoch = 3;
    let row = client.ask(request, 12).await.responses.remove(0).partitions.remove(0);
    assert_eq!((row.error_code, row.diverging_epoch.epoch), (ErrorCode::OFFSET_OUT_OF_RANGE, -1));
    node.stop().await;
}

#[tokio::test]
async fn a_reader_who_knows_another_epoch_is_fenced() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    let mut request = fetch_request("t", 0, 0, 0);
    request.topics[0].partitions[0].current_leader_epoch = 7;
    let row = client.ask(request, 12).await.responses.remove(0).partitions.remove(0);
    assert_eq!((row.error_code, row.high_watermark), (ErrorCode::UNKNOWN_LEADER_EPOCH, -1));
    drop(client);
    node.stop().await;
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.wait_for_topic("t").await;
    let mut request = fetch_request("t", 0, 0, 0);
    request.topics[0].partitions[0].current_leader_epoch = 0;
    let row = client.ask(request, 12).await.responses.remove(0).partitions.remove(0);
    assert_eq!(row.error_code, ErrorCode::FENCED_LEADER_EPOCH, "a restart begins a new term");
    node.stop().await;
}

#[tokio::test]
async fn a_deleted_topic_is_unknown_to_those_who_wait_on_it() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let (mut reader, mut admin) = (node.client().await, node.client().await);
    admin.create_topic("t", 1, &[]).await;
    reader.send(fetch_request("t", 0, 0, 30_000), 12).await;
    let request = protocol::DeleteTopicsRequest {
        topic_names: vec!["t".to_owned()],
        timeout_ms: 30_000,
        ..Default::default()
    };
    assert_eq!(admin.ask(request, 5).await.responses[0].error_code, ErrorCode::NONE);
    let row = reader.receive::<protocol::FetchRequest>(12).await.responses.remove(0).partitions.remove(0);
    let expected = [ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ErrorCode::NOT_LEADER_OR_FOLLOWER];
    assert!(expected.contains(&row.error_code), "{}", row.error_code.name());
    admin.create_topic("t", 1, &[]).await;
    assert_eq!(admin.produce("t", 0, batch(&["anew"])).await.base_offset, 0);
    node.stop().await;
}

#[tokio::test]
async fn a_group_commits_and_finds_its_offsets_again() {
    use protocol::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
    use protocol::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    let find =
        protocol::FindCoordinatorRequest { coordinator_keys: vec!["g".to_owned()], ..Default::default() };
    while client.ask(find.clone(), 4).await.coordinators[0].error_code.is_error() {
        tokio::task::yield_now().await;
    }
    let partition =
        OffsetCommitRequestPartition { partition_index: 0, committed_offset: 42, ..Default::default() };
    let topic =
        OffsetCommitRequestTopic { name: "t".to_owned(), partitions: vec![partition], ..Default::default() };
    let commit = protocol::OffsetCommitRequest {
        group_id: "g".to_owned(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    loop {
        let error = client.ask(commit.clone(), 8).await.topics[0].partitions[0].error_code;
        if error == ErrorCode::NONE {
            break;
        }
        assert_eq!(error, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    }
    let topics = vec![OffsetFetchRequestTopics {
        name: "t".to_owned(),
        partition_indexes: vec![0],
        ..Default::default()
    }];
    let group =
        OffsetFetchRequestGroup { group_id: "g".to_owned(), topics: Some(topics), ..Default::default() };
    let fetch = protocol::OffsetFetchRequest { groups: vec![group], ..Default::default() };
    let found = client.ask(fetch, 8).await.groups.remove(0).topics.remove(0).partitions.remove(0);
    assert_eq!((found.error_code, found.committed_offset), (ErrorCode::NONE, 42));
    node.stop().await;
}

#[tokio::test]
async fn connection_limits_change_while_the_node_runs() {
    use protocol::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    let config = AlterableConfig {
        name: "max.connections.per.ip".to_owned(),
        config_operation: 0,
        value: Some("1".to_owned()),
        ..Default::default()
    };
    let resource = AlterConfigsResource {
        resource_type: 4,
        resource_name: String::new(),
        configs: vec![config],
        ..Default::default()
    };
    let request =
        protocol::IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    assert_eq!(client.ask(request, 1).await.responses[0].error_code, ErrorCode::NONE);
    // The limit is there as soon as the broker has acted on its metadata.
    loop {
        let mut other = node.client().await;
        other.send(protocol::MetadataRequest::default(), 1).await;
        if other.is_closed().await {
            break;
        }
    }
    client.ask(protocol::MetadataRequest::default(), 1).await;
    node.stop().await;
}

#[tokio::test]
async fn what_was_altered_is_described_at_once() {
    use protocol::describe_configs_request::DescribeConfigsResource;
    use protocol::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    const TOPIC: i8 = 2;
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    client.create_topic("t", 1, &[]).await;
    for value in ["1000", "2000", "3000"] {
        let config = AlterableConfig {
            name: "retention.ms".to_owned(),
            value: Some(value.to_owned()),
            ..Default::default()
        };
        let resource = AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: "t".to_owned(),
            configs: vec![config],
            ..Default::default()
        };
        let alter =
            protocol::IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
        let altered = client.ask(alter, 1).await;
        assert_eq!(altered.responses[0].error_code, ErrorCode::NONE);
        let resource = DescribeConfigsResource {
            resource_type: TOPIC,
            resource_name: "t".to_owned(),
            configuration_keys: Some(vec!["retention.ms".to_owned()]),
            ..Default::default()
        };
        let describe = protocol::DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
        let described = client.ask(describe, 4).await;
        assert_eq!(described.results[0].configs[0].value.as_deref(), Some(value));
    }
    node.stop().await;
}
