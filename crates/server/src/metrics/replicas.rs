//! The partitions of this broker, and which of them are in need.
//!
//! Not yet: rates of ISR changes, which come with replication.
//! Kafka: `ReplicaManager`, `Partition`.

use std::fmt;
use std::sync::Arc;

use model::Timestamp;
use storage::ProducerStateEntry;
use telemetry::{Metric, Page, Source};

use crate::broker::Broker;
use crate::broker::partition::Replication;

const GAUGES: [Metric; 9] = [
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
    Metric::new(
        "kafka.server:type=ReplicaManager,name=PartitionsWithLateTransactionsCount",
        "Partitions led here whose oldest open transaction should have been ended long ago",
    ),
];

/// How much longer than any may last a transaction can stay open before it is late. Kafka:
/// `ProducerStateManager.LATE_TRANSACTION_BUFFER_MS`.
const LATE_MS: i64 = 5 * 60 * 1000;

#[derive(Debug)]
pub(super) struct Replicas(pub(super) Arc<Broker>);

impl Source for Replicas {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let (image, node) = (self.0.metadata.image(), self.0.node_id);
        let now = Timestamp(self.0.clock.wall_ms());
        let patience_ms = i64::from(self.0.config().transactions.transaction_max_timeout_ms) + LATE_MS;
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
            let producers = log.active_producers();
            counts[7] += producers.len();
            counts[8] += usize::from(leads && has_late_transaction(&producers, now, patience_ms));
        }
        counts[2] += unopened(&self.0, &image, node);
        GAUGES.into_iter().zip(counts).try_for_each(|(metric, count)| page.gauge(metric, count as f64))
    }
}

/// Tells whether the producer of the transaction that is open for the longest has been silent for longer than that. Kafka:
/// `ProducerStateManager.hasLateTransaction`.
fn has_late_transaction(producers: &[ProducerStateEntry], now: Timestamp, patience_ms: i64) -> bool {
    let open = producers.iter().filter_map(|one| Some((one.current_txn_first_offset?, one.last_timestamp)));
    open.min().is_some_and(|(_, last)| last.0 > 0 && now.0.saturating_sub(last.0) > patience_ms)
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

#[cfg(test)]
mod tests {
    use model::{Offset, ProducerId};

    use super::*;

    #[test]
    fn a_transaction_is_late_if_its_producer_is_silent_and_no_older_one_is_open() {
        let producer = |id, first: Option<i64>, last| {
            let mut entry = ProducerStateEntry::empty(ProducerId(id));
            entry.current_txn_first_offset = first.map(Offset);
            entry.last_timestamp = Timestamp(last);
            entry
        };
        let is_late =
            |producers: &[ProducerStateEntry]| has_late_transaction(producers, Timestamp(2000), 999);
        let (late, silent, busy) =
            (producer(1, Some(5), 1000), producer(2, None, 1000), producer(3, Some(4), 1001));
        assert!(is_late(&[silent, late]));
        assert!(!is_late(&[silent]) && !is_late(&[busy]) && !is_late(&[late, busy]));
        assert!(!is_late(&[producer(4, Some(0), -1)]));
    }
}
