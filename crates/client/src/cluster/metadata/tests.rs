//! Metadata moves forward.

use super::*;

fn response(topic_id: u128, leader: i32, epoch: i32) -> MetadataResponse {
    let partition =
        MetadataResponsePartition { leader_id: leader, leader_epoch: epoch, ..Default::default() };
    let topic = MetadataResponseTopic {
        name: Some("t".into()),
        topic_id: Uuid::from_u128(topic_id),
        partitions: vec![partition],
        ..Default::default()
    };
    let broker = |node_id| protocol::metadata_response::MetadataResponseBroker {
        node_id,
        host: format!("host{node_id}"),
        port: 9092,
        ..Default::default()
    };
    MetadataResponse { brokers: vec![broker(1), broker(2)], topics: vec![topic], ..Default::default() }
}

fn leader(metadata: &ClusterMetadata) -> Option<i32> {
    metadata.leader(&TopicPartition::new("t", 0)).map(|leader| leader.0)
}

#[test]
fn an_answer_with_an_older_leader_epoch_does_not_change_the_leader() {
    let first = ClusterMetadata::default().updated(response(7, 1, 5), false);
    assert_eq!(leader(&first), Some(1));
    assert_eq!(leader(&first.updated(response(7, 2, 4), false)), Some(1));
    assert_eq!(leader(&first.updated(response(7, 2, 6), false)), Some(2));
}

#[test]
fn a_topic_that_was_made_anew_starts_over() {
    let first = ClusterMetadata::default().updated(response(7, 1, 5), false);
    let second = first.updated(response(8, 2, 0), false);
    assert_eq!(leader(&second), Some(2));
    assert_eq!(second.topic_name(Uuid::from_u128(8)).map(|name| &**name), Some("t"));
    assert_eq!(second.topic_name(Uuid::from_u128(7)), None);
}

#[test]
fn a_leader_told_by_a_broker_counts_if_its_epoch_is_newer() {
    let first = ClusterMetadata::default().updated(response(7, 1, 5), false);
    let told = |epoch| {
        let leader = LeaderAndEpoch { leader: Some(NodeId(2)), epoch: LeaderEpoch(epoch) };
        first.with_leaders(&[(TopicPartition::new("t", 0), leader)], &[])
    };
    assert_eq!(told(5), None);
    assert_eq!(told(6).as_ref().and_then(leader), Some(2));
}
