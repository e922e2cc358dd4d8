//! Share groups of KIP-932: members send heartbeats, and the coordinator assigns partitions, each to as many members as it
//! takes for all to have some.
//!
//! A partition is assigned once the share coordinator has begun its state. The group asks for that as soon as a member reads
//! the topic, through its shell, and is told how it went.
//!
//! Invariants:
//! - requests are decided on what the log says, and change nothing of it but through records
//! - only partitions whose state has begun are assigned
//!
//! Kafka: `GroupMetadataManager`, `modern.share`.

mod assignor;
mod config;
mod entry;
mod group;
mod heartbeat;
mod member;
mod offsets;
mod partition_states;
mod requests;
mod target;

pub use config::{Bounded, ShareGroupsConfig};
pub use entry::ShareEntry;
pub(super) use group::ShareGroup;
pub use offsets::{ShareAlteration, ShareDeletion};
pub use requests::{ShareGroupRequest, ShareGroupResponse};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use machine::{Now, Ticket};
use model::Uuid;

use super::metadata::Metadata;
use super::record::GroupRecord;
use super::timers::{TimerKey, Timers};
use super::{GroupCoordinatorConfig, GroupOutcome, GroupResponse};

/// Partitions by topic.
pub type SharePartitions = BTreeMap<Uuid, BTreeSet<i32>>;

/// When the shell was asked to begin the states of a group's topic, in milliseconds since 1970, and has not yet told how it
/// went. What the log says is to begin and is not here was asked for before it was loaded, and is asked for again.
pub(super) type AskedStates = BTreeMap<(Arc<str>, Uuid), i64>;

/// What a share group needs beside itself to decide.
pub(super) struct ShareTurn<'a> {
    pub(super) now: Now,
    pub(super) config: &'a GroupCoordinatorConfig,
    pub(super) metadata: &'a mut Metadata,
    pub(super) timers: &'a mut Timers,
    pub(super) asked: &'a mut AskedStates,
    pub(super) out: &'a mut GroupOutcome,
}

impl ShareTurn<'_> {
    fn write(&mut self, record: GroupRecord) {
        self.out.records.push(record);
    }

    /// Remembers that the states of a topic's partitions are about to begin.
    fn note_asked(&mut self, group: &Arc<str>, topic: Uuid) {
        self.asked.insert((group.clone(), topic), self.now.wall.0);
    }

    fn forget_asked(&mut self, group: &Arc<str>, partitions: &SharePartitions) {
        partitions.keys().for_each(|topic| _ = self.asked.remove(&(group.clone(), *topic)));
    }

    /// Tells whether the states of a topic's partitions may be about to begin still.
    fn is_asked(&self, group: &Arc<str>, topic: Uuid) -> bool {
        let retry = i64::from(millis(self.config.share.initialize_retry_interval));
        let at = self.asked.get(&(group.clone(), topic));
        at.is_some_and(|at| self.now.wall.0.saturating_sub(*at) < retry)
    }

    /// Asks the shell for something once all that was written is committed.
    fn ask_shell(&mut self, request: ShareGroupResponse) {
        self.out.answers.push((Ticket::SHELL, GroupResponse::Share(request)));
    }

    /// Puts off the end of a member's session.
    fn renew_session(&mut self, group: &Arc<str>, member: &Arc<str>) {
        let own = self.metadata.group_setting(group, "share.session.timeout.ms");
        let timeout = self.config.share.session_timeout.with(own);
        let key = TimerKey::ShareSession(group.clone(), member.clone());
        self.timers.set(key, self.now.monotonic, timeout);
    }

    fn cancel_session(&mut self, group: &Arc<str>, member: &Arc<str>) {
        self.timers.cancel(&TimerKey::ShareSession(group.clone(), member.clone()));
    }

    fn heartbeat_interval_ms(&self, group: &str) -> i32 {
        let own = self.metadata.group_setting(group, "share.heartbeat.interval.ms");
        millis(self.config.share.heartbeat_interval.with(own))
    }

    /// How long a target assignment stays at least, in milliseconds.
    fn assignment_interval_ms(&self, group: &str) -> i64 {
        let own = self.metadata.group_setting(group, "share.assignment.interval.ms");
        millis(self.config.share.assignment_interval.with(own)).into()
    }
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}
