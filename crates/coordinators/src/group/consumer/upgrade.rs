//! A classic group becomes a consumer group when the first member joins with the consumer protocol: those that are there go
//! on with what they have, and keep to the classic protocol until they come back with the other.
//!
//! Kafka: `GroupMetadataManager.convertToConsumerGroup`, `ConsumerGroup.fromClassicGroup`.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use protocol::{ConsumerProtocolAssignment, ErrorCode};

use super::classic_members::{LATEST_PROTOCOL_VERSION, decode_prefix, deserialize_subscription};
use super::entry::ConsumerEntry;
use super::group::ConsumerGroup;
use super::member::{Assignment, ConsumerMember, classic_metadata, target_record, with_epoch};
use super::{ConsumerTurn, Refusal};
use crate::group::classic::{ClassicGroup, MigratingMember};
use crate::group::metadata::Metadata;

/// Makes a consumer group of a classic one. Those who wait for a rebalance are told to join again.
pub(super) fn upgrade(
    classic: &mut ClassicGroup,
    turn: &mut ConsumerTurn<'_>,
) -> Result<ConsumerGroup, Refusal> {
    check(classic, turn)?;
    let mut group = ConsumerGroup::new(classic.id().clone());
    group.epoch = classic.generation();
    group.assignment_epoch = classic.generation();
    let protocol = classic.protocol_or_choice().unwrap_or_default();
    for member in classic.to_members() {
        let (member, target) = to_member(&group, member, &protocol, turn.metadata)?;
        group.target.insert(member.id.clone(), Arc::new(target));
        group.put_member(member);
    }
    group.metadata_hash = turn.metadata.group_hash(group.subscribed_topics.names());
    classic.refuse_all_waiting(ErrorCode::REBALANCE_IN_PROGRESS, turn.out);
    turn.write(classic.tombstone());
    write_group(&group, turn);
    for member in group.members.values() {
        let timeout = member.classic_session_timeout_ms().unwrap_or(0);
        turn.renew_classic_session(&group.id, &member.id, timeout);
    }
    Ok(group)
}

/// Kafka: `GroupMetadataManager.validateOnlineUpgrade`.
fn check(classic: &ClassicGroup, turn: &ConsumerTurn<'_>) -> Result<(), Refusal> {
    let reason = if !turn.config.consumer_migration_policy.allows_upgrade() {
        "online upgrade is disabled"
    } else if !classic.uses_consumer_protocol() {
        "the group does not use the consumer embedded protocol"
    } else if classic.member_count() > turn.config.consumer_max_size {
        "the group size exceeds the consumer group maximum size"
    } else {
        return Ok(());
    };
    Err(refusal(classic.id(), reason))
}

fn refusal(group: &str, reason: &str) -> Refusal {
    let message = format!("Cannot upgrade classic group {group} to consumer group because {reason}.");
    Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, message)
}

fn to_member(
    group: &ConsumerGroup,
    old: MigratingMember,
    protocol: &str,
    metadata: &Metadata,
) -> Result<(ConsumerMember, Assignment), Refusal> {
    let malformed = || refusal(&group.id, "the embedded consumer protocol is malformed");
    let assignment = read_assignment(old.assignment).ok_or_else(malformed)?;
    if assignment.user_data.is_some_and(|data| !data.is_empty()) {
        return Err(refusal(
            &group.id,
            "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor before re-attempting the upgrade",
        ));
    }
    let by_id = assignment.assigned_partitions.into_iter();
    let by_id =
        by_id.filter_map(|it| Some((metadata.topic_id(&it.topic)?, it.partitions.into_iter().collect())));
    let target: Assignment = by_id.collect();
    let subscription = old.protocols.iter().find(|it| it.name == protocol).map(|it| it.metadata.clone());
    let subscription = subscription.and_then(deserialize_subscription).ok_or_else(malformed)?;
    let member = ConsumerMember {
        epoch: group.epoch,
        previous_epoch: group.epoch,
        instance_id: old.instance_id,
        rack_id: subscription.rack_id.filter(|rack| !rack.is_empty()),
        rebalance_timeout_ms: old.rebalance_timeout_ms,
        client_id: old.client_id,
        client_host: old.client_host,
        topics: Arc::new(subscription.topics.into_iter().collect()),
        assigned: Arc::new(with_epoch(&target, group.epoch)),
        classic: Some(Arc::new(classic_metadata(old.session_timeout_ms, &old.protocols))),
        ..ConsumerMember::new(old.id)
    };
    Ok((member, target))
}

/// Reads an assignment as consumers write it; an empty one is none.
fn read_assignment(mut bytes: Bytes) -> Option<ConsumerProtocolAssignment> {
    if bytes.is_empty() {
        return Some(ConsumerProtocolAssignment { user_data: None, ..Default::default() });
    }
    let version = bytes.try_get_i16().ok().filter(|version| *version >= 0)?;
    decode_prefix(bytes, version.min(LATEST_PROTOCOL_VERSION))
}

/// Writes all that the log is to know of a new group. Kafka: `ConsumerGroup.createConsumerGroupRecords`.
fn write_group(group: &ConsumerGroup, turn: &mut ConsumerTurn<'_>) {
    let records = &mut turn.out.records;
    records.extend(group.members.values().map(|member| member.subscription_record(&group.id)));
    records.push(ConsumerEntry::epoch(&group.id, group.epoch, group.metadata_hash));
    records.extend(group.target.iter().map(|(id, target)| target_record(&group.id, id, target)));
    records.push(ConsumerEntry::target_epoch(&group.id, group.assignment_epoch, group.assignment_timestamp));
    records.extend(group.members.values().map(|member| member.assignment_record(&group.id)));
}
