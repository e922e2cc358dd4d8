//! Whether offsets may be committed to a consumer group, and fetched from it; members of the classic protocol are told so
//! in its words.
//!
//! Kafka: `ConsumerGroup.validateOffsetCommit`, `validateOffsetFetch`.

use model::Uuid;
use protocol::ErrorCode;

use super::group::ConsumerGroup;
use super::member::ConsumerMember;
use crate::group::offsets::{Committer, EpochMember, validate_offset_commit, validate_offset_fetch};

/// What each partition of a commit must still pass: a member that is behind may commit what it had at its epoch.
pub(in crate::group) struct CommitCheck<'a> {
    member: &'a ConsumerMember,
    epoch: i32,
}

impl CommitCheck<'_> {
    /// Checks one partition.
    pub(in crate::group) fn check(&self, topic: Uuid, partition: i32) -> Result<(), ErrorCode> {
        match self.member.assignment_epoch(topic, partition) {
            Some(assigned) if self.epoch >= assigned => Ok(()),
            _ => Err(self.member.stale()),
        }
    }
}

impl EpochMember for ConsumerMember {
    fn epoch(&self) -> i32 {
        self.epoch
    }

    fn stale(&self) -> ErrorCode {
        match self.uses_classic_protocol() {
            true => ErrorCode::ILLEGAL_GENERATION,
            false => ErrorCode::STALE_MEMBER_EPOCH,
        }
    }

    fn must_name_its_epoch(&self) -> bool {
        !self.uses_classic_protocol()
    }
}

impl ConsumerGroup {
    /// Checks who commits; what it returns is still to be checked for each partition.
    pub(in crate::group) fn validate_offset_commit(
        &self,
        committer: &Committer<'_>,
    ) -> Result<Option<CommitCheck<'_>>, ErrorCode> {
        let behind = validate_offset_commit(&self.members, committer)?;
        Ok(behind.map(|member| CommitCheck { member, epoch: committer.generation }))
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
