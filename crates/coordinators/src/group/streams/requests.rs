//! Requests about streams groups: which group is meant, and what becomes of it where it is of another kind.
//!
//! Kafka: `GroupMetadataManager.getOrCreateStreamsGroup`.

use std::sync::Arc;

use machine::Now;
use protocol::streams_group_describe_response::DescribedGroup;
use protocol::{ErrorCode, StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};

use super::group::StreamsGroup;
use super::{StreamsEntry, StreamsHeartbeat, StreamsTurn};
use crate::group::GroupOutcome;
use crate::group::consumer::Refusal;
use crate::group::groups::{Group, Groups};
use crate::group::machine::GroupMachine;
use crate::group::request::RequestContext;
use crate::group::timers::TimerKey;

impl GroupMachine {
    /// Lends the streams group `id` together with the rest of the machine that it may touch.
    pub(in crate::group) fn with_streams<T>(
        &mut self,
        now: Now,
        id: &str,
        out: &mut GroupOutcome,
        act: impl FnOnce(&mut StreamsGroup, &mut StreamsTurn<'_>) -> T,
    ) -> Option<T> {
        let (groups, mut turn) = self.streams_turn(now, out);
        let Some(Group::Streams(group)) = groups.get_mut(id) else { return None };
        Some(act(group, &mut turn))
    }

    /// Lends the groups, and beside them what a streams group may touch.
    fn streams_turn<'a>(
        &'a mut self,
        now: Now,
        out: &'a mut GroupOutcome,
    ) -> (&'a mut Groups, StreamsTurn<'a>) {
        let turn = StreamsTurn {
            now,
            config: &self.config,
            metadata: &mut self.metadata,
            timers: &mut self.timers,
            out,
        };
        (&mut self.groups, turn)
    }

    /// Takes in a heartbeat. What is refused writes nothing.
    pub(in crate::group) fn streams_heartbeat(
        &mut self,
        now: Now,
        context: &RequestContext,
        request: &StreamsGroupHeartbeatRequest,
        out: &mut GroupOutcome,
    ) -> StreamsHeartbeat {
        let written = out.records.len();
        let answer = match request.member_epoch {
            epoch if epoch < 0 => self.streams_leave(now, request, out),
            _ => self.streams_stay(now, context, request, out),
        };
        answer.unwrap_or_else(|refusal| {
            out.records.truncate(written);
            let response = StreamsGroupHeartbeatResponse {
                error_code: refusal.code,
                error_message: Some(refusal.message),
                ..Default::default()
            };
            StreamsHeartbeat { response, ..Default::default() }
        })
    }

    fn streams_leave(
        &mut self,
        now: Now,
        request: &StreamsGroupHeartbeatRequest,
        out: &mut GroupOutcome,
    ) -> Result<StreamsHeartbeat, Refusal> {
        let id = &request.group_id;
        let not_found = self.no_streams_group(id, format!("Group {id} not found."));
        let left = self.with_streams(now, id, out, |group, turn| group.leave(request, turn));
        left.unwrap_or(Err(not_found))
    }

    fn streams_stay(
        &mut self,
        now: Now,
        context: &RequestContext,
        request: &StreamsGroupHeartbeatRequest,
        out: &mut GroupOutcome,
    ) -> Result<StreamsHeartbeat, Refusal> {
        let joins = request.member_epoch == 0;
        let id = request.group_id.as_str();
        let not_found = self.no_streams_group(id, format!("Streams group {id} not found."));
        let (groups, mut turn) = self.streams_turn(now, out);
        match groups.get_mut(id) {
            Some(Group::Streams(group)) => group.heartbeat(context, request, &mut turn),
            None if joins => StreamsGroup::new(id.into()).heartbeat(context, request, &mut turn),
            Some(Group::Classic(classic)) if joins && classic.is_empty() => {
                turn.write(classic.tombstone());
                StreamsGroup::new(id.into()).heartbeat(context, request, &mut turn)
            }
            _ => Err(not_found),
        }
    }

    fn no_streams_group(&self, id: &str, unknown: String) -> Refusal {
        let message = match self.groups.contains_key(id) {
            true => format!("Group {id} is not a streams group."),
            false => unknown,
        };
        Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, message)
    }

    /// Describes streams groups.
    pub(in crate::group) fn describe_streams_groups(&self, ids: Vec<String>) -> Vec<DescribedGroup> {
        let describe = |group_id: String| match self.groups.get(group_id.as_str()) {
            Some(Group::Streams(group)) => group.describe(),
            _ => {
                let refusal = self.no_streams_group(&group_id, format!("Group {group_id} not found."));
                DescribedGroup {
                    group_id,
                    error_code: refusal.code,
                    error_message: Some(refusal.message),
                    ..Default::default()
                }
            }
        };
        ids.into_iter().map(describe).collect()
    }

    /// Takes in a record of a streams group. A group of another kind gives way to one that the log says is there.
    pub(in crate::group) fn replay_streams(&mut self, id: String, entry: StreamsEntry) {
        let id: Arc<str> = id.into();
        if !matches!(self.groups.get(&id), Some(Group::Streams(_))) {
            if entry.is_tombstone() {
                return;
            }
            self.groups.insert(id.clone(), Group::Streams(StreamsGroup::new(id.clone())));
        }
        let Some(Group::Streams(group)) = self.groups.get_mut(&id) else { return };
        if group.replay(entry) {
            self.groups.remove(&id);
            self.timers.cancel(&TimerKey::StreamsInitialRebalance(id));
        }
    }
}
