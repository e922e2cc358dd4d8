//! What ShareFetch and ShareAcknowledge have in common: who asks, and what they acknowledge.
//!
//! Invariants:
//! - an acknowledgement that makes no sense is refused before any share partition sees it
//!
//! Kafka: `KafkaApis.handleAcknowledgements`, `KafkaApis.validateAcknowledgementBatches`.

use std::collections::HashMap;

use coordinators::share_partition::AcknowledgementBatch;
use metadata::{Feature, MetadataImage};
use model::{AclOperation, Offset, Uuid};
use protocol::ErrorCode;

use crate::authorize::{Gate, Permitted};
use crate::broker::Broker;
use crate::broker::share_sessions::{ShareSessionKey, ShareTarget};

/// The longest member id: that of a Uuid.
const MEMBER_ID_MAX: usize = 36;
/// The acknowledge type that renews a lock.
const RENEW: i8 = 4;

/// A partition, and the first and last offsets and types of what is acknowledged of it.
pub(super) type AcknowledgedPartition = (ShareTarget, Vec<(i64, i64, Vec<i8>)>);

/// What became of an acknowledgement, and in which words.
pub(super) type Outcome = (ShareTarget, ErrorCode, Option<String>);

/// Acknowledgements of one request.
pub(super) struct Acknowledgements {
    refused: Vec<Outcome>,
    empty: Vec<ShareTarget>,
    valid: Vec<(ShareTarget, Vec<AcknowledgementBatch>)>,
}

/// Names the asker's session.
pub(super) fn session_key(
    image: &MetadataImage,
    gate: &Gate<'_>,
    group: Option<&str>,
    member: Option<&str>,
) -> Result<ShareSessionKey, ErrorCode> {
    if image.features().level(Feature::ShareVersion) < 1 {
        return Err(ErrorCode::UNSUPPORTED_VERSION);
    }
    let group = group.ok_or(ErrorCode::INVALID_REQUEST)?;
    gate.check_group(AclOperation::Read, group)?;
    let member = member.filter(|member| !member.is_empty() && member.len() <= MEMBER_ID_MAX);
    let member = member.ok_or(ErrorCode::INVALID_REQUEST)?;
    Ok(ShareSessionKey { group: group.into(), member: member.into() })
}

/// Tells which of the partitions' topics the asker may read.
pub(super) fn readable(
    gate: &Gate<'_>,
    image: &MetadataImage,
    targets: impl Iterator<Item = ShareTarget>,
) -> Permitted {
    let topics = targets.filter_map(|target| image.topics().by_id(target.topic_id));
    gate.permitted_topics(AclOperation::Read, topics.map(|topic| &**topic.name()))
}

/// Tells whether the partition exists, and may be read.
pub(super) fn check_known(
    image: &MetadataImage,
    readable: &Permitted,
    target: ShareTarget,
) -> Result<(), ErrorCode> {
    let topic = image.topics().by_id(target.topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?;
    if !readable.contains(topic.name()) {
        return Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    }
    topic.partition(target.partition).map(|_| ()).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
}

/// Whether the client has to ask another broker.
pub(super) fn is_moved(error: ErrorCode) -> bool {
    matches!(error, ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH)
}

/// Gathers what is said of partitions by their topics, in the order in which these come first.
pub(super) fn by_topic<R>(rows: impl IntoIterator<Item = (ShareTarget, R)>) -> Vec<(Uuid, Vec<R>)> {
    let mut topics: Vec<(Uuid, Vec<R>)> = Vec::new();
    let mut places: HashMap<Uuid, usize> = HashMap::new();
    for (target, row) in rows {
        let place = *places.entry(target.topic_id).or_insert(topics.len());
        if place == topics.len() {
            topics.push((target.topic_id, Vec::new()));
        }
        topics[place].1.push(row);
    }
    topics
}

/// How long a member holds what it acquires now.
pub(super) fn lock_timeout_ms(broker: &Broker, key: &ShareSessionKey) -> i32 {
    let lock = broker.share_group_settings(&key.group).record_lock_duration;
    i32::try_from(lock.as_millis()).unwrap_or(i32::MAX)
}

impl Acknowledgements {
    /// Sorts out what makes no sense. Locks can be renewed only by requests that say so (`is_renewal`), and from version 2
    /// on (`may_renew`).
    pub(super) fn check(
        image: &MetadataImage,
        readable: &Permitted,
        partitions: impl Iterator<Item = AcknowledgedPartition>,
        may_renew: bool,
        is_renewal: bool,
    ) -> Self {
        let mut sorted = Self { refused: Vec::new(), empty: Vec::new(), valid: Vec::new() };
        for (target, batches) in partitions {
            let known = check_known(image, readable, target);
            let is_unknown_id = known == Err(ErrorCode::UNKNOWN_TOPIC_ID);
            let checked = match (is_unknown_id, is_valid(&batches, may_renew, is_renewal)) {
                (false, false) => Err(ErrorCode::INVALID_REQUEST),
                _ => known,
            };
            match checked {
                Err(error) => sorted.refused.push((target, error, None)),
                Ok(()) if batches.is_empty() => sorted.empty.push(target),
                Ok(()) => sorted.valid.push((target, batches.into_iter().map(batch).collect())),
            }
        }
        sorted
    }

    /// Has the share partitions decide on the rest.
    pub(super) async fn apply(self, broker: &Broker, key: &ShareSessionKey) -> Vec<Outcome> {
        let mut outcomes = self.refused;
        if self.valid.is_empty() {
            return outcomes;
        }
        outcomes.extend(self.empty.into_iter().map(|target| (target, ErrorCode::NONE, None)));
        let decided = broker.share_partitions.acknowledge(key, self.valid).await;
        outcomes.extend(decided.into_iter().map(|(target, outcome)| match outcome {
            Ok(()) => (target, ErrorCode::NONE, None),
            Err(error) => (target, error.code, Some(error.message)),
        }));
        outcomes
    }
}

fn batch((first, last, types): (i64, i64, Vec<i8>)) -> AcknowledgementBatch {
    AcknowledgementBatch { first_offset: Offset(first), last_offset: Offset(last), types }
}

/// Batches follow each other, and each has one type or as many as offsets.
fn is_valid(batches: &[(i64, i64, Vec<i8>)], may_renew: bool, is_renewal: bool) -> bool {
    let greatest = if may_renew { RENEW } else { RENEW - 1 };
    let mut reached = -1;
    batches.iter().all(|(first, last, types)| {
        let follows = *first <= *last && *first >= reached;
        reached = *last;
        let fits = match types.len() {
            0 => false,
            1 => true,
            many => last.checked_sub(*first) == Some(many as i64 - 1),
        };
        let is_known = types.iter().all(|id| (0..=greatest).contains(id) && (*id != RENEW || is_renewal));
        follows && fits && is_known
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_follow_each_other_and_have_one_type_or_as_many_as_offsets() {
        let valid = |batches: &[(i64, i64, Vec<i8>)]| is_valid(batches, true, false);
        assert!(valid(&[(0, 9, vec![1]), (10, 12, vec![1, 2, 3])]));
        assert!(!valid(&[(5, 4, vec![1])]));
        assert!(!valid(&[(5, 9, vec![1]), (4, 4, vec![1])]));
        assert!(!valid(&[(0, 2, vec![1, 1])]));
        assert!(!valid(&[(0, 2, vec![])]));
        assert!(!valid(&[(0, 2, vec![5])]));
        assert!(!valid(&[(0, 2, vec![-1])]));
        assert!(!valid(&[(i64::MIN, i64::MAX, vec![1, 1])]));
    }

    #[test]
    fn rows_come_by_topic_however_many_topics_there_are() {
        let target = |topic: u128, partition| ShareTarget { topic_id: Uuid::from_u128(topic), partition };
        let rows = [(target(2, 0), 'a'), (target(1, 0), 'b'), (target(2, 1), 'c')];
        let expected = [(Uuid::from_u128(2), vec!['a', 'c']), (Uuid::from_u128(1), vec!['b'])];
        assert_eq!(by_topic(rows), expected);
        let many = (0..200_000).map(|topic| (target(topic, 0), ()));
        assert_eq!(by_topic(many).len(), 200_000);
    }

    #[test]
    fn locks_are_renewed_by_requests_that_say_so() {
        let renewal = [(0, 2, vec![RENEW])];
        assert!(is_valid(&renewal, true, true));
        assert!(!is_valid(&renewal, true, false));
        assert!(!is_valid(&renewal, false, true));
    }
}
