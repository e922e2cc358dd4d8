//! A consumer group becomes a classic one when the last member that uses the consumer protocol leaves, or comes back with
//! the classic protocol.
//!
//! The classic group comes to be when its record is replayed; its sessions and its rebalance begin right after. Its record has
//! room for one assignor of each member, so the others are known again when the member joins.
//! Kafka: `GroupMetadataManager.convertToClassicGroup`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use protocol::consumer_group_member_metadata_value::ClassicProtocol;
use protocol::consumer_protocol_assignment::TopicPartition;
use protocol::join_group_request::JoinGroupRequestProtocol;
use protocol::{ConsumerProtocolAssignment, ErrorCode, to_bytes};

use super::classic_members::LATEST_PROTOCOL_VERSION;
use super::group::ConsumerGroup;
use super::member::{Assignment, ConsumerMember};
use super::{ConsumerTurn, Refusal};
use crate::group::classic::{ClassicGroup, MigratingMember};
use crate::group::metadata::Metadata;
use crate::group::timers::TimerKey;

impl ConsumerGroup {
    /// Makes the group a classic one if all that stay use the classic protocol, and tells whether it did.
    pub(super) fn downgrade_without(
        &self,
        leaving: &BTreeSet<Arc<str>>,
        turn: &mut ConsumerTurn<'_>,
    ) -> bool {
        let staying = self.members.values().filter(|member| !leaving.contains(&member.id));
        let count = staying.clone().count();
        let may = count > 0
            && staying.clone().all(ConsumerMember::uses_classic_protocol)
            && turn.config.consumer_migration_policy.allows_downgrade()
            && count <= turn.config.max_size;
        may && self.downgrade(leaving, None, true, turn).is_ok()
    }

    /// Tells whether the group becomes a classic one when `replaced`, a static member, comes back with that protocol.
    pub(super) fn may_downgrade_replacing(&self, replaced: &ConsumerMember, turn: &ConsumerTurn<'_>) -> bool {
        !replaced.uses_classic_protocol()
            && self.classic_member_count() + 1 == self.members.len()
            && turn.config.consumer_migration_policy.allows_downgrade()
            && self.members.len() <= turn.config.max_size
    }

    /// Writes what makes the group a classic one.
    pub(super) fn downgrade(
        &self,
        leaving: &BTreeSet<Arc<str>>,
        joining: Option<&ConsumerMember>,
        rebalance: bool,
        turn: &mut ConsumerTurn<'_>,
    ) -> Result<(), Refusal> {
        let replaced =
            joining.and_then(|joining| self.static_members.get(joining.instance_id.as_deref().unwrap_or("")));
        let staying = self
            .members
            .values()
            .filter(|member| !leaving.contains(&member.id) && Some(&member.id) != replaced)
            .chain(joining);
        let members = staying.map(to_migrating).collect();
        let group = ClassicGroup::from_members(self.id.clone(), self.epoch, turn.now.wall, members);
        let record = group.migrated_record(|id, subscription| {
            let id = match joining {
                Some(joining) if *joining.id == *id => replaced.map_or(id, |id| &**id),
                _ => id,
            };
            let target = self.target.get(id).cloned().unwrap_or_default();
            serialize_assignment(&target, subscription, turn.metadata)
        });
        let Some(record) = record else {
            let message = format!("Cannot downgrade the classic group {}: malformed subscription.", self.id);
            return Err(Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, message));
        };
        let tombstones = self.tombstones_renamed(|id| match (joining, replaced) {
            (Some(joining), Some(replaced)) if **replaced == *id => joining.id.to_string(),
            _ => id.to_owned(),
        });
        turn.out.records.extend(tombstones);
        turn.write(record);
        self.members.keys().for_each(|member| turn.cancel_timers(&self.id, member));
        turn.set_timer(TimerKey::Downgraded(self.id.clone(), rebalance), Duration::ZERO);
        Ok(())
    }
}

fn to_migrating(member: &ConsumerMember) -> MigratingMember {
    let own = |protocol: &ClassicProtocol| JoinGroupRequestProtocol {
        name: protocol.name.clone(),
        metadata: protocol.metadata.clone(),
        ..Default::default()
    };
    MigratingMember {
        id: member.id.clone(),
        instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        session_timeout_ms: member.classic_session_timeout_ms().unwrap_or(0),
        protocols: member.classic_protocols().iter().map(own).collect(),
        assignment: Bytes::new(),
    }
}

/// Writes an assignment as consumers read it, in the version of their `subscription`. None if that cannot be read.
pub(super) fn serialize_assignment(
    assignment: &Assignment,
    subscription: &Bytes,
    metadata: &Metadata,
) -> Option<Bytes> {
    let version = subscription.clone().try_get_i16().ok().filter(|version| *version >= 0)?;
    let version = version.min(LATEST_PROTOCOL_VERSION);
    let topics = assignment.iter().filter_map(|(topic, partitions)| {
        let topic = metadata.topic_name(*topic)?.to_string();
        Some(TopicPartition { topic, partitions: partitions.iter().copied().collect(), ..Default::default() })
    });
    let message = ConsumerProtocolAssignment {
        assigned_partitions: topics.collect(),
        user_data: None,
        ..Default::default()
    };
    let body = to_bytes(&message, version).ok()?;
    let mut bytes = BytesMut::with_capacity(2 + body.len());
    bytes.put_i16(version);
    bytes.extend_from_slice(&body);
    Some(bytes.freeze())
}
