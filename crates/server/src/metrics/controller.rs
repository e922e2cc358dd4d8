//! The cluster as its controller sees it.
//!
//! Not yet: election rates, event queue times. Kafka: `ControllerMetadataMetrics`, `QuorumControllerMetrics`.

use std::fmt;
use std::sync::Arc;

use metadata::PartitionRegistration;
use telemetry::{Metric, Page, Source};

use crate::controller::ControllerService;

const ACTIVE: Metric = Metric::new(
    "kafka.controller:type=KafkaController,name=ActiveControllerCount",
    "Whether this node is the active controller: 1 or 0",
);
const COUNTS: [Metric; 6] = [
    Metric::new(
        "kafka.controller:type=KafkaController,name=ActiveBrokerCount",
        "Brokers that are not fenced",
    ),
    Metric::new("kafka.controller:type=KafkaController,name=FencedBrokerCount", "Brokers that are fenced"),
    Metric::new("kafka.controller:type=KafkaController,name=GlobalTopicCount", "Topics of the cluster"),
    Metric::new(
        "kafka.controller:type=KafkaController,name=GlobalPartitionCount",
        "Partitions of the cluster",
    ),
    Metric::new(
        "kafka.controller:type=KafkaController,name=OfflinePartitionsCount",
        "Partitions without a leader",
    ),
    Metric::new(
        "kafka.controller:type=KafkaController,name=PreferredReplicaImbalanceCount",
        "Partitions whose leader is not their preferred one",
    ),
];
const COMMITTED: Metric = Metric::new(
    "kafka.controller:type=KafkaController,name=LastCommittedRecordOffset",
    "Offset of the last committed metadata record",
);

#[derive(Debug)]
pub(super) struct Controller(pub(super) Arc<ControllerService>);

impl Source for Controller {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let image = self.0.image();
        let stopped = self.0.failure().borrow().is_some();
        page.gauge(ACTIVE, f64::from(u8::from(!stopped)))?;
        let fenced = image.cluster().brokers().filter(|broker| broker.fenced).count();
        let partitions = || image.topics().iter().flat_map(|topic| topic.partitions());
        let count =
            |of: fn(&PartitionRegistration) -> bool| partitions().filter(|(_, state)| of(state)).count();
        let counts = [
            image.cluster().brokers().count() - fenced,
            fenced,
            image.topics().len(),
            partitions().count(),
            count(|state| !state.has_leader()),
            count(|state| !state.has_preferred_leader()),
        ];
        COUNTS.into_iter().zip(counts).try_for_each(|(metric, count)| page.gauge(metric, count as f64))?;
        page.gauge(COMMITTED, image.provenance().last_contained_offset.0 as f64)
    }
}
