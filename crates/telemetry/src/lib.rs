//! Metrics: Kafka's names for Prometheus, what is counted for requests and topics, and where it is read.
//!
//! Invariants:
//! - a metric is named after Kafka's MBean by one rule, [`Metric::name`], and nothing is measured under a name of our own
//!   that Kafka has a name for
//! - what a request pays is a few atomic additions; everything else is worked out while somebody reads

mod by_name;
mod endpoint;
mod histogram;
mod idle_ratio;
mod metric;
mod page;
mod process;
mod purgatory;
mod requests;
mod share_coordinator;
mod share_groups;
mod timed;
mod topics;

pub use endpoint::MetricsEndpoint;
pub use histogram::Buckets;
pub use idle_ratio::IdleRatio;
pub use metric::Metric;
pub use page::{Page, Row, Source};
pub use process::ProcessSource;
pub use purgatory::{Purgatory, Waiting};
pub use requests::{RequestMetrics, Stages};
pub use share_coordinator::ShareCoordinatorMetrics;
pub use share_groups::{
    GroupMetrics, ShareGroupMetrics, SharePartitionMetrics, SharePartitionRow, write_share_partitions,
};
pub use timed::{timed, worked_so_far};
pub use topics::{BadBatch, BrokerTopicMetrics, TopicMetrics};
