//! Streams groups of KIP-1071: members send heartbeats with the topology they run; the coordinator says which internal topics
//! are to be made, assigns tasks, and brings each member to its target step by step.
//!
//! Invariants:
//! - requests are decided on what the log says, and change nothing of it but through records
//! - no two members have a task active at once: it is free when the one that gave it up says so, or is gone
//!
//! As in 4.3.1 there are no static members, no warm-up tasks, no source topics by regular expression, and a topology cannot
//! be replaced by a later one.
//!
//! Kafka: `GroupMetadataManager`, `group.streams`.

mod assignor;
mod configure;
mod endpoints;
mod entry;
mod fence;
mod group;
mod heartbeat;
mod holders;
mod member;
mod offsets;
mod partition_counts;
mod reconcile;
mod requests;
mod status;
mod target;
mod tasks;
mod topology;

pub use entry::StreamsEntry;
pub(super) use group::StreamsGroup;
pub(super) use offsets::CommitCheck;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use machine::Now;
use protocol::StreamsGroupHeartbeatResponse;
use protocol::create_topics_request::CreatableTopic;

use super::metadata::Metadata;
use super::record::GroupRecord;
use super::timers::{TimerKey, Timers};
use super::{GroupCoordinatorConfig, GroupOutcome};

/// The assignor's setting that says how many standby replicas each task has.
const NUM_STANDBY_REPLICAS: &str = "num.standby.replicas";

/// The answer to a StreamsGroupHeartbeat.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamsHeartbeat {
    /// What the member is told.
    pub response: StreamsGroupHeartbeatResponse,
    /// Internal topics that the broker is to make on behalf of the member.
    pub missing_topics: Vec<CreatableTopic>,
}

/// What a streams group needs beside itself to decide.
pub(super) struct StreamsTurn<'a> {
    pub(super) now: Now,
    pub(super) config: &'a GroupCoordinatorConfig,
    pub(super) metadata: &'a mut Metadata,
    pub(super) timers: &'a mut Timers,
    pub(super) out: &'a mut GroupOutcome,
}

impl StreamsTurn<'_> {
    fn write(&mut self, record: GroupRecord) {
        self.out.records.push(record);
    }

    fn set_timer(&mut self, key: TimerKey, after: Duration) {
        self.timers.set(key, self.now.monotonic, after);
    }

    /// Puts off the end of a member's session.
    fn renew_session(&mut self, group: &Arc<str>, member: &Arc<str>) {
        let timeout = self.setting(group, "streams.session.timeout.ms", self.config.streams_session_timeout);
        self.set_timer(TimerKey::StreamsSession(group.clone(), member.clone()), timeout);
    }

    fn heartbeat_interval_ms(&self, group: &str) -> i32 {
        let interval =
            self.setting(group, "streams.heartbeat.interval.ms", self.config.streams_heartbeat_interval);
        i32::try_from(interval.as_millis()).unwrap_or(i32::MAX)
    }

    /// How long a group without members waits for more before it assigns tasks.
    fn initial_rebalance_delay(&self, group: &str) -> Duration {
        let broker = self.config.streams_initial_rebalance_delay;
        self.setting(group, "streams.initial.rebalance.delay.ms", broker)
    }

    /// How long a target assignment stays at least, in milliseconds.
    fn assignment_interval_ms(&self, group: &str) -> i64 {
        let broker = self.config.streams_assignment_interval;
        let interval = self.setting(group, "streams.assignment.interval.ms", broker);
        i64::try_from(interval.as_millis()).unwrap_or(i64::MAX)
    }

    /// The assignor's settings for a group, as its records keep them.
    fn assignment_configs(&self, group: &str) -> BTreeMap<String, String> {
        let own = self.metadata.group_setting(group, "streams.num.standby.replicas");
        let replicas = own.unwrap_or(self.config.streams_num_standby_replicas);
        BTreeMap::from([(NUM_STANDBY_REPLICAS.to_owned(), replicas.to_string())])
    }

    fn setting(&self, group: &str, key: &str, broker: Duration) -> Duration {
        self.metadata.group_setting(group, key).map_or(broker, millis)
    }
}

/// Reads a timeout from the wire; a negative one is none.
fn millis(timeout_ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0))
}
