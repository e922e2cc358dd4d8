//! Who may commit offsets to a group whose members have epochs, and fetch them: its members alone, at their epochs.
//!
//! Kafka: `ConsumerGroup.validateOffsetCommit` and `validateOffsetFetch`, and the same of `StreamsGroup`.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::ErrorCode;

use super::commit::Committer;

/// A member whose epoch rises.
pub(in crate::group) trait EpochMember {
    /// Its epoch.
    fn epoch(&self) -> i32;

    /// What it is told that names another epoch.
    fn stale(&self) -> ErrorCode {
        ErrorCode::STALE_MEMBER_EPOCH
    }

    /// Whether commits must be of a version that has member epochs.
    fn must_name_its_epoch(&self) -> bool {
        true
    }
}

/// Checks who commits. A member that is behind is returned: each partition is still to be checked against what it had at
/// the epoch that it names.
pub(in crate::group) fn validate_offset_commit<'a, M: EpochMember>(
    members: &'a BTreeMap<Arc<str>, M>,
    committer: &Committer<'_>,
) -> Result<Option<&'a M>, ErrorCode> {
    let Committer { member_id, instance_id, generation: epoch, transactional, .. } = *committer;
    let no_member = epoch == -1 && member_id.is_empty() && instance_id.is_none();
    if epoch < 0 && members.is_empty() || transactional && no_member {
        return Ok(None);
    }
    let member = members.get(member_id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
    if !transactional && member.must_name_its_epoch() && committer.api_version < 9 {
        return Err(ErrorCode::UNSUPPORTED_VERSION);
    }
    match epoch.cmp(&member.epoch()) {
        Ordering::Equal => Ok(None),
        Ordering::Greater => Err(member.stale()),
        Ordering::Less => Ok(Some(member)),
    }
}

/// Checks who fetches: anybody who does not say that it is a member.
pub(in crate::group) fn validate_offset_fetch<M: EpochMember>(
    members: &BTreeMap<Arc<str>, M>,
    member_id: Option<&str>,
    epoch: i32,
) -> Result<(), ErrorCode> {
    if member_id.is_none() && epoch < 0 {
        return Ok(());
    }
    let member = member_id.and_then(|id| members.get(id)).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
    if epoch == member.epoch() { Ok(()) } else { Err(member.stale()) }
}
