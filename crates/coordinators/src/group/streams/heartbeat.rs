//! StreamsGroupHeartbeat 0: a member joins with its topology, says what it has, and learns its tasks.
//!
//! Kafka: `GroupMetadataManager.streamsGroupHeartbeat`.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::streams_group_heartbeat_request as request;
use protocol::streams_group_heartbeat_response::Status;
use protocol::{ErrorCode, StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};

use super::configure::ConfiguredTopology;
use super::entry::StreamsEntry;
use super::group::StreamsGroup;
use super::member::{MemberState, StreamsMember};
use super::reconcile::Reconciling;
use super::target::Target;
use super::tasks::{TaskSet, answer};
use super::topology::{StreamsTopology, record_of};
use super::{StreamsHeartbeat, StreamsTurn, millis, status};
use crate::group::consumer::Refusal;
use crate::group::refreshed::Refreshed;
use crate::group::request::RequestContext;
use crate::group::timers::TimerKey;

/// The group's epoch and topology, once a request is through.
struct Refresh {
    epoch: i32,
    configured: Arc<ConfiguredTopology>,
    configs: BTreeMap<String, String>,
}

impl StreamsGroup {
    /// Takes in a heartbeat of a member that stays, or joins where its epoch is 0.
    pub(super) fn heartbeat(
        &mut self,
        context: &RequestContext,
        request: &StreamsGroupHeartbeatRequest,
        turn: &mut StreamsTurn<'_>,
    ) -> Result<StreamsHeartbeat, Refusal> {
        let member = self.sender(request, turn)?;
        let mut updated = member.clone();
        updated.hear(context, request);
        let introduced = updated != member;
        if introduced {
            turn.write(updated.member_record(&self.id));
        }
        let topology = self.take_topology(request.topology.as_ref(), turn)?;
        let mut statuses: Vec<Status> = self.stale_topology(&updated).into_iter().collect();
        let refresh = self.refresh(introduced, &topology, request, turn)?;
        self.begin_initial_delay(turn);
        let target = self.update_target(
            refresh.epoch,
            &updated,
            &refresh.configured,
            &refresh.configs,
            &mut statuses,
            turn,
        );
        let updated = self.reconcile(updated, &target, TaskSet::owned(request).as_ref(), turn)?;
        turn.renew_session(&self.id, &updated.id);
        if request.shutdown_application {
            self.request_shutdown(&updated.id);
        }
        let shows_tasks = request.member_epoch == 0 || member.assigned != updated.assigned;
        statuses.extend(refresh.configured.problem.as_ref().map(|problem| problem.status()));
        statuses.extend(self.shutdown_status());
        let response =
            self.respond(&updated, shows_tasks, request.endpoint_information_epoch, statuses, turn);
        Ok(StreamsHeartbeat { response, missing_topics: refresh.configured.missing_topics.clone() })
    }

    /// Finds the member that sends a heartbeat, or makes it if it joins.
    fn sender(
        &self,
        request: &StreamsGroupHeartbeatRequest,
        turn: &StreamsTurn<'_>,
    ) -> Result<StreamsMember, Refusal> {
        let id: Arc<str> = request.member_id.as_str().into();
        let joins = request.member_epoch == 0;
        let most = turn.config.streams_max_size;
        if joins && self.members.len() >= most {
            let message = format!("The streams group has reached its maximum capacity of {most} members.");
            return Err(Refusal::new(ErrorCode::GROUP_MAX_SIZE_REACHED, message));
        }
        let member = match self.members.get(&id) {
            Some(member) => member.clone(),
            None if joins => StreamsMember::new(id),
            None => return Err(self.unknown_member(&id)),
        };
        check_epoch(&member, request)?;
        Ok(member)
    }

    pub(super) fn unknown_member(&self, id: &str) -> Refusal {
        let message = format!("Member {id} is not a member of group {}.", self.id);
        Refusal::new(ErrorCode::UNKNOWN_MEMBER_ID, message)
    }

    /// Takes the topology of the member for the group's if it has none; otherwise they must be the same.
    fn take_topology(
        &self,
        told: Option<&request::Topology>,
        turn: &mut StreamsTurn<'_>,
    ) -> Result<Arc<StreamsTopology>, Refusal> {
        let (told, own) = match (told, &self.topology) {
            (None, Some(own)) => return Ok(own.clone()),
            (None, None) => {
                let message = "The topology is null and the group topology is also null.";
                return Err(Refusal::new(ErrorCode::UNKNOWN_SERVER_ERROR, message));
            }
            (Some(told), own) => (record_of(told)?, own),
        };
        let Some(own) = own else {
            turn.write(StreamsEntry::Topology(Some(told.clone())).of(&self.id));
            return Ok(Arc::new(StreamsTopology::from_record(told)));
        };
        if own.epoch > told.epoch || **own == StreamsTopology::from_record(told) {
            return Ok(own.clone());
        }
        Err(Refusal::new(ErrorCode::INVALID_REQUEST, "Topology updates are not supported yet."))
    }

    fn stale_topology(&self, member: &StreamsMember) -> Option<Status> {
        let own = self.topology.as_ref().filter(|own| member.topology_epoch < own.epoch)?;
        let detail = format!(
            "The member's topology epoch {} is behind the group's topology epoch {}.",
            member.topology_epoch, own.epoch
        );
        Some(status::of(status::STALE_TOPOLOGY, detail))
    }

    /// Sets the topology beside the topics that there are, and sees to it that the group's epoch says that something changed.
    fn refresh(
        &mut self,
        introduced: bool,
        topology: &StreamsTopology,
        request: &StreamsGroupHeartbeatRequest,
        turn: &mut StreamsTurn<'_>,
    ) -> Result<Refresh, Refusal> {
        let mut hash = self.metadata_hash;
        let fresh = self.configured.clone().filter(|_| self.topology.is_some());
        let configured = match fresh {
            Some(configured) if !self.needs_refresh(turn.now) => configured,
            fresh => {
                hash = turn.metadata.group_hash(topology.required_topics().into_iter());
                match fresh {
                    Some(configured) if hash == self.metadata_hash => configured,
                    _ => Arc::new(ConfiguredTopology::new(topology, turn.metadata)?),
                }
            }
        };
        let validated_epoch = if configured.is_ready() { topology.epoch } else { -1 };
        if configured.is_ready() {
            check_tasks(&configured, request)?;
        }
        let configs = turn.assignment_configs(&self.id);
        let bump = introduced
            || hash != self.metadata_hash
            || validated_epoch != self.validated_topology_epoch
            || configs != self.last_assignment_configs;
        let mut epoch = self.epoch;
        if bump {
            epoch = epoch.wrapping_add(1);
            turn.write(self.epoch_record(epoch, hash, validated_epoch, &configs));
        }
        self.refreshed = Some(Refreshed::new(turn.now, epoch));
        self.configured = Some(configured.clone());
        Ok(Refresh { epoch, configured, configs })
    }

    /// The first member of a group waits for others before tasks are assigned.
    fn begin_initial_delay(&self, turn: &mut StreamsTurn<'_>) {
        let key = TimerKey::StreamsInitialRebalance(self.id.clone());
        let delay = turn.initial_rebalance_delay(&self.id);
        if self.is_empty() && !delay.is_zero() && !turn.timers.is_set(&key) {
            turn.set_timer(key, delay);
        }
    }

    /// Takes a member's next step to its target, and writes it down.
    fn reconcile(
        &self,
        member: StreamsMember,
        target: &Target,
        owned: Option<&TaskSet>,
        turn: &mut StreamsTurn<'_>,
    ) -> Result<StreamsMember, Refusal> {
        if member.is_reconciled_to(target.epoch) {
            return Ok(member);
        }
        let reconciling =
            Reconciling { target_epoch: target.epoch, target: &target.tasks, holders: &self.holders, owned };
        let updated = reconciling.step(&member)?;
        if updated != member {
            turn.write(updated.assignment_record(&self.id));
            self.watch_revocation(&updated, turn);
        }
        Ok(updated)
    }

    /// Gives a member that must give up tasks its rebalance timeout to do so.
    pub(super) fn watch_revocation(&self, member: &StreamsMember, turn: &mut StreamsTurn<'_>) {
        let key = TimerKey::StreamsRebalance(self.id.clone(), member.id.clone());
        match member.state {
            MemberState::UnrevokedTasks => turn.set_timer(key, millis(member.rebalance_timeout_ms)),
            _ => turn.timers.cancel(&key),
        }
    }

    /// Remembers who asked first for the whole application to stop.
    pub(super) fn request_shutdown(&mut self, member: &str) {
        self.shutdown_requested_by.get_or_insert_with(|| member.to_owned());
    }

    fn shutdown_status(&self) -> Option<Status> {
        let member = self.shutdown_requested_by.as_ref()?;
        let detail = format!(
            "Streams group member {member} encountered a fatal error and requested a shutdown for the entire application."
        );
        Some(status::of(status::SHUTDOWN_APPLICATION, detail))
    }

    fn respond(
        &mut self,
        member: &StreamsMember,
        shows_tasks: bool,
        known_endpoint_epoch: i32,
        statuses: Vec<Status>,
        turn: &StreamsTurn<'_>,
    ) -> StreamsGroupHeartbeatResponse {
        let mut response = StreamsGroupHeartbeatResponse {
            member_id: member.id.to_string(),
            member_epoch: member.epoch,
            heartbeat_interval_ms: turn.heartbeat_interval_ms(&self.id),
            status: Some(statuses),
            ..Default::default()
        };
        if shows_tasks {
            let tasks = member.assigned.tasks();
            response.active_tasks = Some(answer(&tasks.active));
            response.standby_tasks = Some(answer(&tasks.standby));
            response.warmup_tasks = Some(answer(&tasks.warmup));
            self.endpoint_epoch += i32::from(member.user_endpoint.is_some());
        }
        if self.endpoint_epoch != known_endpoint_epoch {
            response.partitions_by_user_endpoint = Some(self.endpoints(member, turn.metadata));
        }
        // What a new group counts is forgotten: it comes to be when its records are replayed.
        if self.topology.is_some() {
            response.endpoint_information_epoch = self.endpoint_epoch;
        }
        response
    }
}

/// Kafka: `throwIfStreamsGroupMemberEpochIsInvalid`.
fn check_epoch(member: &StreamsMember, request: &StreamsGroupHeartbeatRequest) -> Result<(), Refusal> {
    let received = request.member_epoch;
    let relation = if received > member.epoch { "greater" } else { "smaller" };
    // The answer that told it of its epoch may have been lost; then it has no more than it was assigned.
    let lost_answer = || {
        let owned = TaskSet::owned(request);
        received == member.previous_epoch && owned.is_some_and(|owned| owned.are_within(&member.assigned))
    };
    if received == 0 || received == member.epoch || received < member.epoch && lost_answer() {
        return Ok(());
    }
    let message = format!(
        "The streams group member has a {relation} member epoch ({received}) than the one known by the group coordinator ({}). The member must abandon all its partitions and rejoin.",
        member.epoch
    );
    Err(Refusal::new(ErrorCode::FENCED_MEMBER_EPOCH, message))
}

/// Kafka: `throwIfRequestContainsInvalidTasks`.
fn check_tasks(
    configured: &ConfiguredTopology,
    request: &StreamsGroupHeartbeatRequest,
) -> Result<(), Refusal> {
    let kinds = [&request.active_tasks, &request.standby_tasks, &request.warmup_tasks];
    for tasks in kinds.into_iter().flatten().flatten() {
        let id = &tasks.subtopology_id;
        let Some(subtopology) = configured.subtopologies.get(id) else {
            let message = format!("Subtopology {id} does not exist in the topology.");
            return Err(Refusal::new(ErrorCode::INVALID_REQUEST, message));
        };
        let count = subtopology.task_count;
        if let Some(task) = tasks.partitions.iter().find(|task| !(0..count).contains(*task)) {
            let message = format!(
                "Task {task} for subtopology {id} is invalid. Number of tasks for this subtopology: {count}"
            );
            return Err(Refusal::new(ErrorCode::INVALID_REQUEST, message));
        }
    }
    Ok(())
}
