//! Classic groups: the protocol of JoinGroup and SyncGroup, in which a member that is the leader assigns the partitions.
//!
//! Eager and cooperative rebalancing differ in the clients alone.

mod group;
mod heartbeat;
mod join;
mod leave;
mod member;
mod migration;
mod rebalance;
mod sync;

pub(super) use group::ClassicGroup;
pub use group::ClassicGroupState;
pub(super) use join::Joining;
pub(super) use migration::MigratingMember;

use std::sync::Arc;
use std::time::Duration;

use machine::{Now, Ticket};
use protocol::{ErrorCode, JoinGroupResponse, SyncGroupResponse};

use super::request::GroupResponse;
use super::timers::{TimerKey, Timers};
use super::{GroupCoordinatorConfig, GroupOutcome};

/// What a group needs beside itself to decide: the time, the settings, the timers, and where its records and answers go.
pub(super) struct Turn<'a> {
    pub(super) now: Now,
    pub(super) config: &'a GroupCoordinatorConfig,
    pub(super) timers: &'a mut Timers,
    pub(super) out: &'a mut GroupOutcome,
}

impl Turn<'_> {
    fn set_timer(&mut self, key: TimerKey, after: Duration) {
        self.timers.set(key, self.now.monotonic, after);
    }

    fn cancel_session(&mut self, group: &Arc<str>, member: &Arc<str>) {
        self.timers.cancel(&TimerKey::Session(group.clone(), member.clone()));
    }

    fn answer(&mut self, ticket: Ticket, response: GroupResponse) {
        self.out.answers.push((ticket, response));
    }

    fn refuse_join(&mut self, ticket: Ticket, member_id: &str, error_code: ErrorCode) {
        let response = JoinGroupResponse { member_id: member_id.into(), error_code, ..Default::default() };
        self.answer(ticket, GroupResponse::Join(response));
    }

    fn refuse_sync(&mut self, ticket: Ticket, error_code: ErrorCode) {
        self.answer(ticket, GroupResponse::Sync(SyncGroupResponse { error_code, ..Default::default() }));
    }
}

/// Reads a timeout from the wire; a negative one is none.
fn millis(timeout_ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0))
}
