//! The machine: dispatches requests to the file of their concern, replays records, and wakes for its timers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use machine::{Instant, Machine, Now, Outcome, Ticket};
use metadata::{BrokerRegistration, MetadataImage, MetadataProvenance, ReplayError};
use model::{NodeId, Offset};
use protocol::{ErrorCode, MetadataRecord, NoOpRecord, ResponseBody};
use quota::MutationQuota;

use crate::delegation_tokens::Tokens;
use crate::heartbeats::Heartbeats;
use crate::random::Random;
use crate::replica_index::ReplicaIndex;
use crate::requests::Decision;
use crate::{ApiError, ControllerConfig, ControllerRequest};

/// The most partition elections that one timer does. Kafka: `ReplicationControlManager.maxElectionsPerImbalance`.
const MAX_ELECTIONS_PER_IMBALANCE: usize = 1000;

/// The active controller's state machine over `__cluster_metadata`.
///
/// The shell calls [`Controller::set_next_offset`] before it replays a batch and after it appended something else
/// than the machine's records, so that broker epochs are true offsets.
#[derive(Debug)]
pub struct Controller {
    pub(crate) config: ControllerConfig,
    pub(crate) image: MetadataImage,
    pub(crate) index: ReplicaIndex,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) random: Random,
    pub(crate) tokens: Tokens,
    /// The offset of the record that is appended, or replayed, next.
    pub(crate) next_offset: Offset,
    /// What the request that is decided on counts against, and since when.
    quota: Option<(MutationQuota, Instant)>,
    /// Where each broker's registration stands in the log.
    pub(crate) registration_offsets: BTreeMap<NodeId, Offset>,
    next_no_op: Option<Instant>,
    next_imbalance_check: Option<Instant>,
    next_unclean_check: Option<Instant>,
    /// The first record that did not fit the image; the node must stop.
    failure: Option<ReplayError>,
}

impl Controller {
    /// Makes a controller with nothing replayed.
    pub fn new(config: ControllerConfig) -> Self {
        Self {
            random: Random::new(config.seed),
            heartbeats: Heartbeats::new(config.broker_session_timeout),
            tokens: Tokens::new(&config.broker),
            config,
            image: MetadataImage::default(),
            index: ReplicaIndex::default(),
            next_offset: Offset(0),
            quota: None,
            registration_offsets: BTreeMap::new(),
            next_no_op: None,
            next_imbalance_check: None,
            next_unclean_check: None,
            failure: None,
        }
    }

    /// The metadata as of the last replayed record.
    pub fn image(&self) -> &MetadataImage {
        &self.image
    }

    /// Says which offset the next record has.
    pub fn set_next_offset(&mut self, offset: Offset) {
        self.next_offset = offset;
    }

    /// Says at which level `kraft.version` is.
    pub fn set_kraft_version(&mut self, level: i16) {
        self.image.set_kraft_version(level);
    }

    /// Says how far the image now reaches; called after each batch.
    pub fn set_provenance(&mut self, provenance: MetadataProvenance) {
        self.image.set_provenance(provenance);
    }

    /// The first record that contradicted the image, if any: the log is broken and the node must stop.
    pub fn failure(&self) -> Option<&ReplayError> {
        self.failure.as_ref()
    }

    /// Becomes active at `now`: every known broker counts as just heard of, timers start. This node's own broker does
    /// not: its last incarnation ended with the process before this one, so it need not wait for a session to end.
    pub fn activate(&mut self, now: Now) {
        let brokers: Vec<NodeId> = self.image.cluster().brokers().map(|broker| broker.id).collect();
        for broker in brokers.into_iter().filter(|id| *id != self.config.node_id) {
            self.heartbeats.touch(broker, now.monotonic, -1);
        }
        self.next_no_op = self.config.max_idle_interval.map(|interval| now.monotonic + interval);
        self.next_imbalance_check =
            self.config.leader_imbalance_check_interval.map(|interval| now.monotonic + interval);
        self.next_unclean_check = Some(now.monotonic + self.config.unclean_leader_election_interval);
        self.tokens.next_sweep = self.token_sweep_interval().map(|interval| now.monotonic + interval);
    }

    /// Tells whether a broker may lead: registered, not fenced, not about to stop. Kafka: `ClusterControlManager.isActive`.
    pub(crate) fn is_active(&self, id: NodeId) -> bool {
        self.broker(id).is_some_and(|broker| !broker.fenced && !broker.in_controlled_shutdown)
    }

    pub(crate) fn broker(&self, id: NodeId) -> Option<&BrokerRegistration> {
        self.image.cluster().broker(id).map(AsRef::as_ref)
    }

    fn decide(&mut self, now: Now, request: ControllerRequest) -> Decision {
        match request {
            ControllerRequest::AllocateProducerIds(request) => self.allocate_producer_ids(&request),
            ControllerRequest::AlterClientQuotas(request) => {
                self.alter_client_quotas(&request, &BTreeSet::new())
            }
            ControllerRequest::WithHosts(request, hosts) => self.alter_client_quotas(&request, &hosts),
            ControllerRequest::AlterConfigs(request) => self.alter_configs(&request),
            ControllerRequest::AlterPartition(request) => self.alter_partition(&request),
            ControllerRequest::AlterPartitionReassignments(request) => self.alter_reassignments(&request),
            ControllerRequest::AlterUserScramCredentials(request) => {
                self.alter_user_scram_credentials(&request)
            }
            ControllerRequest::AssignReplicasToDirs(request) => self.assign_replicas_to_dirs(&request),
            ControllerRequest::BrokerHeartbeat(request) => self.broker_heartbeat(now, &request),
            ControllerRequest::BrokerRegistration(request) => self.register_broker(now, &request),
            ControllerRequest::ControllerRegistration(request) => self.register_controller(&request),
            ControllerRequest::CreateAcls(request) => self.create_acls(&request),
            ControllerRequest::CreatePartitions(request) => self.create_partitions(*request),
            ControllerRequest::CreateTopics(request) => self.create_topics(*request),
            ControllerRequest::DeleteAcls(request) => self.delete_acls(&request),
            ControllerRequest::DeleteTopics(request) => self.delete_topics(&request),
            ControllerRequest::ElectLeaders(request) => self.elect_leaders(&request),
            ControllerRequest::IncrementalAlterConfigs(request) => self.incremental_alter_configs(&request),
            ControllerRequest::ListPartitionReassignments(request) => self.list_reassignments(&request),
            ControllerRequest::Token(request, asker) => self.decide_on_token(now, request, &asker),
            ControllerRequest::UnregisterBroker(request) => self.unregister_broker(&request),
            ControllerRequest::UpdateFeatures(request) => self.update_features(&request),
            ControllerRequest::Limited(request, quota) => {
                self.quota = Some((quota, now.monotonic));
                let decision = self.decide(now, *request);
                self.quota = None;
                decision
            }
        }
    }

    /// Counts partitions that are created or deleted against the client's quota.
    /// Kafka: `ControllerRequestContext.applyPartitionChangeQuota`.
    pub(crate) fn charge(&self, partitions: usize) -> Result<(), ApiError> {
        match &self.quota {
            Some((quota, now)) if !quota.record(partitions, *now) => {
                Err(ErrorCode::THROTTLING_QUOTA_EXCEEDED.into())
            }
            _ => Ok(()),
        }
    }

    fn replay_indexed(&mut self, record: &MetadataRecord) -> Result<(), ReplayError> {
        let before = self.index.before(&self.image, record);
        self.image.replay(record)?;
        self.tokens.replay(record);
        match record {
            MetadataRecord::AbortTransactionRecord(_) | MetadataRecord::ClearElrRecord(_) => {
                self.index = ReplicaIndex::of(&self.image);
                self.tokens.reload(&self.image);
            }
            MetadataRecord::RegisterBrokerRecord(record) => {
                self.registration_offsets.insert(NodeId(record.broker_id), self.next_offset);
            }
            MetadataRecord::UnregisterBrokerRecord(record) => {
                self.registration_offsets.remove(&NodeId(record.broker_id));
                self.heartbeats.remove(NodeId(record.broker_id));
            }
            record => self.index.replay(before, &self.image, record),
        }
        Ok(())
    }

    fn timed_records(&mut self, time: Now) -> Vec<MetadataRecord> {
        let now = time.monotonic;
        let mut records = self.fence_one_stale_broker(now);
        if is_due(&mut self.next_imbalance_check, self.config.leader_imbalance_check_interval, now) {
            records.extend(self.elect_preferred_leaders(MAX_ELECTIONS_PER_IMBALANCE));
        }
        let unclean_interval = Some(self.config.unclean_leader_election_interval);
        if is_due(&mut self.next_unclean_check, unclean_interval, now) {
            records.extend(self.elect_unclean_leaders(MAX_ELECTIONS_PER_IMBALANCE));
        }
        let sweep_interval = self.token_sweep_interval();
        if is_due(&mut self.tokens.next_sweep, sweep_interval, now) {
            records.extend(self.sweep_tokens(time));
        }
        if is_due(&mut self.next_no_op, self.config.max_idle_interval, now) {
            records.push(MetadataRecord::NoOpRecord(NoOpRecord::default()));
        }
        records
    }
}

/// Tells whether a timer is due, and sets it anew if so.
fn is_due(timer: &mut Option<Instant>, interval: Option<Duration>, now: Instant) -> bool {
    let due = timer.is_some_and(|at| at <= now);
    if due {
        *timer = interval.map(|interval| now + interval);
    }
    due
}

impl Machine for Controller {
    type Request = ControllerRequest;
    type Response = ResponseBody;
    type Record = MetadataRecord;

    fn handle(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: ControllerRequest,
    ) -> Outcome<MetadataRecord, ResponseBody> {
        let Decision { records, response } = self.decide(now, request);
        Outcome { records, answers: vec![(ticket, response)] }
    }

    fn replay(&mut self, record: MetadataRecord) {
        if let Err(error) = self.replay_indexed(&record) {
            self.failure.get_or_insert(error);
        }
        self.next_offset = self.next_offset.plus(1);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let stale = self.heartbeats.next_expiry(|id| self.broker(id).is_some_and(|broker| !broker.fenced));
        let sweep = self.tokens.next_sweep;
        [stale, self.next_no_op, self.next_imbalance_check, self.next_unclean_check, sweep]
            .into_iter()
            .flatten()
            .min()
    }

    fn handle_timeout(&mut self, now: Now) -> Outcome<MetadataRecord, ResponseBody> {
        Outcome { records: self.timed_records(now), answers: Vec::new() }
    }
}

#[cfg(test)]
mod tests;
