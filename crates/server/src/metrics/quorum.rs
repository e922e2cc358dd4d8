//! The metadata quorum.
//!
//! Not yet: rates and latencies of elections and commits, which a quorum of one does not have. Kafka: `KafkaRaftMetrics`.

use std::fmt;
use std::sync::Arc;

use protocol::DescribeQuorumRequest;
use protocol::describe_quorum_request::{PartitionData, TopicData};
use telemetry::{Metric, Page, Source};

use crate::controller::ControllerService;

const LEADER: Metric = Metric::new(
    "kafka.server:type=raft-metrics,name=current-leader",
    "Node that leads the quorum; -1 for none",
);
const EPOCH: Metric = Metric::new("kafka.server:type=raft-metrics,name=current-epoch", "Epoch of the quorum");
const HIGH_WATERMARK: Metric = Metric::new(
    "kafka.server:type=raft-metrics,name=high-watermark",
    "Offset before which the metadata log is committed; -1 if unknown",
);
const LOG_END: Metric =
    Metric::new("kafka.server:type=raft-metrics,name=log-end-offset", "Offset of the next metadata record");
const VOTERS: Metric =
    Metric::new("kafka.server:type=raft-metrics,name=number-of-voters", "Voters of the quorum");

#[derive(Debug)]
pub(super) struct Quorum(pub(super) Arc<ControllerService>);

impl Source for Quorum {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let topic = TopicData {
            topic_name: "__cluster_metadata".to_owned(),
            partitions: vec![PartitionData::default()],
            ..Default::default()
        };
        let request = DescribeQuorumRequest { topics: vec![topic], ..Default::default() };
        let response = self.0.describe_quorum(&request, 2);
        let described = response.topics.iter().flat_map(|topic| &topic.partitions).next();
        let Some(described) = described else { return Ok(()) };
        page.gauge(LEADER, described.leader_id.into())?;
        page.gauge(EPOCH, described.leader_epoch.into())?;
        page.gauge(HIGH_WATERMARK, described.high_watermark as f64)?;
        let own = described.current_voters.iter().find(|voter| voter.replica_id == self.0.leader().0);
        page.gauge(LOG_END, own.map_or(-1, |voter| voter.log_end_offset) as f64)?;
        page.gauge(VOTERS, described.current_voters.len() as f64)
    }
}
