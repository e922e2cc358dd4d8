//! The admin client against a real broker, named by `MONEDULA_TEST_BOOTSTRAP`; skipped without one.

mod broker;

use std::collections::BTreeMap;

use client::admin::{
    AlterConfigOp, ConfigResource, CreateTopicsOptions, ElectionType, ListGroupsOptions, NewPartitions,
    NewTopic, OffsetSpec, ResourceType, TopicName,
};
use client::config::IsolationLevel;
use client::{Admin, OffsetAndMetadata};
use model::{NodeId, Offset, TopicPartition};
use protocol::ErrorCode;

use broker::{bootstrap_or_skip, eventually, unique};

async fn admin_with_topic(partitions: i32) -> Option<(Admin, String)> {
    let admin = Admin::from_map(&bootstrap_or_skip()?).expect("a valid configuration");
    let topic = unique("admin");
    let new = NewTopic::new(&topic).sized(partitions, 1).config("retention.ms", "86400000");
    let created = admin.create_topics(&[new], CreateTopicsOptions::default()).await.expect("an answer");
    let created = created[&topic].as_ref().expect("the topic is new");
    assert_eq!(created.partitions, partitions);
    eventually("the topic has leaders", async || {
        let described = admin.describe_topics(std::slice::from_ref(&topic)).await.ok()?;
        let description = described[&topic].as_ref().ok()?;
        description.partitions.iter().all(|partition| partition.leader.is_some()).then_some(())
    })
    .await;
    Some((admin, topic))
}

#[tokio::test]
async fn a_topic_is_created_described_grown_and_deleted() {
    let Some((admin, topic)) = admin_with_topic(2).await else { return };
    assert!(admin.list_topics(false).await.expect("a list").iter().any(|listing| listing.name == topic));
    let described = admin.describe_topics(&[topic.clone(), "no-such".into()]).await.expect("an answer");
    let description = described[&topic].as_ref().expect("it is there");
    assert_eq!(description.partitions.len(), 2);
    assert!(description.partitions.iter().all(|partition| partition.leader.is_some()));
    let missing = described["no-such"].as_ref().expect_err("it is not there");
    assert!(missing.is(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), "{missing}");
    let by_id = admin.describe_topics_by_id(&[description.id]).await.expect("an answer");
    assert_eq!(by_id[&TopicName::Id(description.id)].as_ref().expect("it is there").name, topic);

    let more = BTreeMap::from([(topic.clone(), NewPartitions { total: 3, assignments: None })]);
    admin.create_partitions(&more, false).await.expect("an answer")[&topic].as_ref().expect("it grows");
    let fewer = BTreeMap::from([(topic.clone(), NewPartitions { total: 1, assignments: None })]);
    let refused = admin.create_partitions(&fewer, false).await.expect("an answer");
    assert!(refused[&topic].as_ref().expect_err("it cannot shrink").is(ErrorCode::INVALID_PARTITIONS));

    let again = admin
        .create_topics(&[NewTopic::new(&topic)], CreateTopicsOptions::default())
        .await
        .expect("an answer");
    let error = again[&topic].as_ref().expect_err("it exists");
    assert_eq!(error.to_string(), format!("Topic '{topic}' already exists."));

    let name = TopicName::Name(topic.clone());
    admin.delete_topics(std::slice::from_ref(&name)).await.expect("an answer")[&name]
        .as_ref()
        .expect("it is deleted");
    let gone = admin.delete_topics(std::slice::from_ref(&name)).await.expect("an answer");
    assert!(gone[&name].as_ref().expect_err("it is gone").is(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
}

#[tokio::test]
async fn configurations_are_read_and_changed() {
    let Some((admin, topic)) = admin_with_topic(1).await else { return };
    let resource = ConfigResource::new(ResourceType::Topic, &topic);
    let value = async |key: &str| {
        let described =
            admin.describe_configs(std::slice::from_ref(&resource), true, false).await.expect("an answer");
        let entries = described[&resource].as_ref().expect("it is there").clone();
        entries.into_iter().find(|entry| entry.name == key).and_then(|entry| entry.value)
    };
    eventually("retention.ms is 86400000", async || {
        (value("retention.ms").await.as_deref() == Some("86400000")).then_some(())
    })
    .await;
    let ops = vec![AlterConfigOp::set("max.message.bytes", "12345"), AlterConfigOp::delete("retention.ms")];
    let changes = BTreeMap::from([(resource.clone(), ops)]);
    admin.incremental_alter_configs(&changes, false).await.expect("an answer")[&resource]
        .as_ref()
        .expect("it is changed");
    eventually("max.message.bytes is 12345", async || {
        (value("max.message.bytes").await.as_deref() == Some("12345")).then_some(())
    })
    .await;
    eventually("retention.ms is 604800000", async || {
        (value("retention.ms").await.as_deref() == Some("604800000")).then_some(())
    })
    .await;
    let wrong = BTreeMap::from([(resource.clone(), vec![AlterConfigOp::set("max.message.bytes", "many")])]);
    let refused = admin.incremental_alter_configs(&wrong, false).await.expect("an answer");
    assert!(refused[&resource].as_ref().expect_err("it is no number").is(ErrorCode::INVALID_CONFIG));
    let whole =
        BTreeMap::from([(resource.clone(), BTreeMap::from([("retention.ms".into(), "1000".into())]))]);
    admin.alter_configs(&whole, false).await.expect("an answer")[&resource].as_ref().expect("it is replaced");
    eventually("max.message.bytes is 1048588", async || {
        (value("max.message.bytes").await.as_deref() == Some("1048588")).then_some(())
    })
    .await;
    let resources = admin.list_config_resources(&[ResourceType::Topic]).await.expect("a list");
    assert!(resources.contains(&resource));
    let brokers = admin.brokers().await.expect("brokers");
    let broker = ConfigResource::new(ResourceType::Broker, brokers[0].id.to_string());
    let described =
        admin.describe_configs(std::slice::from_ref(&broker), false, true).await.expect("an answer");
    let entries = described[&broker].as_ref().expect("it is there");
    assert!(entries.iter().any(|entry| entry.name == "log.retention.hours" && entry.documentation.is_some()));
}

#[tokio::test]
async fn the_cluster_is_described() {
    let Some((admin, topic)) = admin_with_topic(1).await else { return };
    let cluster = admin.describe_cluster(false).await.expect("a cluster");
    assert!(!cluster.cluster_id.is_empty() && !cluster.nodes.is_empty());
    let node = cluster.nodes[0].id;
    let quorum = admin.describe_quorum().await.expect("a quorum");
    assert!(!quorum.voters.is_empty() && quorum.high_watermark.0 > 0);
    let features = admin.describe_features(None).await.expect("features");
    assert!(features.finalized.contains_key("metadata.version"));
    let versions = admin.api_versions(node).await.expect("versions");
    assert!(versions.ranges().count() > 30);
    let dirs = admin.describe_log_dirs(&[node]).await;
    let dirs = dirs[&node].as_ref().expect("directories");
    assert!(dirs.values().any(|dir| dir.replicas.contains_key(&TopicPartition::new(topic.as_str(), 0))));
    let elected =
        admin.elect_leaders(ElectionType::Preferred, Some(&[TopicPartition::new(topic.as_str(), 0)])).await;
    let elected = elected.expect("an answer");
    let error =
        elected[&TopicPartition::new(topic.as_str(), 0)].as_ref().expect_err("the leader is right already");
    assert!(error.is(ErrorCode::ELECTION_NOT_NEEDED));
    assert!(admin.list_partition_reassignments(None).await.expect("a list").is_empty());
    let unknown = admin.unregister_broker(NodeId(4711)).await.expect_err("there is no such broker");
    assert!(unknown.is(ErrorCode::BROKER_ID_NOT_REGISTERED), "{unknown}");
    let producers = admin.describe_producers(&[TopicPartition::new(topic.as_str(), 0)]).await;
    assert!(producers[&TopicPartition::new(topic.as_str(), 0)].as_ref().expect("an answer").is_empty());
}

#[tokio::test]
async fn offsets_of_logs_and_groups_are_read_and_changed() {
    let Some((admin, topic)) = admin_with_topic(1).await else { return };
    let partition = TopicPartition::new(topic.as_str(), 0);
    for spec in [OffsetSpec::Latest, OffsetSpec::Earliest, OffsetSpec::EarliestLocal] {
        let listed =
            admin.list_offsets(&BTreeMap::from([(partition.clone(), spec)]), IsolationLevel::default()).await;
        assert_eq!(listed[&partition].as_ref().expect("an answer").offset, Offset(0), "{spec:?}");
    }
    for spec in [OffsetSpec::MaxTimestamp, OffsetSpec::LatestTiered, OffsetSpec::EarliestPendingUpload] {
        let listed =
            admin.list_offsets(&BTreeMap::from([(partition.clone(), spec)]), IsolationLevel::default()).await;
        assert_eq!(listed[&partition].as_ref().expect("an answer").offset, Offset(-1), "{spec:?}");
    }
    let deleted = admin.delete_records(&BTreeMap::from([(partition.clone(), Offset(-1))])).await;
    assert_eq!(*deleted[&partition].as_ref().expect("an answer"), Offset(0));
    let deleted = admin.delete_records(&BTreeMap::from([(partition.clone(), Offset(5))])).await;
    assert!(
        deleted[&partition].as_ref().expect_err("there are no records").is(ErrorCode::OFFSET_OUT_OF_RANGE)
    );

    let group = unique("group");
    let committed = OffsetAndMetadata { offset: Offset(7), metadata: "note".into(), leader_epoch: None };
    let offsets = BTreeMap::from([(partition.clone(), committed.clone())]);
    admin.alter_group_offsets(&group, &offsets).await.expect("an answer")[&partition]
        .as_ref()
        .expect("it is set");
    let read = admin.list_group_offsets(&group, None, false).await.expect("an answer");
    assert_eq!(read[&partition].as_ref().expect("it is there").as_ref(), Some(&committed));
    let (groups, failures) = admin.list_groups(&ListGroupsOptions::default()).await.expect("a list");
    assert!(failures.is_empty());
    assert!(groups.iter().any(|listing| listing.group_id == group && listing.is_simple_consumer_group()));
    let described = admin.describe_consumer_groups(std::slice::from_ref(&group)).await;
    assert_eq!(described[&group].as_ref().expect("it is there").state, "Empty");
    let removed =
        admin.delete_group_offsets(&group, std::slice::from_ref(&partition)).await.expect("an answer");
    removed[&partition].as_ref().expect("it is deleted");
    admin
        .delete_groups(std::slice::from_ref(&group))
        .await
        .remove(&group)
        .expect("an answer")
        .expect("it is deleted");
    let gone = admin.delete_groups(std::slice::from_ref(&group)).await.remove(&group).expect("an answer");
    assert!(gone.expect_err("it is gone").is(ErrorCode::GROUP_ID_NOT_FOUND));
}
