//! Acts on new metadata: partitions come, go and change leaders, coordinators load and stop, configurations change.
//!
//! Invariants:
//! - images are acted on one at a time, in their order
//! - clients are told of an image only after it was acted on, so that what they are told is there, or its log is being
//!   loaded
//!
//! Kafka: `BrokerMetadataPublisher`.

use std::sync::Arc;

use coordinator::PartitionLog;
use coordinators::group::DeletedTopic;
use coordinators::transaction::TransactionVersion;
use metadata::{Feature, MetadataDelta, MetadataImage, ResourceType};
use model::{LeaderEpoch, TopicPartition, topic_name};

use super::Broker;
use super::leader_log::LeaderLog;
use super::partition::Partition;
use super::replica_manager::Applied;

/// Acts on what differs between the image last published and `image`, and publishes it.
pub async fn publish(broker: &Arc<Broker>, image: Arc<MetadataImage>) {
    let _one_at_a_time = broker.publishing.lock().await;
    let old = broker.metadata.image();
    let delta = MetadataDelta::between(&old, &image);
    let defaults_changed = broker.dynamic_config.apply(&image, broker.node_id);
    let changes = delta.local_changes(broker.node_id);
    let applied = broker.replicas.apply(&changes, &image, &broker.dynamic_config);
    if defaults_changed {
        broker.on_config_changed(&image);
        apply_configs(broker, &image, image.topics().iter().map(|topic| &**topic.name()));
    } else {
        let topics = delta.configs.iter().filter(|resource| resource.resource_type == ResourceType::TOPIC);
        apply_configs(broker, &image, topics.map(|resource| &*resource.name));
    }
    if delta.configs.iter().any(|resource| resource.resource_type == ResourceType::CLIENT_METRICS) {
        broker.client_metrics.update(&image);
    }
    if delta.client_quotas_changed {
        broker.on_client_quotas_changed(&image);
    }
    super::directory_assignments::tell(broker, &applied.assignments);
    broker.metadata.publish(image.clone());
    broker.groups.on_new_metadata(image.clone(), &delta);
    apply_to_coordinators(broker, &old, &image, &applied);
    forget_deleted_topics(broker, &delta);
}

/// Serves partitions whose logs were loaded after the first image was acted on.
pub async fn take_up(broker: &Arc<Broker>, partitions: &[TopicPartition]) {
    let _one_at_a_time = broker.publishing.lock().await;
    let image = broker.metadata.image();
    let applied = broker.replicas.take_up(partitions, &image, &broker.dynamic_config);
    super::directory_assignments::tell(broker, &applied.assignments);
    apply_to_coordinators(broker, &image, &image, &applied);
}

fn apply_to_coordinators(
    broker: &Broker,
    old: &MetadataImage,
    image: &Arc<MetadataImage>,
    applied: &Applied,
) {
    apply_to_groups(broker, image, applied);
    apply_to_transactions(broker, image, applied);
    apply_to_share_groups(broker, image, applied);
    apply_to_share_partitions(broker, old, image, applied);
}

/// Topics' configurations change from the next operation on.
fn apply_configs<'a>(broker: &Broker, image: &MetadataImage, topics: impl Iterator<Item = &'a str>) {
    for name in topics.filter(|name| image.topics().by_name(name).is_some()) {
        broker.replicas.logs().update_topic_config(name, &broker.dynamic_config.topic(image, name));
    }
}

/// Kafka: `BrokerMetadataPublisher.updateCoordinator`.
fn apply_to_groups(broker: &Broker, image: &MetadataImage, applied: &Applied) {
    let Some(topic) = image.topics().by_name(topic_name::CONSUMER_OFFSETS) else { return };
    broker.groups.set_partition_count(topic.partition_count());
    for partition in of_topic(&applied.resigned, topic_name::CONSUMER_OFFSETS) {
        broker.groups.on_partition_resigned(partition.topic_partition().partition, None);
    }
    for (index, epoch, log) in led(&applied.elected, topic_name::CONSUMER_OFFSETS) {
        broker.groups.on_partition_elected(index, epoch, log);
    }
}

fn apply_to_transactions(broker: &Broker, image: &MetadataImage, applied: &Applied) {
    broker.transactions.set_level(TransactionVersion(image.features().level(Feature::TransactionVersion)));
    let Some(topic) = image.topics().by_name(topic_name::TRANSACTION_STATE) else { return };
    broker.transactions.set_partition_count(topic.partition_count());
    for partition in of_topic(&applied.resigned, topic_name::TRANSACTION_STATE) {
        broker.transactions.on_partition_resigned(partition.topic_partition().partition, None);
    }
    for (index, epoch, log) in led(&applied.elected, topic_name::TRANSACTION_STATE) {
        broker.transactions.on_partition_elected(index, epoch, log);
    }
}

fn apply_to_share_groups(broker: &Broker, image: &Arc<MetadataImage>, applied: &Applied) {
    broker.share.on_new_metadata(image.clone());
    let Some(topic) = image.topics().by_name(topic_name::SHARE_GROUP_STATE) else { return };
    broker.share.set_partition_count(topic.partition_count());
    for partition in of_topic(&applied.resigned, topic_name::SHARE_GROUP_STATE) {
        broker.share.on_partition_resigned(partition.topic_partition().partition, None);
    }
    for (index, epoch, log) in led(&applied.elected, topic_name::SHARE_GROUP_STATE) {
        broker.share.on_partition_elected(index, epoch, log);
    }
}

/// Share partitions go with the leadership of their partitions, or with share groups altogether. Kafka:
/// `SharePartitionManager.SharePartitionListener`, `SharePartitionManager.onShareVersionToggle`.
fn apply_to_share_partitions(broker: &Broker, old: &MetadataImage, image: &MetadataImage, applied: &Applied) {
    for partition in applied.resigned.iter().chain(&applied.elected) {
        let index = partition.topic_partition().partition;
        broker.share_partitions.on_partition_changed(partition.topic_id(), index);
    }
    let are_on = |image: &MetadataImage| image.features().level(Feature::ShareVersion) > 0;
    if are_on(old) && !are_on(image) {
        broker.share_sessions.clear();
        broker.share_partitions.clear();
    }
}

fn of_topic<'a>(
    partitions: &'a [Arc<Partition>],
    topic: &'static str,
) -> impl Iterator<Item = &'a Arc<Partition>> {
    partitions.iter().filter(move |partition| &*partition.topic_partition().topic == topic)
}

/// The partitions of a topic that this broker began to lead, as coordinators take them.
fn led(
    elected: &[Arc<Partition>],
    topic: &'static str,
) -> impl Iterator<Item = (i32, LeaderEpoch, Arc<dyn PartitionLog>)> {
    of_topic(elected, topic).map(|partition| {
        let (_, epoch) = partition.leadership();
        let log: Arc<dyn PartitionLog> = Arc::new(LeaderLog::new(partition.clone(), epoch));
        (partition.topic_partition().partition, epoch, log)
    })
}

/// Groups forget the offsets of topics that are gone, and share groups their state; nobody waits for that.
fn forget_deleted_topics(broker: &Arc<Broker>, delta: &MetadataDelta) {
    let deleted =
        |topic: &metadata::TopicImage| DeletedTopic { name: topic.name().to_string(), id: topic.id() };
    let topics: Vec<_> = delta.deleted_topics.iter().map(deleted).collect();
    if !topics.is_empty() {
        broker.share.on_topics_deleted(topics.iter().map(|topic| topic.id).collect());
        let broker = broker.clone();
        tokio::spawn(async move { broker.groups.on_topics_deleted(topics).await });
    }
}
