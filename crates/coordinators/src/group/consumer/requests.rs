//! Requests about consumer groups: which group is meant, and what becomes of it where it is of another kind.
//!
//! Kafka: `GroupMetadataManager.getOrMaybeCreateConsumerGroup`.

use std::sync::Arc;

use machine::Now;
use protocol::consumer_group_describe_response::DescribedGroup;
use protocol::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, ErrorCode, JoinGroupRequest,
    JoinGroupResponse,
};

use super::group::ConsumerGroup;
use super::member::{AWAY_EPOCH, LEAVE_EPOCH};
use super::upgrade::upgrade;
use super::{ConsumerEntry, ConsumerTurn, Refusal};
use crate::group::GroupOutcome;
use crate::group::groups::{Group, Groups};
use crate::group::machine::GroupMachine;
use crate::group::metadata::MetadataChange;
use crate::group::request::RequestContext;

impl GroupMachine {
    /// Lends the consumer group `id` together with the rest of the machine that it may touch.
    pub(in crate::group) fn with_consumer<T>(
        &mut self,
        now: Now,
        id: &str,
        out: &mut GroupOutcome,
        act: impl FnOnce(&mut ConsumerGroup, &mut ConsumerTurn<'_>) -> T,
    ) -> Option<T> {
        let (groups, mut turn) = self.consumer_turn(now, out);
        let Some(Group::Consumer(group)) = groups.get_mut(id) else { return None };
        Some(act(group, &mut turn))
    }

    /// Lends the groups, and beside them what a consumer group may touch.
    fn consumer_turn<'a>(
        &'a mut self,
        now: Now,
        out: &'a mut GroupOutcome,
    ) -> (&'a mut Groups, ConsumerTurn<'a>) {
        let turn = ConsumerTurn {
            now,
            config: &self.config,
            metadata: &mut self.metadata,
            timers: &mut self.timers,
            lookups: &mut self.lookups,
            out,
        };
        (&mut self.groups, turn)
    }

    /// Takes in a heartbeat. What is refused writes nothing.
    pub(in crate::group) fn consumer_heartbeat(
        &mut self,
        now: Now,
        context: &RequestContext,
        request: &ConsumerGroupHeartbeatRequest,
        out: &mut GroupOutcome,
    ) -> ConsumerGroupHeartbeatResponse {
        let written = out.records.len();
        let answer = match request.member_epoch {
            LEAVE_EPOCH | AWAY_EPOCH => self.consumer_leave(now, request, out),
            _ => self.consumer_stay(now, context, request, out),
        };
        answer.unwrap_or_else(|refusal| {
            out.records.truncate(written);
            ConsumerGroupHeartbeatResponse {
                error_code: refusal.code,
                error_message: Some(refusal.message),
                ..Default::default()
            }
        })
    }

    fn consumer_leave(
        &mut self,
        now: Now,
        request: &ConsumerGroupHeartbeatRequest,
        out: &mut GroupOutcome,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        let id = &request.group_id;
        let not_found = if self.groups.contains_key(id.as_str()) {
            format!("Group {id} is not a consumer group.")
        } else {
            format!("Group {id} not found.")
        };
        let left = self.with_consumer(now, id, out, |group, turn| group.leave(request, turn));
        left.unwrap_or_else(|| Err(Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, not_found)))
    }

    fn consumer_stay(
        &mut self,
        now: Now,
        context: &RequestContext,
        request: &ConsumerGroupHeartbeatRequest,
        out: &mut GroupOutcome,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        let joins = request.member_epoch == 0;
        let id = request.group_id.as_str();
        let (groups, mut turn) = self.consumer_turn(now, out);
        match groups.get_mut(id) {
            Some(Group::Consumer(group)) => group.heartbeat(context, request, &mut turn),
            None if joins => ConsumerGroup::new(id.into()).heartbeat(context, request, &mut turn),
            None => {
                let message = format!("Consumer group {id} not found.");
                Err(Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, message))
            }
            Some(Group::Classic(classic)) if joins && classic.is_empty() => {
                turn.write(classic.tombstone());
                ConsumerGroup::new(id.into()).heartbeat(context, request, &mut turn)
            }
            // What the group becomes comes to be when its records are replayed.
            Some(Group::Classic(classic)) if joins => {
                upgrade(classic, &mut turn)?.heartbeat(context, request, &mut turn)
            }
            Some(_) => {
                let message = format!("Group {id} is not a consumer group.");
                Err(Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, message))
            }
        }
    }

    /// Lets a member of the classic protocol join a consumer group that has members. None if there is no such group.
    pub(in crate::group) fn join_consumer_group(
        &mut self,
        now: Now,
        context: &RequestContext,
        request: &JoinGroupRequest,
        out: &mut GroupOutcome,
    ) -> Option<JoinGroupResponse> {
        let written = out.records.len();
        let has_members = matches!(
            self.groups.get(request.group_id.as_str()),
            Some(Group::Consumer(group)) if !group.is_empty()
        );
        if !has_members {
            return None;
        }
        let joined = self.with_consumer(now, &request.group_id, out, |group, turn| {
            group.join_by_classic_protocol(context, request, turn)
        })?;
        Some(joined.unwrap_or_else(|refusal| {
            out.records.truncate(written);
            JoinGroupResponse { error_code: refusal.code, ..Default::default() }
        }))
    }

    /// Describes consumer groups.
    pub(in crate::group) fn describe_consumer_groups(&self, ids: Vec<String>) -> Vec<DescribedGroup> {
        let describe = |group_id: String| match self.groups.get(group_id.as_str()) {
            Some(Group::Consumer(group)) => {
                group.describe(self.config.default_assignor().name(), &self.metadata)
            }
            Some(_) => {
                let message = format!("Group {group_id} is not a consumer group.");
                not_found(group_id, message)
            }
            None => {
                let message = format!("Group {group_id} not found.");
                not_found(group_id, message)
            }
        };
        ids.into_iter().map(describe).collect()
    }

    /// Takes in new metadata: groups that read a topic that changed look at it with their next heartbeat.
    pub(in crate::group) fn metadata_changed(&mut self, change: &MetadataChange) {
        self.metadata.change(change);
        if change.topics.is_empty() {
            return;
        }
        for group in self.groups.values_mut() {
            match group {
                Group::Consumer(group) => group.topics_changed(&change.topics),
                Group::Share(group) => group.topics_changed(&change.topics),
                Group::Streams(group) => group.topics_changed(&change.topics),
                Group::Classic(_) => {}
            }
        }
    }

    /// Takes in a record of a consumer group. A group of another kind gives way to one that the log says is there.
    pub(in crate::group) fn replay_consumer(&mut self, id: String, entry: ConsumerEntry) {
        let id: Arc<str> = id.into();
        if !matches!(self.groups.get(&id), Some(Group::Consumer(_))) {
            if entry.is_tombstone() {
                return;
            }
            self.groups.insert(id.clone(), Group::Consumer(ConsumerGroup::new(id.clone())));
        }
        let Some(Group::Consumer(group)) = self.groups.get_mut(&id) else { return };
        if group.replay(entry) {
            self.groups.remove(&id);
        }
    }
}

fn not_found(group_id: String, message: String) -> DescribedGroup {
    DescribedGroup {
        group_id,
        error_code: ErrorCode::GROUP_ID_NOT_FOUND,
        error_message: Some(message),
        ..Default::default()
    }
}
