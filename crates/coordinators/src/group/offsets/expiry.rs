//! Offsets that nobody needs any more, and groups that have none left, are removed after `offsets.retention.minutes`.
//!
//! A group without members keeps its offsets for that long after the last one left; a stable group of consumers keeps those
//! of the topics it reads for ever and others for that long after their commit; so do consumer and streams
//! groups, and a group that only stores offsets. Share groups have none, and stay until they are deleted.

use machine::Now;

use super::CommittedOffset;
use crate::group::GroupOutcome;
use crate::group::classic::ClassicGroup;
use crate::group::groups::Group;
use crate::group::machine::GroupMachine;
use crate::group::record::GroupRecord;

/// From when on an offset's retention counts.
enum RetentionBase {
    /// From the group's last change of state.
    StateChange(i64),
    /// From the offset's commit.
    Commit,
}

impl GroupMachine {
    /// Removes expired offsets, and empty groups without offsets. Kafka: `GroupCoordinatorShard.cleanupGroupMetadata`.
    pub(in crate::group) fn expire_offsets(&self, now: Now, out: &mut GroupOutcome) {
        for (id, group) in &self.groups {
            let all_gone = match group {
                Group::Classic(classic) => {
                    let reads = |topic: &str| classic.is_subscribed_to(topic);
                    self.expire_offsets_of(now, id, retention_base(classic), reads, out)
                }
                Group::Consumer(consumer) => {
                    let reads = |topic: &str| consumer.is_subscribed_to(topic);
                    self.expire_offsets_of(now, id, Some(RetentionBase::Commit), reads, out)
                }
                Group::Streams(streams) => {
                    let reads = |topic: &str| streams.is_subscribed_to(topic);
                    self.expire_offsets_of(now, id, Some(RetentionBase::Commit), reads, out)
                }
                Group::Share(_) => continue,
            };
            if all_gone && group.is_empty() {
                self.tombstone_group(group, out);
            }
        }
    }

    /// Removes the expired offsets of one group, and tells whether none is left.
    fn expire_offsets_of(
        &self,
        now: Now,
        id: &str,
        base: Option<RetentionBase>,
        reads: impl Fn(&str) -> bool,
        out: &mut GroupOutcome,
    ) -> bool {
        let has_offsets = self.offsets.committed.0.contains_key(id);
        if has_offsets && base.is_none() {
            return false;
        }
        let mut all_gone = !self.offsets.has_open_transactions(id);
        for (topic, partition, offset) in self.offsets.committed.of_group(id) {
            let expired = base.as_ref().is_some_and(|base| self.is_expired(now.wall.0, base, offset));
            if expired && !reads(topic) && !self.offsets.is_unstable(id, topic, partition) {
                out.records.push(GroupRecord::offset_tombstone(id, topic, partition));
            } else {
                all_gone = false;
            }
        }
        all_gone
    }

    fn is_expired(&self, wall: i64, base: &RetentionBase, offset: &CommittedOffset) -> bool {
        if offset.expire_timestamp >= 0 {
            return wall >= offset.expire_timestamp;
        }
        let since = match base {
            RetentionBase::StateChange(since) => *since,
            RetentionBase::Commit => offset.commit_timestamp,
        };
        let retention = i64::try_from(self.config.offsets_retention.as_millis()).unwrap_or(i64::MAX);
        wall.saturating_sub(since) >= retention
    }
}

/// Tells how a group's offsets expire; nothing if they do not. Kafka: `ClassicGroup.offsetExpirationCondition`.
fn retention_base(group: &ClassicGroup) -> Option<RetentionBase> {
    if !group.has_protocol_type() {
        return Some(RetentionBase::Commit);
    }
    if group.is_empty() {
        let since = group.state_since().0;
        return Some(if since >= 0 { RetentionBase::StateChange(since) } else { RetentionBase::Commit });
    }
    group.is_stable_with_known_topics().then_some(RetentionBase::Commit)
}
