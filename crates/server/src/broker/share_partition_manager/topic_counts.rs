//! How often a topic is asked for by share fetches and acknowledgements: once by each request, however many of the topic's
//! partitions that names.
//!
//! Kafka: `SharePartitionManager.processShareFetch`, `ShareFetch.addErroneousToResponse`,
//! `SharePartitionManager.failedShareAcknowledgeMetricsHandler`.

use std::collections::BTreeSet;

use model::Uuid;
use telemetry::TopicMetrics;

use super::SharePartitionManager;
use crate::broker::share_sessions::ShareTarget;

impl SharePartitionManager {
    /// Counts each topic of these partitions once.
    pub(super) fn count_topics(
        &self,
        targets: impl IntoIterator<Item = ShareTarget>,
        count: fn(&TopicMetrics),
    ) {
        let ids: BTreeSet<Uuid> = targets.into_iter().map(|target| target.topic_id).collect();
        let Some(broker) = self.broker.upgrade().filter(|_| !ids.is_empty()) else { return };
        let image = broker.metadata.image();
        for topic in ids.into_iter().filter_map(|id| image.topics().by_id(id)) {
            count(&broker.metrics.topics.topic(topic.name()));
        }
    }
}
