//! Requests about share groups, which group is meant, and what the shell is asked and tells.

use std::collections::BTreeSet;
use std::sync::Arc;

use machine::Now;
use model::Uuid;
use protocol::share_group_describe_response::DescribedGroup;
use protocol::{
    AlterShareGroupOffsetsRequest, DeleteShareGroupOffsetsRequest, ErrorCode, ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse,
};

use super::entry::ShareEntry;
use super::group::ShareGroup;
use super::offsets::{ShareAlteration, ShareDeletion};
use super::partition_states::{PartitionStates, partitions_of};
use super::{SharePartitions, ShareTurn};
use crate::group::GroupOutcome;
use crate::group::consumer::Refusal;
use crate::group::groups::{Group, Groups};
use crate::group::machine::GroupMachine;
use crate::group::request::{DeletedTopic, RequestContext};

/// The epoch with which a member leaves.
const LEAVE_EPOCH: i32 = -1;

/// A request to the group machine about share groups.
#[derive(Clone, Debug)]
pub enum ShareGroupRequest {
    /// ShareGroupHeartbeat; answered with [`ShareGroupResponse::Heartbeat`].
    Heartbeat(RequestContext, ShareGroupHeartbeatRequest),
    /// ShareGroupDescribe; answered with [`ShareGroupResponse::Describe`].
    Describe(Vec<String>),
    /// The partitions whose state has begun; answered with [`ShareGroupResponse::Partitions`].
    Partitions(String),
    /// The states of partitions have begun; answered with [`ShareGroupResponse::Done`].
    StatesBegun(String, SharePartitions),
    /// The states of partitions could not be begun; answered with [`ShareGroupResponse::Done`].
    StatesFailed(String, SharePartitions),
    /// AlterShareGroupOffsets; answered with [`ShareGroupResponse::Alter`].
    Alter(AlterShareGroupOffsetsRequest),
    /// DeleteShareGroupOffsets; answered with [`ShareGroupResponse::DeleteOffsets`].
    DeleteOffsets(DeleteShareGroupOffsetsRequest),
    /// The states of topics are forgotten; answered with [`ShareGroupResponse::Done`].
    OffsetsDeleted(String, BTreeSet<Uuid>),
    /// Groups are to be deleted, and so are the states of their partitions, first; answered with
    /// [`ShareGroupResponse::PrepareDelete`].
    PrepareDelete(Vec<String>),
}

/// An answer of the group machine about share groups.
#[derive(Clone, Debug, PartialEq)]
pub enum ShareGroupResponse {
    /// To ShareGroupHeartbeat.
    Heartbeat(ShareGroupHeartbeatResponse),
    /// To ShareGroupDescribe, one entry for each group, in the request's order.
    Describe(Vec<DescribedGroup>),
    /// The partitions whose state has begun.
    Partitions(SharePartitions),
    /// To AlterShareGroupOffsets: what is to be initialized, or why nothing is.
    Alter(Result<ShareAlteration, (ErrorCode, String)>),
    /// To DeleteShareGroupOffsets: what is to be forgotten, or why nothing is.
    DeleteOffsets(Result<ShareDeletion, (ErrorCode, String)>),
    /// For each share group that is to be deleted: the partitions whose state is to be forgotten, or why it stays.
    PrepareDelete(Vec<(String, Result<SharePartitions, ErrorCode>)>),
    /// To the shell: begin the states of partitions, and tell how it went.
    BeginStates {
        /// The group.
        group: String,
        /// The epoch that the states are to have.
        state_epoch: i32,
        /// The partitions.
        partitions: SharePartitions,
    },
    /// To what has nothing to say.
    Done,
}

impl GroupMachine {
    /// Lends the share group `id` together with the rest of the machine that it may touch.
    pub(in crate::group) fn with_share<T>(
        &mut self,
        now: Now,
        id: &str,
        out: &mut GroupOutcome,
        act: impl FnOnce(&mut ShareGroup, &mut ShareTurn<'_>) -> T,
    ) -> Option<T> {
        let (groups, mut turn) = self.share_turn(now, out);
        let Some(Group::Share(group)) = groups.get_mut(id) else { return None };
        Some(act(group, &mut turn))
    }

    /// Lends the groups, and beside them what a share group may touch.
    pub(super) fn share_turn<'a>(
        &'a mut self,
        now: Now,
        out: &'a mut GroupOutcome,
    ) -> (&'a mut Groups, ShareTurn<'a>) {
        let turn = ShareTurn {
            now,
            config: &self.config,
            metadata: &mut self.metadata,
            timers: &mut self.timers,
            asked: &mut self.asked_states,
            out,
        };
        (&mut self.groups, turn)
    }

    /// Answers a request about share groups.
    pub(in crate::group) fn answer_share(
        &mut self,
        now: Now,
        request: ShareGroupRequest,
        out: &mut GroupOutcome,
    ) -> ShareGroupResponse {
        match request {
            ShareGroupRequest::Heartbeat(context, request) => {
                ShareGroupResponse::Heartbeat(self.share_heartbeat(now, &context, &request, out))
            }
            ShareGroupRequest::Describe(ids) => ShareGroupResponse::Describe(self.describe_share_groups(ids)),
            ShareGroupRequest::Partitions(id) => {
                ShareGroupResponse::Partitions(self.partitions_with_state(&id))
            }
            ShareGroupRequest::StatesBegun(id, partitions) => {
                self.with_share(now, &id, out, |group, turn| group.states_begun(&partitions, turn));
                ShareGroupResponse::Done
            }
            ShareGroupRequest::StatesFailed(id, partitions) => {
                self.with_share(now, &id, out, |group, turn| group.states_failed(&partitions, turn));
                ShareGroupResponse::Done
            }
            ShareGroupRequest::Alter(request) => {
                let altered = self.alter_share_offsets(now, request, out);
                ShareGroupResponse::Alter(altered.map_err(|refusal| (refusal.code, refusal.message)))
            }
            ShareGroupRequest::DeleteOffsets(request) => {
                let deleted = self.delete_share_offsets(now, &request, out);
                ShareGroupResponse::DeleteOffsets(deleted.map_err(|refusal| (refusal.code, refusal.message)))
            }
            ShareGroupRequest::OffsetsDeleted(id, topics) => {
                self.with_share(now, &id, out, |group, turn| group.states_forgotten(&topics, turn));
                ShareGroupResponse::Done
            }
            ShareGroupRequest::PrepareDelete(ids) => {
                let prepare = |id: String| {
                    let prepared = self.with_share(now, &id, out, ShareGroup::prepare_delete)?;
                    Some((id, prepared))
                };
                ShareGroupResponse::PrepareDelete(ids.into_iter().filter_map(prepare).collect())
            }
        }
    }

    /// Takes in a heartbeat. What is refused writes nothing.
    fn share_heartbeat(
        &mut self,
        now: Now,
        context: &RequestContext,
        request: &ShareGroupHeartbeatRequest,
        out: &mut GroupOutcome,
    ) -> ShareGroupHeartbeatResponse {
        let written = out.records.len();
        let answer = self.try_share_heartbeat(now, context, request, out);
        answer.unwrap_or_else(|refusal| {
            out.records.truncate(written);
            ShareGroupHeartbeatResponse {
                error_code: refusal.code,
                error_message: Some(refusal.message),
                ..Default::default()
            }
        })
    }

    fn try_share_heartbeat(
        &mut self,
        now: Now,
        context: &RequestContext,
        request: &ShareGroupHeartbeatRequest,
        out: &mut GroupOutcome,
    ) -> Result<ShareGroupHeartbeatResponse, Refusal> {
        let id = request.group_id.as_str();
        let (groups, mut turn) = self.share_turn(now, out);
        match groups.get_mut(id) {
            Some(Group::Share(group)) if request.member_epoch == LEAVE_EPOCH => {
                group.leave(request, &mut turn)
            }
            Some(Group::Share(group)) => group.heartbeat(context, request, &mut turn),
            Some(_) => Err(not_a_share_group(id)),
            // The group comes to be when its records are replayed.
            None if request.member_epoch == 0 => {
                ShareGroup::new(id.into()).heartbeat(context, request, &mut turn)
            }
            None if request.member_epoch == LEAVE_EPOCH => Err(not_found(id)),
            None => Err(Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, format!("Share group {id} not found."))),
        }
    }

    /// Describes share groups.
    fn describe_share_groups(&self, ids: Vec<String>) -> Vec<DescribedGroup> {
        let refuse = |group_id: String, refusal: Refusal| DescribedGroup {
            group_id,
            error_code: refusal.code,
            error_message: Some(refusal.message),
            ..Default::default()
        };
        let describe = |id: String| match self.groups.get(id.as_str()) {
            Some(Group::Share(group)) => group.describe(&self.metadata),
            Some(_) => {
                let refusal = not_a_share_group(&id);
                refuse(id, refusal)
            }
            None => {
                let refusal = not_found(&id);
                refuse(id, refusal)
            }
        };
        ids.into_iter().map(describe).collect()
    }

    fn partitions_with_state(&self, id: &str) -> SharePartitions {
        match self.groups.get(id) {
            Some(Group::Share(group)) => {
                group.states.iter().flat_map(|it| partitions_of(&it.initialized)).collect()
            }
            _ => SharePartitions::new(),
        }
    }

    /// Takes in a record of a share group. A group of another kind gives way to one that the log says is there.
    pub(in crate::group) fn replay_share(&mut self, id: String, entry: ShareEntry) {
        let id: Arc<str> = id.into();
        if !matches!(self.groups.get(&id), Some(Group::Share(_))) {
            if entry.is_tombstone() {
                return;
            }
            self.groups.insert(id.clone(), Group::Share(ShareGroup::new(id.clone())));
        }
        let Some(Group::Share(group)) = self.groups.get_mut(&id) else { return };
        if group.replay(entry) {
            self.groups.remove(&id);
            self.asked_states.retain(|(group, _), _| *group != id);
        }
    }

    /// Forgets which partitions of topics that are gone had state; the share coordinators forget the state itself.
    ///
    /// Kafka: `GroupMetadataManager.maybeCleanupShareGroupState`.
    pub(in crate::group) fn forget_share_states_of_topics(
        &self,
        topics: &[DeletedTopic],
        out: &mut GroupOutcome,
    ) {
        let topics: BTreeSet<Uuid> = topics.iter().map(|topic| topic.id).collect();
        for group in self.groups.values() {
            let Group::Share(group) = group else { continue };
            if let Some(states) = group.states.as_ref().and_then(|states| states.without(&topics)) {
                out.records.push(states.record(&group.id, &self.metadata));
            }
        }
    }
}

impl ShareGroup {
    fn states_begun(&mut self, partitions: &SharePartitions, turn: &mut ShareTurn<'_>) {
        turn.forget_asked(&self.id, partitions);
        let states = self.states.clone().unwrap_or_default();
        turn.write(states.begun(partitions, turn.metadata).record(&self.id, turn.metadata));
    }

    fn states_failed(&mut self, partitions: &SharePartitions, turn: &mut ShareTurn<'_>) {
        turn.forget_asked(&self.id, partitions);
        if let Some(states) = self.states.as_ref().filter(|states| !states.initializing.is_empty()) {
            turn.write(states.give_up(partitions).record(&self.id, turn.metadata));
        }
    }

    fn states_forgotten(&mut self, topics: &BTreeSet<Uuid>, turn: &mut ShareTurn<'_>) {
        let Some(states) = &self.states else { return };
        let mut next: PartitionStates = states.clone();
        next.deleting.retain(|topic| !topics.contains(topic));
        turn.write(next.record(&self.id, turn.metadata));
    }
}

pub(super) fn not_a_share_group(id: &str) -> Refusal {
    Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, format!("Group {id} is not a share group."))
}

pub(super) fn not_found(id: &str) -> Refusal {
    Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, format!("Group {id} not found."))
}
