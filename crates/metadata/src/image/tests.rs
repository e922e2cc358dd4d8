//! Replaying every kind of record, snapshots of the result, and what a delta says of it.

use std::sync::Arc;

use bytes::Bytes;
use protocol::client_quota_record::EntityData;
use protocol::register_broker_record::{BrokerEndpoint, BrokerFeature};
use protocol::register_controller_record::{ControllerEndpoint, ControllerFeature};
use protocol::*;

use super::*;
use crate::{ConfigResource, Feature, MetadataDelta, MetadataVersion, record_version};

const TOPIC: Uuid = Uuid::from_u128(1000);
const OTHER: Uuid = Uuid::from_u128(2000);

fn level(name: &str, feature_level: i16) -> MetadataRecord {
    MetadataRecord::FeatureLevelRecord(FeatureLevelRecord {
        name: name.to_owned(),
        feature_level,
        ..Default::default()
    })
}

fn broker(id: i32, epoch: i64) -> MetadataRecord {
    MetadataRecord::RegisterBrokerRecord(RegisterBrokerRecord {
        broker_id: id,
        broker_epoch: epoch,
        incarnation_id: Uuid::from_u128(7),
        end_points: vec![BrokerEndpoint {
            name: "PLAINTEXT".to_owned(),
            host: "localhost".to_owned(),
            port: 9092,
            ..Default::default()
        }],
        features: vec![BrokerFeature {
            name: "metadata.version".to_owned(),
            min_supported_version: 7,
            max_supported_version: 30,
            ..Default::default()
        }],
        rack: Some("a".to_owned()),
        log_dirs: vec![Uuid::from_u128(300), Uuid::from_u128(200)],
        ..Default::default()
    })
}

fn controller(id: i32) -> MetadataRecord {
    MetadataRecord::RegisterControllerRecord(RegisterControllerRecord {
        controller_id: id,
        incarnation_id: Uuid::from_u128(8),
        end_points: vec![ControllerEndpoint {
            name: "CONTROLLER".to_owned(),
            host: "localhost".to_owned(),
            port: 9093,
            ..Default::default()
        }],
        features: vec![ControllerFeature {
            name: "group.version".to_owned(),
            max_supported_version: 1,
            ..Default::default()
        }],
        ..Default::default()
    })
}

fn topic(name: &str, topic_id: Uuid) -> MetadataRecord {
    MetadataRecord::TopicRecord(TopicRecord { name: name.to_owned(), topic_id, ..Default::default() })
}

fn partition(topic_id: Uuid, partition_id: i32) -> MetadataRecord {
    MetadataRecord::PartitionRecord(PartitionRecord {
        partition_id,
        topic_id,
        replicas: vec![1, 2],
        isr: vec![1],
        leader: 1,
        leader_epoch: 0,
        partition_epoch: 0,
        directories: vec![Uuid::from_u128(200), Uuid::from_u128(500)],
        eligible_leader_replicas: Some(vec![2]),
        last_known_elr: Some(vec![1]),
        ..Default::default()
    })
}

fn config(resource: &ConfigResource, name: &str, value: Option<&str>) -> MetadataRecord {
    MetadataRecord::ConfigRecord(ConfigRecord {
        resource_type: resource.resource_type.0,
        resource_name: resource.name.to_string(),
        name: name.to_owned(),
        value: value.map(str::to_owned),
        ..Default::default()
    })
}

fn quota(user: Option<&str>, value: f64, remove: bool) -> MetadataRecord {
    MetadataRecord::ClientQuotaRecord(ClientQuotaRecord {
        entity: vec![EntityData {
            entity_type: "user".to_owned(),
            entity_name: user.map(str::to_owned),
            ..Default::default()
        }],
        key: "producer_byte_rate".to_owned(),
        value,
        remove,
        ..Default::default()
    })
}

fn scram(name: &str) -> MetadataRecord {
    MetadataRecord::UserScramCredentialRecord(UserScramCredentialRecord {
        name: name.to_owned(),
        mechanism: 1,
        salt: Bytes::from_static(b"salt"),
        stored_key: Bytes::from_static(b"hush"),
        server_key: Bytes::from_static(b"hush too"),
        iterations: 4096,
        ..Default::default()
    })
}

fn acl(id: u128) -> MetadataRecord {
    MetadataRecord::AccessControlEntryRecord(AccessControlEntryRecord {
        id: Uuid::from_u128(id),
        resource_type: 2,
        resource_name: "t".to_owned(),
        pattern_type: 3,
        principal: "User:a".to_owned(),
        host: "*".to_owned(),
        operation: 3,
        permission_type: 3,
        ..Default::default()
    })
}

fn token(id: &str) -> MetadataRecord {
    MetadataRecord::DelegationTokenRecord(DelegationTokenRecord {
        token_id: id.to_owned(),
        ..Default::default()
    })
}

/// An image in which every kind of state is present.
fn full() -> MetadataImage {
    let mut records =
        vec![level("metadata.version", 30), level("group.version", 1), broker(1, 5), broker(2, 6)];
    records.push(controller(1));
    records.extend([topic("t", TOPIC), partition(TOPIC, 0), partition(TOPIC, 1), topic("o", OTHER)]);
    records.push(config(&ConfigResource::topic("t"), "retention.ms", Some("1")));
    records.push(config(&ConfigResource::default_broker(), "min.insync.replicas", Some("1")));
    records.extend([quota(Some("a"), 5.0, false), quota(None, 6.0, false)]);
    records.push(MetadataRecord::ProducerIdsRecord(ProducerIdsRecord {
        next_producer_id: 1000,
        ..Default::default()
    }));
    records.extend([acl(1), scram("a"), token("id")]);
    replayed(&records)
}

fn replayed(records: &[MetadataRecord]) -> MetadataImage {
    let mut image = MetadataImage::default();
    replay_all(&mut image, records);
    image
}

fn replay_all(image: &mut MetadataImage, records: &[MetadataRecord]) {
    for record in records {
        image.replay(record).expect("the record fits the image");
    }
}

#[test]
fn a_snapshot_makes_the_same_image_again() {
    let image = full();
    assert_eq!(replayed(&image.to_records()), image);
}

#[test]
fn every_record_of_a_snapshot_survives_its_bytes() {
    let image = full();
    let version = image.features().metadata_version();
    for record in image.to_records() {
        let bytes = record.to_bytes(record_version(&record, version)).expect("its version holds the record");
        assert_eq!(MetadataRecord::from_bytes(bytes).expect("it was just written").0, record);
    }
}

#[test]
fn a_snapshot_begins_with_the_metadata_version() {
    assert_eq!(full().to_records().first(), Some(&level("metadata.version", 30)));
}

#[test]
fn a_partition_change_touches_only_what_it_names() {
    let mut image = full();
    let change = PartitionChangeRecord {
        partition_id: 1,
        topic_id: TOPIC,
        leader: 2,
        isr: Some(vec![2]),
        ..Default::default()
    };
    replay_all(&mut image, &[MetadataRecord::PartitionChangeRecord(change)]);
    let partition = image.topics().partition("t", 1).expect("it was created");
    assert_eq!((partition.leader, partition.leader_epoch.0, partition.partition_epoch), (NodeId(2), 1, 1));
    assert_eq!(partition.isr, [NodeId(2)]);
    assert_eq!(partition.elr, [NodeId(2)]);
    assert_eq!(partition.directory(NodeId(2)), Some(Uuid::from_u128(500)));
    assert_eq!(image.topics().partition("t", 0).expect("it was created").partition_epoch, 0);
}

#[test]
fn a_removed_topic_takes_its_configs_along() {
    let mut image = full();
    let remove = RemoveTopicRecord { topic_id: TOPIC, ..Default::default() };
    replay_all(&mut image, &[MetadataRecord::RemoveTopicRecord(remove)]);
    assert!(image.topics().by_name("t").is_none());
    assert!(image.topics().by_id(TOPIC).is_none());
    assert!(image.configs().topic("t").is_none());
    assert!(image.topics().by_name("o").is_some());
}

#[test]
fn a_broker_is_fenced_unfenced_and_unregistered_by_its_epoch() {
    let mut image = full();
    let unfence = |fenced, epoch| {
        MetadataRecord::BrokerRegistrationChangeRecord(BrokerRegistrationChangeRecord {
            broker_id: 1,
            broker_epoch: epoch,
            fenced,
            ..Default::default()
        })
    };
    replay_all(&mut image, &[unfence(-1, 5)]);
    assert!(!image.cluster().broker(NodeId(1)).expect("registered").fenced);
    assert_eq!(image.replay(&unfence(1, 4)), Err(ReplayError::UnknownBroker(NodeId(1), 4)));
    let fence = FenceBrokerRecord { id: 1, epoch: 5, ..Default::default() };
    replay_all(&mut image, &[MetadataRecord::FenceBrokerRecord(fence)]);
    assert!(image.cluster().broker(NodeId(1)).expect("registered").fenced);
    let gone = UnregisterBrokerRecord { broker_id: 1, broker_epoch: 5, ..Default::default() };
    replay_all(&mut image, &[MetadataRecord::UnregisterBrokerRecord(gone)]);
    assert!(image.cluster().broker(NodeId(1)).is_none());
}

#[test]
fn an_aborted_transaction_leaves_no_trace() {
    let mut image = full();
    let before = image.clone();
    replay_all(
        &mut image,
        &[
            MetadataRecord::BeginTransactionRecord(BeginTransactionRecord::default()),
            topic("new", Uuid::from_u128(3)),
        ],
    );
    assert!(image.in_transaction());
    assert_eq!(image.committed(), &before);
    replay_all(&mut image, &[MetadataRecord::AbortTransactionRecord(AbortTransactionRecord::default())]);
    assert_eq!(image, before);
    assert!(!image.in_transaction());
}

#[test]
fn an_ended_transaction_stays() {
    let mut image = full();
    replay_all(
        &mut image,
        &[
            MetadataRecord::BeginTransactionRecord(BeginTransactionRecord::default()),
            topic("new", Uuid::from_u128(3)),
            MetadataRecord::EndTransactionRecord(EndTransactionRecord::default()),
        ],
    );
    assert!(image.topics().by_name("new").is_some());
}

#[test]
fn the_removing_records_remove() {
    let mut image = full();
    let remove_acl = RemoveAccessControlEntryRecord { id: Uuid::from_u128(1), ..Default::default() };
    let remove_scram =
        RemoveUserScramCredentialRecord { name: "a".to_owned(), mechanism: 1, ..Default::default() };
    let remove_token = RemoveDelegationTokenRecord { token_id: "id".to_owned(), ..Default::default() };
    replay_all(
        &mut image,
        &[
            config(&ConfigResource::topic("t"), "retention.ms", None),
            quota(Some("a"), 0.0, true),
            level("group.version", 0),
            MetadataRecord::RemoveAccessControlEntryRecord(remove_acl),
            MetadataRecord::RemoveUserScramCredentialRecord(remove_scram),
            MetadataRecord::RemoveDelegationTokenRecord(remove_token),
            MetadataRecord::ClearElrRecord(ClearElrRecord::default()),
            MetadataRecord::NoOpRecord(NoOpRecord::default()),
            MetadataRecord::ZkMigrationStateRecord(ZkMigrationStateRecord::default()),
        ],
    );
    assert!(image.configs().topic("t").is_none());
    assert_eq!(image.client_quotas().entities().count(), 1);
    assert_eq!(image.features().level(Feature::GroupVersion), 0);
    assert_eq!(image.acls().acls().count(), 0);
    assert_eq!(image.scram().credentials().count(), 0);
    assert_eq!(image.delegation_tokens().tokens().count(), 0);
    assert!(image.topics().partition("t", 0).expect("it was created").elr.is_empty());
}

#[test]
fn a_record_that_contradicts_the_image_is_refused() {
    let mut image = full();
    assert_eq!(image.replay(&topic("t", OTHER)), Err(ReplayError::TopicExists("t".to_owned())));
    let unknown = Uuid::from_u128(9);
    assert_eq!(image.replay(&partition(unknown, 0)), Err(ReplayError::UnknownTopic(unknown)));
    assert_eq!(image, full());
}

#[test]
fn a_debug_print_shows_no_secret() {
    assert!(!format!("{:?}", full()).contains("hush"));
}

#[test]
fn a_delta_names_what_changed_and_nothing_else() {
    let old = full();
    let mut new = old.clone();
    replay_all(
        &mut new,
        &[
            topic("n", Uuid::from_u128(3)),
            partition(Uuid::from_u128(3), 0),
            MetadataRecord::RemoveTopicRecord(RemoveTopicRecord { topic_id: OTHER, ..Default::default() }),
            config(&ConfigResource::topic("t"), "retention.ms", Some("2")),
        ],
    );
    let delta = MetadataDelta::between(&old, &new);
    assert_eq!(delta.topics.len(), 1);
    assert!(delta.topics[0].is_new && delta.topics[0].topic.id() == Uuid::from_u128(3));
    assert_eq!(delta.deleted_topics.iter().map(|topic| topic.name().as_ref()).collect::<Vec<_>>(), ["o"]);
    assert_eq!(delta.configs, [ConfigResource::topic("t")]);
    assert!(delta.brokers.is_empty() && !delta.features_changed && !delta.scram_changed);
    let local = delta.local_changes(NodeId(1));
    assert_eq!((local.leaders.len(), local.followers.len(), local.deletes.len()), (1, 0, 0));
    assert_eq!(delta.local_changes(NodeId(2)).followers.len(), 1);
}

#[test]
fn equal_images_have_an_empty_delta() {
    let delta = MetadataDelta::between(&full(), &full());
    assert!(delta.topics.is_empty() && delta.configs.is_empty() && delta.brokers.is_empty());
}

#[test]
fn an_old_level_drops_what_it_cannot_hold() {
    let image = replayed(&[
        level("metadata.version", MetadataVersion::V3_6_IV2.0),
        topic("t", TOPIC),
        partition(TOPIC, 0),
    ]);
    for record in image.to_records() {
        let version = record_version(&record, image.features().metadata_version());
        assert!(record.to_bytes(version).is_ok(), "{record:?} does not fit version {version}");
    }
}

#[test]
fn partitions_in_the_same_state_share_its_memory() {
    let mut image = replayed(&[topic("t", TOPIC), partition(TOPIC, 0), partition(TOPIC, 1)]);
    let state = |image: &MetadataImage, index| {
        image.topics().partition("t", index).expect("the partition is there").clone()
    };
    assert!(Arc::ptr_eq(&state(&image, 0), &state(&image, 1)));
    let change = |partition_id| {
        let change = PartitionChangeRecord { topic_id: TOPIC, partition_id, leader: 2, ..Default::default() };
        MetadataRecord::PartitionChangeRecord(change)
    };
    image.replay(&change(1)).expect("it fits");
    assert_eq!((state(&image, 0).leader, state(&image, 1).leader), (NodeId(1), NodeId(2)));
    image.replay(&change(0)).expect("it fits");
    image.replay(&change(1)).expect("it fits");
    assert_eq!((state(&image, 0).partition_epoch, state(&image, 1).partition_epoch), (1, 2));
}
