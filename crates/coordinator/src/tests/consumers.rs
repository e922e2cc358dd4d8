//! Consumer groups as the server asks about them: what a request must say, and metadata that comes before, while and after
//! a partition is loaded.

use std::sync::Arc;
use std::time::Duration;

use metadata::{MetadataDelta, MetadataImage};
use model::{LeaderEpoch, Uuid};
use protocol::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ErrorCode, MetadataRecord,
    PartitionRecord, TopicRecord,
};

use super::groups::{Node, context};
use super::memory_log::MemoryLog;

/// Metadata with a topic `t` of so many partitions.
pub(super) fn image(partitions: i32) -> Arc<MetadataImage> {
    image_of(Uuid::from_u128(1000), partitions)
}

/// Metadata with a topic `t` of this id.
pub(super) fn image_of(topic_id: Uuid, partitions: i32) -> Arc<MetadataImage> {
    let mut image = MetadataImage::default();
    let mut replay = |record| image.replay(&record).expect("the record fits");
    replay(MetadataRecord::TopicRecord(TopicRecord { name: "t".into(), topic_id, ..Default::default() }));
    for partition_id in 0..partitions {
        let directories = vec![Uuid::from_u128(7)];
        let (replicas, isr) = (vec![1], vec![1]);
        let record =
            PartitionRecord { partition_id, topic_id, replicas, isr, directories, ..Default::default() };
        replay(MetadataRecord::PartitionRecord(record));
    }
    Arc::new(image)
}

fn publish(node: &Node, old: &MetadataImage, new: &Arc<MetadataImage>) {
    node.coordinator.on_new_metadata(new.clone(), &MetadataDelta::between(old, new));
}

fn join() -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: "m".into(),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec!["t".into()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    }
}

async fn beat(node: &Node, request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
    node.coordinator.consumer_group_heartbeat(&context(1), request).await
}

fn partitions(response: &ConsumerGroupHeartbeatResponse) -> Vec<i32> {
    let topics = response.assignment.iter().flat_map(|assignment| &assignment.topic_partitions);
    topics.flat_map(|topic| topic.partitions.clone()).collect()
}

#[tokio::test]
async fn requests_that_say_too_little_are_refused_in_kafkas_words() {
    let node = Node::start(Arc::new(MemoryLog::new())).await;
    let wrong = [
        (ConsumerGroupHeartbeatRequest { member_id: " ".into(), ..join() }, "MemberId can't be empty."),
        (ConsumerGroupHeartbeatRequest { group_id: String::new(), ..join() }, "GroupId can't be empty."),
        (
            ConsumerGroupHeartbeatRequest { instance_id: Some(String::new()), ..join() },
            "InstanceId can't be empty.",
        ),
        (ConsumerGroupHeartbeatRequest { rack_id: Some(String::new()), ..join() }, "RackId can't be empty."),
        (
            ConsumerGroupHeartbeatRequest { rebalance_timeout_ms: -1, ..join() },
            "RebalanceTimeoutMs must be provided in first request.",
        ),
        (
            ConsumerGroupHeartbeatRequest { topic_partitions: None, ..join() },
            "TopicPartitions must be empty when (re-)joining.",
        ),
        (
            ConsumerGroupHeartbeatRequest { subscribed_topic_names: None, ..join() },
            "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
        ),
        (ConsumerGroupHeartbeatRequest { member_epoch: -2, ..join() }, "InstanceId can't be null."),
        (ConsumerGroupHeartbeatRequest { member_epoch: -3, ..join() }, "MemberEpoch is invalid."),
    ];
    for (request, message) in wrong {
        let response = beat(&node, request).await;
        assert_eq!(response.error_code, ErrorCode::INVALID_REQUEST);
        assert_eq!(response.error_message.as_deref(), Some(message));
    }
    let response =
        beat(&node, ConsumerGroupHeartbeatRequest { server_assignor: Some("best".into()), ..join() });
    let response = response.await;
    assert_eq!(response.error_code, ErrorCode::UNSUPPORTED_ASSIGNOR);
    assert_eq!(
        response.error_message.as_deref(),
        Some("ServerAssignor best is not supported. Supported assignors: uniform, range.")
    );
}

#[tokio::test]
async fn a_member_is_assigned_what_the_newest_metadata_has() {
    let node = Node::start_without_partition(Arc::new(MemoryLog::new()));
    let (none, two, three, four) = (MetadataImage::default(), image(2), image(3), image(4));
    publish(&node, &none, &two);
    node.coordinator.on_partition_elected(0, LeaderEpoch(0), node.log.clone());
    publish(&node, &two, &three);
    node.loaded().await;
    let joined = beat(&node, join()).await;
    assert_eq!((joined.member_epoch, partitions(&joined)), (2, vec![0, 1, 2]));
    publish(&node, &three, &four);
    node.clock.advance(Duration::from_secs(1));
    let later = ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: "m".into(),
        member_epoch: 2,
        rebalance_timeout_ms: -1,
        ..Default::default()
    };
    let later = beat(&node, later).await;
    assert_eq!((later.member_epoch, partitions(&later)), (3, vec![0, 1, 2, 3]));
}

#[tokio::test]
async fn a_group_that_is_not_named_is_described_as_invalid() {
    let node = Node::start(Arc::new(MemoryLog::new())).await;
    let described = node.coordinator.describe_consumer_groups(vec!["g".into(), String::new()]).await;
    let errors: Vec<_> = described.iter().map(|group| (group.group_id.as_str(), group.error_code)).collect();
    assert_eq!(errors, [("g", ErrorCode::GROUP_ID_NOT_FOUND), ("", ErrorCode::INVALID_GROUP_ID)]);
}
