//! Consumer groups of KIP-848: members send heartbeats, and the coordinator assigns partitions and brings each member to its
//! target step by step. Members of the classic protocol may be among them while a group is migrated.
//!
//! Invariants:
//! - requests are decided on what the log says, and change nothing of it but through records
//! - no two members have a partition at once: it is free when the one that gave it up says so, or is gone
//!
//! Kafka: `GroupMetadataManager`, `modern.consumer`.

mod assignor;
mod classic_members;
mod downgrade;
mod entry;
mod expressions;
mod fence;
mod group;
mod heartbeat;
mod member;
mod offsets;
mod reconcile;
mod requests;
mod subscriptions;
mod target;
mod upgrade;

pub use assignor::Assignor;
pub use entry::ConsumerEntry;
pub(super) use group::ConsumerGroup;
pub(super) use offsets::CommitCheck;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use machine::Now;
use protocol::ErrorCode;

use super::metadata::Metadata;
use super::record::GroupRecord;
use super::request::TopicGate;
use super::timers::{TimerKey, Timers};
use super::{GroupCoordinatorConfig, GroupOutcome};

/// Why a request is refused: the error and what it says to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: ErrorCode,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// Groups whose regular expressions are about to be looked up, each with what the member may know of that asked for it.
pub(super) type Lookups = BTreeMap<Arc<str>, Option<Arc<dyn TopicGate>>>;

/// What a consumer group needs beside itself to decide.
pub(super) struct ConsumerTurn<'a> {
    pub(super) now: Now,
    pub(super) config: &'a GroupCoordinatorConfig,
    pub(super) metadata: &'a mut Metadata,
    pub(super) timers: &'a mut Timers,
    pub(super) lookups: &'a mut Lookups,
    pub(super) out: &'a mut GroupOutcome,
}

impl ConsumerTurn<'_> {
    fn write(&mut self, record: GroupRecord) {
        self.out.records.push(record);
    }

    fn set_timer(&mut self, key: TimerKey, after: Duration) {
        self.timers.set(key, self.now.monotonic, after);
    }

    /// Puts off the end of the session of a member of the consumer protocol.
    fn renew_session(&mut self, group: &Arc<str>, member: &Arc<str>) {
        let timeout = self.session_timeout(group);
        self.set_timer(TimerKey::ConsumerSession(group.clone(), member.clone()), timeout);
    }

    /// Puts off the end of the session of a member of the classic protocol.
    fn renew_classic_session(&mut self, group: &Arc<str>, member: &Arc<str>, timeout_ms: i32) {
        self.set_timer(TimerKey::ConsumerSession(group.clone(), member.clone()), millis(timeout_ms));
    }

    fn cancel_timers(&mut self, group: &Arc<str>, member: &Arc<str>) {
        self.timers.cancel_consumer(group, member);
    }

    fn session_timeout(&self, group: &str) -> Duration {
        let own = self.metadata.group_setting(group, "consumer.session.timeout.ms");
        own.map_or(self.config.consumer_session_timeout, millis)
    }

    fn heartbeat_interval_ms(&self, group: &str) -> i32 {
        let own = self.metadata.group_setting(group, "consumer.heartbeat.interval.ms");
        own.unwrap_or_else(|| {
            i32::try_from(self.config.consumer_heartbeat_interval.as_millis()).unwrap_or(i32::MAX)
        })
    }

    /// How long a target assignment stays at least, in milliseconds.
    fn assignment_interval_ms(&self, group: &str) -> i64 {
        let own = self.metadata.group_setting(group, "consumer.assignment.interval.ms");
        own.map_or_else(
            || i64::try_from(self.config.consumer_assignment_interval.as_millis()).unwrap_or(i64::MAX),
            i64::from,
        )
    }
}

/// Reads a timeout from the wire; a negative one is none.
fn millis(timeout_ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0))
}
