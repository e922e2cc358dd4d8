//! The cluster as its controller sees it, and the controller's own thread.
//!
//! Not yet: elections from eligible and unclean replicas, static voters that are ignored, and broker heartbeats that came too
//! late, which a lone node has none of; requests that waited too long for the controller.
//! Kafka: `ControllerMetadataMetrics`, `QuorumControllerMetrics`.

use std::fmt;
use std::sync::Arc;

use metadata::{BrokerRegistration, PartitionRegistration};
use telemetry::{IdleRatio, Metric, Page, Row, Source};

use crate::controller::ControllerService;

const ACTIVE: Metric = Metric::new(
    "kafka.controller:type=KafkaController,name=ActiveControllerCount",
    "Whether this node is the active controller: 1 or 0",
);
const COUNTS: [Metric; 7] = [
    Metric::new(
        "kafka.controller:type=KafkaController,name=ActiveBrokerCount",
        "Brokers that are not fenced",
    ),
    Metric::new("kafka.controller:type=KafkaController,name=FencedBrokerCount", "Brokers that are fenced"),
    Metric::new(
        "kafka.controller:type=KafkaController,name=ControlledShutdownBrokerCount",
        "Brokers that are being shut down in good order",
    ),
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

const APPLIED: [Metric; 3] = [
    Metric::new(
        "kafka.controller:type=KafkaController,name=LastAppliedRecordOffset",
        "Offset of the last metadata record that the controller acted on",
    ),
    Metric::new(
        "kafka.controller:type=KafkaController,name=LastAppliedRecordTimestamp",
        "When that record was appended: milliseconds since 1970",
    ),
    Metric::new(
        "kafka.controller:type=KafkaController,name=LastAppliedRecordLagMs",
        "Milliseconds by which the controller is behind the log; 0 for the active one",
    ),
];
const REGISTRATION: Metric = Metric::new(
    "kafka.controller:type=KafkaController,name=BrokerRegistrationState",
    "State of each broker: 10 fenced, 20 being shut down, 30 active",
);
const CONTACT: Metric = Metric::new(
    "kafka.controller:type=KafkaController,name=TimeSinceLastHeartbeatReceivedMs",
    "Milliseconds since each broker's last heartbeat",
);
const NEW_ACTIVE: Metric = Metric::new(
    "kafka.controller:type=KafkaController,name=NewActiveControllersCount",
    "Times that a controller became the active one since this node's start",
);
const ERRORS: Metric = Metric::new(
    "kafka.controller:type=KafkaController,name=MetadataErrorCount",
    "Errors in the metadata that this node could not act on: 1 once its controller had to stop",
);
const STARTED: Metric = Metric::new(
    "kafka.controller:type=KafkaController,name=EventQueueOperationsStartedCount",
    "Requests that the controller decided on",
);
const TIMES: [Metric; 2] = [
    Metric::new(
        "kafka.controller:type=ControllerEventManager,name=EventQueueTimeMs",
        "Milliseconds that requests waited for the controller's thread",
    ),
    Metric::new(
        "kafka.controller:type=ControllerEventManager,name=EventQueueProcessingTimeMs",
        "Milliseconds that the controller's thread worked on requests",
    ),
];
const IDLE: Metric = Metric::new(
    "kafka.controller:type=ControllerEventManager,name=AvgIdleRatio",
    "Share of the last minute in which the controller's thread had nothing to do, 0 to 1",
);

#[derive(Debug)]
pub(super) struct Controller {
    service: Arc<ControllerService>,
    idle: IdleRatio,
}

impl Controller {
    pub(super) fn new(service: Arc<ControllerService>) -> Self {
        Self { service, idle: IdleRatio::default() }
    }

    fn write_contacts(&self, page: &mut Page<'_>) -> fmt::Result {
        let (contacts, now) = (self.service.contacts(), self.service.now());
        let of_broker = |(broker, contact): (model::NodeId, std::time::Duration)| {
            let millis = now.saturating_sub(contact).as_millis() as f64;
            (vec![("broker", broker.to_string())], millis)
        };
        page.gauges(CONTACT, contacts.into_iter().map(of_broker))
    }

    fn write_queue(&self, page: &mut Page<'_>) -> fmt::Result {
        let metrics = self.service.metrics();
        page.counter(STARTED, metrics.processing_times.count())?;
        page.histogram(TIMES[0], &metrics.queue_times)?;
        page.histogram(TIMES[1], &metrics.processing_times)?;
        page.gauge(IDLE, self.idle.measure(self.service.now(), metrics.idle_time()))
    }
}

impl Source for Controller {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let image = self.service.image();
        let stopped = self.service.failure().borrow().is_some();
        page.gauge(ACTIVE, f64::from(u8::from(!stopped)))?;
        page.gauge(NEW_ACTIVE, 1.0)?;
        page.counter(ERRORS, stopped.into())?;
        let state = |broker: &BrokerRegistration| match (broker.fenced, broker.in_controlled_shutdown) {
            (true, _) => 10.0,
            (false, true) => 20.0,
            (false, false) => 30.0,
        };
        let of_broker = |broker: &Arc<BrokerRegistration>| -> Row<f64> {
            (vec![("broker", broker.id.to_string())], state(broker))
        };
        page.gauges(REGISTRATION, image.cluster().brokers().map(of_broker))?;
        self.write_contacts(page)?;
        let fenced = image.cluster().brokers().filter(|broker| broker.fenced).count();
        let partitions = || image.topics().iter().flat_map(|topic| topic.partitions());
        let count =
            |of: fn(&PartitionRegistration) -> bool| partitions().filter(|(_, state)| of(state)).count();
        let counts = [
            image.cluster().brokers().count() - fenced,
            fenced,
            image.cluster().brokers().filter(|broker| broker.in_controlled_shutdown).count(),
            image.topics().len(),
            partitions().count(),
            count(|state| !state.has_leader()),
            count(|state| !state.has_preferred_leader()),
        ];
        COUNTS.into_iter().zip(counts).try_for_each(|(metric, count)| page.gauge(metric, count as f64))?;
        let last = image.provenance();
        page.gauge(COMMITTED, last.last_contained_offset.0 as f64)?;
        page.gauge(APPLIED[0], last.last_contained_offset.0 as f64)?;
        page.gauge(APPLIED[1], last.last_contained_timestamp.0 as f64)?;
        // What is appended is applied at once by the one that appends.
        page.gauge(APPLIED[2], 0.0)?;
        self.write_queue(page)
    }
}
