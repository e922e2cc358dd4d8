//! Whether offsets may be committed to a consumer group, and fetched from it: by its members alone, at their epochs.
//!
//! Kafka: `ConsumerGroup.validateOffsetCommit`, `validateOffsetFetch`.

use model::Uuid;
use protocol::ErrorCode;

use super::group::ConsumerGroup;
use super::member::ConsumerMember;

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
            _ => Err(stale(self.member)),
        }
    }
}

fn stale(member: &ConsumerMember) -> ErrorCode {
    if member.uses_classic_protocol() { ErrorCode::ILLEGAL_GENERATION } else { ErrorCode::STALE_MEMBER_EPOCH }
}

impl ConsumerGroup {
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
        if !transactional && !member.uses_classic_protocol() && api_version < 9 {
            return Err(ErrorCode::UNSUPPORTED_VERSION);
        }
        match epoch.cmp(&member.epoch) {
            std::cmp::Ordering::Equal => Ok(None),
            std::cmp::Ordering::Greater => Err(stale(member)),
            std::cmp::Ordering::Less => Ok(Some(CommitCheck { member, epoch })),
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
        if epoch == member.epoch { Ok(()) } else { Err(stale(member)) }
    }
}
