//! The partitions of this broker, and which of them are in need.
//!
//! Not yet: rates of ISR changes, which come with replication; partitions with transactions that are late.
//! Kafka: `ReplicaManager`, `Partition`.

use std::fmt;
use std::sync::Arc;

use telemetry::{Metric, Page, Source};

use crate::broker::Broker;
use crate::broker::partition::Replication;

const GAUGES: [Metric; 8] = [
    Metric::new(
        "kafka.server:type=ReplicaManager,name=PartitionCount",
        "Partitions that this broker has a replica of",
    ),
    Metric::new("kafka.server:type=ReplicaManager,name=LeaderCount", "Partitions that this broker leads"),
    Metric::new(
        "kafka.server:type=ReplicaManager,name=OfflineReplicaCount",
        "Replicas on log dirs that failed",
    ),
    Metric::new(
        "kafka.server:type=ReplicaManager,name=UnderReplicatedPartitions",
        "Partitions led here with replicas out of sync",
    ),
    Metric::new(
        "kafka.server:type=ReplicaManager,name=UnderMinIsrPartitionCount",
        "Partitions led here with fewer replicas in sync than min.insync.replicas",
    ),
    Metric::new(
        "kafka.server:type=ReplicaManager,name=AtMinIsrPartitionCount",
        "Partitions led here with just min.insync.replicas in sync",
    ),
    Metric::new(
        "kafka.server:type=ReplicaManager,name=ReassigningPartitions",
        "Partitions led here that are being reassigned",
    ),
    Metric::new(
        "kafka.server:type=ReplicaManager,name=ProducerIdCount",
        "Producers whose sequence numbers this broker keeps",
    ),
];

#[derive(Debug)]
pub(super) struct Replicas(pub(super) Arc<Broker>);

impl Source for Replicas {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let (image, node) = (self.0.metadata.image(), self.0.node_id);
        let mut counts = [0_usize; GAUGES.len()];
        for partition in self.0.replicas.all() {
            let log = partition.log();
            let state = partition.replication();
            let reassigning = image
                .topics()
                .by_id(partition.topic_id())
                .and_then(|topic| topic.partition(partition.topic_partition().partition))
                .is_some_and(|registration| registration.is_reassigning());
            let Replication { leads, isr, replicas, min_isr } = state;
            let rows = [
                true,
                leads,
                log.dir().is_offline(),
                leads && isr < replicas,
                leads && isr < min_isr,
                leads && isr == min_isr,
                leads && reassigning,
            ];
            for (count, holds) in counts.iter_mut().zip(rows) {
                *count += usize::from(holds);
            }
            counts[GAUGES.len() - 1] += log.active_producers().len();
        }
        counts[2] += unopened(&self.0, &image, node);
        GAUGES.into_iter().zip(counts).try_for_each(|(metric, count)| page.gauge(metric, count as f64))
    }
}

/// Replicas of this broker whose log dir could not even be opened.
fn unopened(broker: &Broker, image: &metadata::MetadataImage, node: model::NodeId) -> usize {
    let of_topic = |topic: &metadata::TopicImage| {
        let here = topic.partitions().filter(|(_, state)| state.replicas.contains(&node));
        let is_awaited =
            |index| broker.replicas.is_awaited(&model::TopicPartition::new(topic.name().clone(), index));
        let missing = here.filter(|(index, _)| broker.replicas.by_id(topic.id(), *index).is_none());
        missing.filter(|(index, _)| !is_awaited(*index)).count()
    };
    image.topics().iter().map(of_topic).sum()
}
