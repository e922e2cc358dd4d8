//! The metadata quorum.
//!
//! Not yet: records fetched, voters without a connection and changes of voters under way, which a quorum of one does not have.
//! Kafka: `KafkaRaftMetrics`.

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
const OBSERVERS: Metric = Metric::new(
    "kafka.server:type=raft-metrics,name=number-of-observers",
    "Nodes that follow the quorum without a vote",
);
const STATE: Metric = Metric::new(
    "kafka.server:type=raft-metrics,name=current-state",
    "1 with what this node is in the quorum",
);
const VOTE: Metric = Metric::new(
    "kafka.server:type=raft-metrics,name=current-vote",
    "Node that this one voted for in the present epoch; -1 for none",
);
const VOTE_DIRECTORY: Metric = Metric::new(
    "kafka.server:type=raft-metrics,name=current-vote-directory-id",
    "1 with the id of the log dir of the node that this one voted for in the present epoch",
);
const LOG_END_EPOCH: Metric =
    Metric::new("kafka.server:type=raft-metrics,name=log-end-epoch", "Epoch of the last metadata record");
const COMMITS: Metric = Metric::new(
    "kafka.server:type=raft-metrics,name=commit-latency-avg",
    "Milliseconds from the append of metadata records to their commit",
);
const ELECTIONS: Metric = Metric::new(
    "kafka.server:type=raft-metrics,name=election-latency-avg",
    "Milliseconds that it took to find a leader of the quorum",
);
const APPENDS: Metric = Metric::new(
    "kafka.server:type=raft-metrics,name=append-records-rate",
    "Metadata records appended by the leader",
);

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
        page.gauge(VOTERS, described.current_voters.len() as f64)?;
        page.gauge(OBSERVERS, described.observers.len() as f64)?;
        // It leads from its start to its end, by its own vote.
        page.gauges(STATE, [(vec![("state", "leader".to_owned())], 1.0)])?;
        page.gauge(VOTE, described.leader_id.into())?;
        page.gauges(VOTE_DIRECTORY, [(vec![("directory", self.0.directory_id().to_string())], 1.0)])?;
        page.gauge(LOG_END_EPOCH, self.0.image().provenance().last_contained_epoch.0.into())?;
        let metrics = self.0.metrics();
        page.histogram(COMMITS, &metrics.commit_times)?;
        page.histogram(ELECTIONS, &metrics.election_times)?;
        page.counter(APPENDS, metrics.appended_records())
    }
}
