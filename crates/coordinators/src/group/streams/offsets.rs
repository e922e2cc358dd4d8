//! Whether offsets may be committed to a streams group, and fetched from it.
//!
//! Kafka: `StreamsGroup.validateOffsetCommit`, `validateOffsetFetch`.

use protocol::ErrorCode;

use super::group::StreamsGroup;
use super::member::StreamsMember;
use super::topology::StreamsTopology;
use crate::group::offsets::{Committer, EpochMember, validate_offset_commit, validate_offset_fetch};

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

impl EpochMember for StreamsMember {
    fn epoch(&self) -> i32 {
        self.epoch
    }
}

impl StreamsGroup {
    /// Checks who commits; what it returns is still to be checked for each partition.
    pub(in crate::group) fn validate_offset_commit(
        &self,
        committer: &Committer<'_>,
    ) -> Result<Option<CommitCheck<'_>>, ErrorCode> {
        let (behind, topology) =
            (validate_offset_commit(&self.members, committer)?, self.topology.as_deref());
        Ok(behind.map(|member| CommitCheck { member, topology, epoch: committer.generation }))
    }

    /// Checks who fetches.
    pub(in crate::group) fn validate_offset_fetch(
        &self,
        member_id: Option<&str>,
        epoch: i32,
    ) -> Result<(), ErrorCode> {
        validate_offset_fetch(&self.members, member_id, epoch)
    }
}
