//! Whether offsets may be committed to a streams group, and fetched from it: by its members alone, at their epochs.
//!
//! Kafka: `StreamsGroup.validateOffsetCommit`, `validateOffsetFetch`.

use std::cmp::Ordering;

use protocol::ErrorCode;

use super::group::StreamsGroup;
use super::member::StreamsMember;
use super::topology::StreamsTopology;

/// What each partition of a commit must still pass: a member that is behind may commit for tasks it had at its epoch.
pub(in crate::group) struct CommitCheck<'a> {
    member: &'a StreamsMember,
    topology: Option<&'a StreamsTopology>,
    epoch: i32,
}

impl CommitCheck<'_> {
    /// Checks one partition.
    pub(in crate::group) fn check(&self, topic: &str, partition: i32) -> Result<(), ErrorCode> {
        let subtopology = self.topology.and_then(|topology| topology.reader_of(topic));
        match subtopology.and_then(|subtopology| self.member.assignment_epoch(subtopology, partition)) {
            Some(assigned) if self.epoch >= assigned => Ok(()),
            _ => Err(ErrorCode::STALE_MEMBER_EPOCH),
        }
    }
}

impl StreamsGroup {
    /// Checks who commits; what it returns is still to be checked for each partition.
    pub(in crate::group) fn validate_offset_commit(
        &self,
        member_id: &str,
        instance_id: Option<&str>,
        epoch: i32,
        transactional: bool,
        api_version: i16,
    ) -> Result<Option<CommitCheck<'_>>, ErrorCode> {
        let no_member = epoch == -1 && member_id.is_empty() && instance_id.is_none();
        if epoch < 0 && self.is_empty() || transactional && no_member {
            return Ok(None);
        }
        let member = self.members.get(member_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if !transactional && api_version < 9 {
            return Err(ErrorCode::UNSUPPORTED_VERSION);
        }
        match epoch.cmp(&member.epoch) {
            Ordering::Equal => Ok(None),
            Ordering::Greater => Err(ErrorCode::STALE_MEMBER_EPOCH),
            Ordering::Less => {
                let topology = self.topology.as_deref();
                Ok(Some(CommitCheck { member, topology, epoch }))
            }
        }
    }

    /// Checks who fetches: anybody who does not say that it is a member.
    pub(in crate::group) fn validate_offset_fetch(
        &self,
        member_id: Option<&str>,
        epoch: i32,
    ) -> Result<(), ErrorCode> {
        if member_id.is_none() && epoch < 0 {
            return Ok(());
        }
        let member = member_id.and_then(|id| self.members.get(id)).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
        if epoch == member.epoch { Ok(()) } else { Err(ErrorCode::STALE_MEMBER_EPOCH) }
    }
}
