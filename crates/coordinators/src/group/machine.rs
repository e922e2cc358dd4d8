//! The machine for one partition of `__consumer_offsets`: dispatch, replay, timers.
//!
//! Invariants:
//! - offsets, pending transactions and which groups the log holds change in `replay` alone
//! - a classic group becomes stable in `replay`, when its generation is in the log
//! - soft state (joins, sessions, waiting tickets, timers) begins anew at [`GroupMachine::loaded`]

use std::collections::BTreeMap;
use std::sync::Arc;

use ::metadata::MetadataImage;
use machine::{Instant, Machine, Now, Ticket};
use protocol::{ErrorCode, HeartbeatResponse, JoinGroupResponse, LeaveGroupResponse, SyncGroupResponse};

pub use machine::Outcome;

use super::classic::{ClassicGroup, Joining, Turn};
use super::consumer::Lookups;
use super::counts::GroupEvents;
use super::groups::{Group, Groups};
use super::metadata::Metadata;
use super::offsets::Offsets;
use super::record::GroupRecord;
use super::request::{GroupRequest, GroupResponse, RequestContext};
use super::share::AskedStates;
use super::timers::{TimerKey, Timers};
use super::{GroupCoordinatorConfig, GroupOutcome};

/// The groups and offsets of one partition. Kafka: `GroupCoordinatorShard`.
#[derive(Debug)]
pub struct GroupMachine {
    pub(super) config: Arc<GroupCoordinatorConfig>,
    pub(super) groups: Groups,
    pub(super) offsets: Offsets,
    pub(super) timers: Timers,
    pub(super) metadata: Metadata,
    pub(super) asked_states: AskedStates,
    pub(super) lookups: Lookups,
    /// What was decided, for metrics.
    pub(super) events: GroupEvents,
    /// Whether the log is replayed, so that what comes now was decided here.
    live: bool,
    /// Group epochs that were decided here, by the group's type.
    pub(super) rebalances: BTreeMap<&'static str, u64>,
}

impl GroupMachine {
    /// Makes a machine with no groups, to replay a log into. `metadata` is what is known of topics until it is told more.
    pub fn new(config: Arc<GroupCoordinatorConfig>, metadata: Arc<MetadataImage>) -> Self {
        Self {
            config,
            groups: Groups::new(),
            offsets: Offsets::default(),
            timers: Timers::default(),
            metadata: Metadata::new(metadata),
            asked_states: AskedStates::new(),
            lookups: Lookups::new(),
            events: GroupEvents::default(),
            live: false,
            rebalances: BTreeMap::new(),
        }
    }

    /// Takes in what is known of topics before the machine begins to serve.
    pub fn set_metadata(&mut self, metadata: Arc<MetadataImage>) {
        self.metadata = Metadata::new(metadata);
    }

    /// Begins to serve what was replayed: every member of the log gets a session to show itself in.
    pub fn loaded(&mut self, now: Now) -> GroupOutcome {
        self.live = true;
        let mut out = GroupOutcome::default();
        for id in self.groups.keys().cloned().collect::<Vec<_>>() {
            self.with_classic(now, &id, &mut out, ClassicGroup::loaded);
            self.with_consumer(now, &id, &mut out, |group, turn| group.loaded(turn));
            self.with_share(now, &id, &mut out, |group, turn| group.loaded(turn));
            self.with_streams(now, &id, &mut out, |group, turn| group.loaded(turn));
        }
        self.timers.set(TimerKey::Expiration, now.monotonic, self.config.offsets_retention_check_interval);
        out
    }

    /// Lends the classic group `id` together with the rest of the machine that it may touch.
    pub(super) fn with_classic<T>(
        &mut self,
        now: Now,
        id: &str,
        out: &mut GroupOutcome,
        act: impl FnOnce(&mut ClassicGroup, &mut Turn<'_>) -> T,
    ) -> Option<T> {
        let Some(Group::Classic(group)) = self.groups.get_mut(id) else { return None };
        Some(act(group, &mut Turn { now, config: &self.config, timers: &mut self.timers, out }))
    }

    fn join(
        &mut self,
        now: Now,
        ticket: Ticket,
        context: &RequestContext,
        request: &protocol::JoinGroupRequest,
        out: &mut GroupOutcome,
    ) {
        if let Some(response) = self.join_consumer_group(now, context, request, out) {
            return out.answers.push((ticket, GroupResponse::Join(response)));
        }
        let born = match self.make_joinable(now, request, out) {
            Ok(born) => born,
            Err(error_code) => {
                let member_id = match error_code {
                    ErrorCode::UNKNOWN_MEMBER_ID => request.member_id.clone(),
                    _ => String::new(),
                };
                let response = JoinGroupResponse { error_code, member_id, ..Default::default() };
                return out.answers.push((ticket, GroupResponse::Join(response)));
            }
        };
        self.with_classic(now, &request.group_id, out, |group, turn| {
            group.join(&Joining { ticket, context, request }, turn);
            if born {
                group.record_birth(turn);
            }
        });
    }

    /// Sees to it that the group is a classic one, and tells whether it is new.
    fn make_joinable(
        &mut self,
        now: Now,
        request: &protocol::JoinGroupRequest,
        out: &mut GroupOutcome,
    ) -> Result<bool, ErrorCode> {
        match self.groups.get(request.group_id.as_str()) {
            Some(Group::Classic(_)) => return Ok(false),
            Some(Group::Share(_)) => return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL),
            Some(Group::Streams(group)) if !group.is_empty() => {
                return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
            }
            _ if !request.member_id.is_empty() => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
            Some(Group::Streams(group)) => out.records.extend(group.tombstones()),
            Some(Group::Consumer(group)) => out.records.extend(group.tombstones()),
            None => {}
        }
        let id: Arc<str> = request.group_id.as_str().into();
        let tombstones = out.records.len();
        let group = ClassicGroup::new(id.clone(), now.wall);
        if tombstones > 0 {
            out.records.push(group.birth());
        }
        self.groups.insert(id, Group::Classic(group));
        Ok(true)
    }

    fn sync(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: protocol::SyncGroupRequest,
        out: &mut GroupOutcome,
    ) {
        let id = request.group_id.clone();
        if matches!(self.groups.get(id.as_str()), Some(Group::Classic(_))) {
            self.with_classic(now, &id, out, |group, turn| group.sync(ticket, request, turn));
            return;
        }
        let synced =
            self.with_consumer(now, &id, out, |group, turn| group.sync_by_classic_protocol(&request, turn));
        let response = synced
            .unwrap_or(Err(ErrorCode::UNKNOWN_MEMBER_ID))
            .unwrap_or_else(|error_code| SyncGroupResponse { error_code, ..Default::default() });
        out.answers.push((ticket, GroupResponse::Sync(response)));
    }

    fn heartbeat(
        &mut self,
        now: Now,
        request: &protocol::HeartbeatRequest,
        out: &mut GroupOutcome,
    ) -> GroupResponse {
        let beat =
            self.with_classic(now, &request.group_id, out, |group, turn| group.heartbeat(request, turn));
        let error_code = match beat {
            Some(error_code) => error_code,
            None => self
                .with_consumer(now, &request.group_id, out, |group, turn| {
                    group.heartbeat_by_classic_protocol(request, turn)
                })
                .unwrap_or(Err(ErrorCode::UNKNOWN_MEMBER_ID))
                .err()
                .unwrap_or(ErrorCode::NONE),
        };
        GroupResponse::Heartbeat(HeartbeatResponse { error_code, ..Default::default() })
    }

    fn leave(
        &mut self,
        now: Now,
        request: protocol::LeaveGroupRequest,
        out: &mut GroupOutcome,
    ) -> GroupResponse {
        let id = request.group_id.clone();
        let left = match self.groups.get(id.as_str()) {
            Some(Group::Classic(_)) => {
                self.with_classic(now, &id, out, |group, turn| group.leave(request, turn))
            }
            Some(Group::Consumer(_)) => self
                .with_consumer(now, &id, out, |group, turn| group.leave_by_classic_protocol(request, turn)),
            _ => Some(unknown_members(request.members)),
        };
        GroupResponse::Leave(left.unwrap_or_default())
    }

    fn answer(&mut self, now: Now, request: GroupRequest, out: &mut GroupOutcome) -> GroupResponse {
        match request {
            GroupRequest::Heartbeat(request) => self.heartbeat(now, &request, out),
            GroupRequest::Leave(request) => self.leave(now, request, out),
            GroupRequest::Describe(version, ids) => GroupResponse::Describe(self.describe(version, ids)),
            GroupRequest::List(request) => GroupResponse::List(self.list(&request)),
            GroupRequest::Delete(ids) => GroupResponse::Delete(self.delete(ids, out)),
            GroupRequest::OffsetCommit(context, request) => {
                GroupResponse::OffsetCommit(self.commit_offsets(now, &context, request, out))
            }
            GroupRequest::TxnOffsetCommit(request) => {
                GroupResponse::TxnOffsetCommit(self.commit_transactional_offsets(now, request, out))
            }
            GroupRequest::OffsetFetch { group, require_stable } => {
                GroupResponse::OffsetFetch(self.fetch_offsets(group, require_stable))
            }
            GroupRequest::OffsetDelete(request) => {
                let response = self.delete_offsets(request, out);
                self.events.offset_deletions += out.records.len() as u64;
                GroupResponse::OffsetDelete(response)
            }
            GroupRequest::TopicsDeleted(topics) => {
                self.delete_offsets_of_topics(&topics, out);
                self.forget_share_states_of_topics(&topics, out);
                GroupResponse::Done
            }
            GroupRequest::EndTransaction { producer, coordinator_epoch, commit } => {
                out.records.push(GroupRecord::EndTransaction { producer, coordinator_epoch, commit });
                GroupResponse::Done
            }
            GroupRequest::ConsumerHeartbeat(context, request) => {
                GroupResponse::ConsumerHeartbeat(self.consumer_heartbeat(now, &context, &request, out))
            }
            GroupRequest::ConsumerDescribe(ids) => {
                GroupResponse::ConsumerDescribe(self.describe_consumer_groups(ids))
            }
            GroupRequest::Share(request) => GroupResponse::Share(self.answer_share(now, request, out)),
            GroupRequest::StreamsHeartbeat(context, request) => {
                GroupResponse::StreamsHeartbeat(self.streams_heartbeat(now, &context, &request, out))
            }
            GroupRequest::StreamsDescribe(ids) => {
                GroupResponse::StreamsDescribe(self.describe_streams_groups(ids))
            }
            GroupRequest::MetadataChanged(change) => {
                self.metadata_changed(&change);
                GroupResponse::Done
            }
            GroupRequest::Join(..) | GroupRequest::Sync(_) => GroupResponse::Done,
        }
    }

    /// Counts a record that was decided on here.
    fn count_event(&mut self, record: &GroupRecord) {
        if matches!(record, GroupRecord::Offset { value: Some(_), .. }) {
            self.events.offset_commits += 1;
        }
    }

    fn replay_group(&mut self, id: String, value: Option<protocol::GroupMetadataValue>) {
        let id: Arc<str> = id.into();
        match (value, self.groups.get_mut(&id)) {
            (None, Some(Group::Classic(_))) => {
                self.timers.cancel_group(&id);
                self.groups.remove(&id);
            }
            (None, _) => {}
            (Some(value), Some(Group::Classic(group))) if self.live => {
                self.events.completed_rebalances += u64::from(group.replay_generation(&value));
            }
            (Some(value), _) => {
                self.groups.insert(id.clone(), Group::Classic(ClassicGroup::from_record(id, value)));
            }
        }
    }
}

fn unknown_members(members: Vec<protocol::leave_group_request::MemberIdentity>) -> LeaveGroupResponse {
    let unknown = |member: protocol::leave_group_request::MemberIdentity| {
        protocol::leave_group_response::MemberResponse {
            member_id: member.member_id,
            group_instance_id: member.group_instance_id,
            error_code: ErrorCode::UNKNOWN_MEMBER_ID,
            ..Default::default()
        }
    };
    LeaveGroupResponse { members: members.into_iter().map(unknown).collect(), ..Default::default() }
}

impl Machine for GroupMachine {
    type Request = GroupRequest;
    type Response = GroupResponse;
    type Record = GroupRecord;

    fn handle(&mut self, now: Now, ticket: Ticket, request: GroupRequest) -> GroupOutcome {
        let mut out = GroupOutcome::default();
        match request {
            GroupRequest::Join(context, request) => self.join(now, ticket, &context, &request, &mut out),
            GroupRequest::Sync(request) => self.sync(now, ticket, request, &mut out),
            request => {
                let response = self.answer(now, request, &mut out);
                out.answers.push((ticket, response));
            }
        }
        out
    }

    fn replay(&mut self, record: GroupRecord) {
        if self.live {
            self.count_rebalance(&record);
            self.count_event(&record);
        }
        match record {
            GroupRecord::Offset { key, value, producer } => self.replay_offset(key, value, producer),
            GroupRecord::Group { id, value } => self.replay_group(id, value),
            GroupRecord::Consumer { id, entry } => self.replay_consumer(id, entry),
            GroupRecord::Share { id, entry } => self.replay_share(id, entry),
            GroupRecord::Streams { id, entry } => self.replay_streams(id, entry),
            GroupRecord::EndTransaction { producer, commit, .. } => {
                self.offsets.end_transaction(producer.id, commit);
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    fn handle_timeout(&mut self, now: Now) -> GroupOutcome {
        let mut out = GroupOutcome::default();
        // One timer at a time: what it writes must be replayed before the next one decides.
        match self.timers.pop_due(now.monotonic) {
            Some(TimerKey::Join(id)) => {
                self.with_classic(now, &id, &mut out, |group, turn| group.join_timed_out(turn));
            }
            Some(TimerKey::Sync(id)) => {
                self.with_classic(now, &id, &mut out, |group, turn| group.sync_timed_out(turn));
            }
            Some(TimerKey::Session(id, member)) => {
                self.with_classic(now, &id, &mut out, |group, turn| group.session_timed_out(&member, turn));
            }
            Some(TimerKey::ConsumerRebalance(id, member)) => {
                self.with_consumer(now, &id, &mut out, |group, turn| {
                    group.rebalance_timed_out(&member, turn)
                });
            }
            Some(
                TimerKey::ConsumerSession(id, member)
                | TimerKey::ConsumerJoin(id, member)
                | TimerKey::ConsumerSync(id, member),
            ) => {
                self.with_consumer(now, &id, &mut out, |group, turn| group.session_timed_out(&member, turn));
            }
            Some(TimerKey::Expressions(id)) => {
                self.with_consumer(now, &id, &mut out, |group, turn| group.look_up_expressions(turn));
            }
            Some(TimerKey::ShareSession(id, member)) => {
                self.with_share(now, &id, &mut out, |group, turn| group.session_timed_out(&member, turn));
            }
            Some(TimerKey::Downgraded(id, rebalance)) => {
                self.with_classic(now, &id, &mut out, |group, turn| group.downgraded(rebalance, turn));
            }
            Some(TimerKey::StreamsSession(id, member)) => {
                self.with_streams(now, &id, &mut out, |group, turn| group.session_timed_out(&member, turn));
            }
            Some(TimerKey::StreamsRebalance(id, member)) => {
                self.with_streams(now, &id, &mut out, |group, turn| group.rebalance_timed_out(&member, turn));
            }
            Some(TimerKey::StreamsInitialRebalance(id)) => {
                self.with_streams(now, &id, &mut out, |group, turn| group.initial_delay_is_over(turn));
            }
            Some(TimerKey::Expiration) => {
                self.expire_offsets(now, &mut out);
                let expired =
                    out.records.iter().filter(|record| matches!(record, GroupRecord::Offset { .. }));
                self.events.offset_expirations += expired.count() as u64;
                self.timers.set(
                    TimerKey::Expiration,
                    now.monotonic,
                    self.config.offsets_retention_check_interval,
                );
            }
            None => {}
        }
        out
    }
}
