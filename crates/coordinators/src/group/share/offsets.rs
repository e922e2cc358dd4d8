//! AlterShareGroupOffsets, DeleteShareGroupOffsets, and what DeleteGroups needs of share groups: what the share coordinators
//! are to begin or to forget, which the shell sees to, and what is written down before.
//!
//! Kafka: `GroupMetadataManager.alterShareGroupOffsets`, `sharePartitionsEligibleForOffsetDeletion`,
//! `shareGroupBuildPartitionDeleteRequest`.

use std::collections::{BTreeMap, BTreeSet};

use machine::Now;
use model::{Offset, Uuid};
use protocol::alter_share_group_offsets_request::AlterShareGroupOffsetsRequestTopic;
use protocol::alter_share_group_offsets_response::{
    AlterShareGroupOffsetsResponsePartition, AlterShareGroupOffsetsResponseTopic,
};
use protocol::delete_share_group_offsets_response::DeleteShareGroupOffsetsResponseTopic;
use protocol::{AlterShareGroupOffsetsRequest, DeleteShareGroupOffsetsRequest, ErrorCode};

use super::group::ShareGroup;
use super::partition_states::{NamedPartitions, NamedTopics, PartitionStates, partitions_of};
use super::requests::{not_a_share_group, not_found};
use super::{SharePartitions, ShareTurn};
use crate::group::GroupOutcome;
use crate::group::consumer::Refusal;
use crate::group::machine::GroupMachine;
use crate::group::metadata::Metadata;

/// What follows from an AlterShareGroupOffsets request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShareAlteration {
    /// The answer, if all states begin.
    pub topics: Vec<AlterShareGroupOffsetsResponseTopic>,
    /// The epoch that the states are to have.
    pub state_epoch: i32,
    /// Where the group is to begin to read each partition.
    pub offsets: BTreeMap<Uuid, BTreeMap<i32, Offset>>,
}

/// What follows from a DeleteShareGroupOffsets request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShareDeletion {
    /// The topics that have nothing to forget.
    pub refused: Vec<DeleteShareGroupOffsetsResponseTopic>,
    /// The partitions whose state is to be forgotten.
    pub partitions: SharePartitions,
    /// The names of their topics.
    pub names: BTreeMap<Uuid, String>,
}

impl GroupMachine {
    /// Prepares that an empty group begins to read partitions elsewhere. A group that is not there comes to be.
    pub(super) fn alter_share_offsets(
        &mut self,
        now: Now,
        request: AlterShareGroupOffsetsRequest,
        out: &mut GroupOutcome,
    ) -> Result<ShareAlteration, Refusal> {
        let id = request.group_id;
        if !self.groups.contains_key(id.as_str()) {
            let (_, mut turn) = self.share_turn(now, out);
            return ShareGroup::new(id.as_str().into()).alter(request.topics, &mut turn);
        }
        self.with_share(now, &id, out, |group, turn| group.alter(request.topics, turn))
            .unwrap_or_else(|| Err(not_a_share_group(&id)))
    }

    /// Prepares that what an empty group was delivered of topics is forgotten.
    pub(super) fn delete_share_offsets(
        &mut self,
        now: Now,
        request: &DeleteShareGroupOffsetsRequest,
        out: &mut GroupOutcome,
    ) -> Result<ShareDeletion, Refusal> {
        let id = request.group_id.as_str();
        let names = request.topics.iter().map(|topic| topic.topic_name.as_str());
        match self.with_share(now, id, out, |group, turn| group.delete_offsets(names, turn)) {
            Some(deletion) => deletion,
            None if self.groups.contains_key(id) => Err(not_a_share_group(id)),
            None => Err(not_found(id)),
        }
    }
}

impl ShareGroup {
    fn check_empty(&self) -> Result<(), Refusal> {
        if self.is_empty() {
            return Ok(());
        }
        let code = ErrorCode::NON_EMPTY_GROUP;
        Err(Refusal::new(code, code.message()))
    }

    fn alter(
        &self,
        topics: Vec<AlterShareGroupOffsetsRequestTopic>,
        turn: &mut ShareTurn<'_>,
    ) -> Result<ShareAlteration, Refusal> {
        self.check_empty()?;
        let mut alteration = ShareAlteration { state_epoch: self.epoch, ..Default::default() };
        let mut beginning = NamedTopics::new();
        for topic in topics {
            let id = turn.metadata.topic_id(&topic.topic_name);
            let count = id.and_then(|id| turn.metadata.partition_count(id)).unwrap_or(0);
            let mut response = AlterShareGroupOffsetsResponseTopic {
                topic_name: topic.topic_name.clone(),
                topic_id: id.unwrap_or(Uuid::ZERO),
                ..Default::default()
            };
            let mut offsets = BTreeMap::new();
            for partition in &topic.partitions {
                let exists = (0..count).contains(&partition.partition_index);
                response.partitions.push(altered(partition.partition_index, exists));
                if exists {
                    offsets.insert(partition.partition_index, Offset(partition.start_offset));
                }
            }
            alteration.topics.push(response);
            if let Some(id) = id.filter(|_| !offsets.is_empty()) {
                let partitions = offsets.keys().copied().collect();
                beginning.insert(id, NamedPartitions { name: topic.topic_name, partitions });
                alteration.offsets.insert(id, offsets);
            }
        }
        if !beginning.is_empty() {
            let states = self.states.clone().unwrap_or_default();
            turn.write(states.begin(&beginning).record(&self.id, turn.metadata));
            beginning.keys().for_each(|topic| turn.note_asked(&self.id, *topic));
        }
        Ok(alteration)
    }

    fn delete_offsets<'a>(
        &self,
        topics: impl Iterator<Item = &'a str>,
        turn: &mut ShareTurn<'_>,
    ) -> Result<ShareDeletion, Refusal> {
        self.check_empty()?;
        let mut deletion = ShareDeletion::default();
        let Some(states) = &self.states else { return Ok(deletion) };
        let mut next = states.clone();
        for name in topics {
            match forget(name, &mut next, turn.metadata) {
                Ok((id, partitions)) => {
                    deletion.partitions.insert(id, partitions);
                    deletion.names.insert(id, name.to_owned());
                }
                Err(message) => deletion.refused.push(DeleteShareGroupOffsetsResponseTopic {
                    topic_name: name.to_owned(),
                    error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    error_message: Some(message),
                    ..Default::default()
                }),
            }
        }
        turn.write(next.record(&self.id, turn.metadata));
        Ok(deletion)
    }

    /// Prepares the group's deletion: writes down that all states are to be forgotten, and returns of which partitions.
    pub(super) fn prepare_delete(&mut self, turn: &mut ShareTurn<'_>) -> Result<SharePartitions, ErrorCode> {
        if !self.is_empty() {
            return Err(ErrorCode::NON_EMPTY_GROUP);
        }
        let Some(states) = &self.states else { return Ok(SharePartitions::new()) };
        let mut partitions = partitions_of(&states.initialized);
        for (topic, more) in partitions_of(&states.initializing) {
            partitions.entry(topic).or_default().extend(more);
        }
        for topic in &states.deleting {
            // One that is gone has no state any more.
            if let Some(count) = turn.metadata.partition_count(*topic) {
                partitions.entry(*topic).or_default().extend(0..count);
            }
        }
        let deleting = partitions.keys().copied().collect::<BTreeSet<_>>();
        let next = PartitionStates { deleting, ..Default::default() };
        turn.write(next.record(&self.id, turn.metadata));
        Ok(partitions)
    }
}

fn altered(partition_index: i32, exists: bool) -> AlterShareGroupOffsetsResponsePartition {
    let error = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    AlterShareGroupOffsetsResponsePartition {
        partition_index,
        error_code: if exists { ErrorCode::NONE } else { error },
        error_message: (!exists).then(|| error.message().to_owned()),
        ..Default::default()
    }
}

/// Moves a topic to those whose states are to be forgotten. The error says why there is nothing to forget.
fn forget(
    name: &str,
    states: &mut PartitionStates,
    metadata: &Metadata,
) -> Result<(Uuid, BTreeSet<i32>), String> {
    let Some(id) = metadata.topic_id(name) else {
        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.message().to_owned());
    };
    if let Some(topic) = states.initialized.remove(&id) {
        states.deleting.insert(id);
        return Ok((id, topic.partitions));
    }
    if states.deleting.contains(&id) {
        return Ok((id, (0..metadata.partition_count(id).unwrap_or(0)).collect()));
    }
    Err("There is no offset information to delete.".to_owned())
}
