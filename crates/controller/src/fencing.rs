//! What happens to partitions when a broker goes, comes back, or loses a log dir: ISR, ELR and leaders follow.
//!
//! Kafka: `ReplicationControlManager.handleBrokerFenced` and its neighbours, `generateLeaderAndIsrUpdates`.

use machine::Instant;
use metadata::{BrokerRegistration, PartitionRegistration};
use model::{NodeId, Uuid};
use protocol::{BrokerRegistrationChangeRecord, MetadataRecord, UnregisterBrokerRecord};

use crate::Controller;
use crate::partition_change::{Election, PartitionChange};
use crate::replica_index::PartitionKey;

/// What changes about one broker, seen from the partitions. The image does not show it yet.
#[derive(Clone, Copy, Debug, Default)]
struct BrokerChange {
    /// A broker that leaves: it is taken out of ISRs and may not lead.
    removed: Option<NodeId>,
    /// A broker that comes: it may lead although it is still fenced in the image.
    added: Option<NodeId>,
    /// A broker that lost what was not on disk: it leaves ISRs and ELRs.
    uncleanly_shut_down: Option<NodeId>,
}

impl Controller {
    pub(crate) fn fence(&self, broker: &BrokerRegistration) -> Vec<MetadataRecord> {
        let change = BrokerChange { removed: Some(broker.id), ..Default::default() };
        let mut records = self.leader_and_isr_updates(change, self.index.in_isr(broker.id));
        records.push(registration_change(broker, |record| record.fenced = 1));
        records
    }

    pub(crate) fn unfence(&self, broker: &BrokerRegistration) -> Vec<MetadataRecord> {
        let change = BrokerChange { added: Some(broker.id), ..Default::default() };
        let mut records = vec![registration_change(broker, |record| record.fenced = -1)];
        records.extend(self.leader_and_isr_updates(change, self.index.leaderless()));
        records
    }

    pub(crate) fn begin_controlled_shutdown(&self, broker: &BrokerRegistration) -> Vec<MetadataRecord> {
        let change = BrokerChange { removed: Some(broker.id), ..Default::default() };
        let announce = (!broker.in_controlled_shutdown)
            .then(|| registration_change(broker, |record| record.in_controlled_shutdown = 1));
        let updates = self.leader_and_isr_updates(change, self.index.in_isr(broker.id));
        announce.into_iter().chain(updates).collect()
    }

    pub(crate) fn unregister(&self, broker: &BrokerRegistration) -> Vec<MetadataRecord> {
        let change = BrokerChange { removed: Some(broker.id), ..Default::default() };
        let mut records = self.leader_and_isr_updates(change, self.in_isr_or_elr(broker.id));
        records.push(MetadataRecord::UnregisterBrokerRecord(UnregisterBrokerRecord {
            broker_id: broker.id.0,
            broker_epoch: broker.epoch,
            ..Default::default()
        }));
        records
    }

    /// What a new incarnation of a broker does to the partitions of the old one.
    /// Kafka: `ReplicationControlManager.handleBrokerShutdown`.
    pub(crate) fn restarted(&self, broker: NodeId, was_clean: bool) -> Vec<MetadataRecord> {
        if was_clean || !self.image.features().is_elr_enabled() {
            let change = BrokerChange { removed: Some(broker), ..Default::default() };
            return self.leader_and_isr_updates(change, self.index.in_isr(broker));
        }
        let change = BrokerChange { uncleanly_shut_down: Some(broker), ..Default::default() };
        self.leader_and_isr_updates(change, self.in_isr_or_elr(broker))
    }

    fn in_isr_or_elr(&self, broker: NodeId) -> Vec<PartitionKey> {
        let mut partitions = self.index.in_isr(broker);
        partitions.extend(self.index.in_elr(broker));
        partitions
    }

    /// Takes `broker` out of the ISRs of partitions on log dirs that are newly `offline`.
    pub(crate) fn directories_offline(
        &self,
        broker: &BrokerRegistration,
        offline: &[Uuid],
    ) -> Vec<MetadataRecord> {
        let (lost, online): (Vec<Uuid>, Vec<Uuid>) =
            broker.directories.iter().partition(|directory| offline.contains(directory));
        if lost.is_empty() {
            return Vec::new();
        }
        let is_on_lost = |key: &PartitionKey| {
            let directory = self.partition(*key).and_then(|partition| partition.directory(broker.id));
            directory.is_some_and(|directory| lost.contains(&directory))
        };
        let mut records = self.without_replicas_of(
            broker.id,
            self.in_isr_or_elr(broker.id).into_iter().filter(is_on_lost).collect(),
        );
        records.push(registration_change(broker, |record| record.log_dirs = online));
        records
    }

    /// Takes `broker` out of the ISRs of `partitions`.
    pub(crate) fn without_replicas_of(
        &self,
        broker: NodeId,
        partitions: Vec<PartitionKey>,
    ) -> Vec<MetadataRecord> {
        let change = BrokerChange { removed: Some(broker), ..Default::default() };
        self.leader_and_isr_updates(change, partitions)
    }

    /// Fences the broker that was not heard of for longest, if its session ended: one at a time, so that the effect of
    /// each is seen before the next.
    pub(crate) fn fence_one_stale_broker(&mut self, now: Instant) -> Vec<MetadataRecord> {
        let mut brokers = self.image.cluster().brokers().filter(|broker| !broker.fenced);
        let stale = brokers.find(|broker| !self.heartbeats.has_valid_session(broker.id, now)).cloned();
        let Some(broker) = stale else { return Vec::new() };
        self.heartbeats.end_shutdown(broker.id);
        self.fence(&broker)
    }

    fn leader_and_isr_updates(
        &self,
        change: BrokerChange,
        partitions: Vec<PartitionKey>,
    ) -> Vec<MetadataRecord> {
        let change_one =
            |key| self.leader_and_isr_update(change, key).map(MetadataRecord::PartitionChangeRecord);
        // A broker may have very many partitions: a list that grew would leave its former places behind.
        let mut records = Vec::with_capacity(partitions.len());
        records.extend(partitions.into_iter().filter_map(change_one));
        records
    }

    fn leader_and_isr_update(
        &self,
        change: BrokerChange,
        key: PartitionKey,
    ) -> Option<protocol::PartitionChangeRecord> {
        let topic = self.image.topics().by_id(key.0)?;
        let partition = topic.partition(key.1)?;
        let leaves = |id: NodeId| change.removed == Some(id) || change.uncleanly_shut_down == Some(id);
        let acceptable = |id: NodeId| {
            !leaves(id)
                && (change.added == Some(id) || self.is_active(id))
                && self.has_replica_online(partition, id)
        };
        let mut builder =
            PartitionChange::new(self, partition, key, &acceptable, self.effective_min_isr(topic.name()));
        if self.unclean_election_enabled(topic.name()) {
            builder.election = Election::Unclean;
        }
        builder.uncleanly_shut_down = change.uncleanly_shut_down;
        builder.isr.retain(|id| !leaves(*id));
        builder.build(self)
    }

    /// Whether `id` may lead `partition` as far as it and its log dir are concerned. Kafka: `LeaderAcceptor`.
    pub(crate) fn is_acceptable_leader(&self, partition: &PartitionRegistration, id: NodeId) -> bool {
        self.is_active(id) && self.has_replica_online(partition, id)
    }

    fn has_replica_online(&self, partition: &PartitionRegistration, id: NodeId) -> bool {
        let directory = partition.directory(id);
        self.broker(id).zip(directory).is_some_and(|(broker, directory)| broker.has_online_dir(directory))
    }

    pub(crate) fn partition(&self, (topic, index): PartitionKey) -> Option<&PartitionRegistration> {
        self.image.topics().by_id(topic)?.partition(index).map(AsRef::as_ref)
    }
}

/// Makes the record that changes something about a registered broker.
pub(crate) fn registration_change(
    broker: &BrokerRegistration,
    set: impl FnOnce(&mut BrokerRegistrationChangeRecord),
) -> MetadataRecord {
    let mut record = BrokerRegistrationChangeRecord {
        broker_id: broker.id.0,
        broker_epoch: broker.epoch,
        ..Default::default()
    };
    set(&mut record);
    MetadataRecord::BrokerRegistrationChangeRecord(record)
}
