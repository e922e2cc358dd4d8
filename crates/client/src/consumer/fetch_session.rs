//! What a fetch must say, when the broker remembers what the last one said. Kafka: `FetchSessionHandler` (KIP-227).
//!
//! Invariant: what we hold for the session is exactly what the broker holds, or the next fetch begins anew.

use std::collections::BTreeMap;

use model::{Offset, TopicPartition, Uuid};
use protocol::ErrorCode;

/// The epoch of a request that ends its session. Kafka: `FetchMetadata.FINAL_EPOCH`.
const FINAL_EPOCH: i32 = -1;

/// What a fetch says of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub topic_id: Uuid,
    pub offset: Offset,
    pub max_bytes: i32,
    /// The leader's epoch as we know it; -1 for not.
    pub leader_epoch: i32,
}

/// The session with one node.
#[derive(Debug, Default)]
pub(super) struct FetchSession {
    id: i32,
    epoch: i32,
    /// What the broker remembers; with what was sent last, once that is answered.
    partitions: BTreeMap<TopicPartition, Ask>,
}

/// What to send.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    pub session_id: i32,
    pub session_epoch: i32,
    /// Partitions to name.
    pub send: Vec<(TopicPartition, Ask)>,
    /// Partitions for the broker to forget, each with its topic's id.
    pub forget: Vec<(TopicPartition, Uuid)>,
}

impl FetchSession {
    /// What the next fetch, of exactly `wanted`, must say.
    pub(super) fn plan(&mut self, wanted: BTreeMap<TopicPartition, Ask>) -> Plan {
        if self.epoch == 0 {
            self.partitions = wanted;
            let send = self.partitions.iter().map(|(name, ask)| (name.clone(), *ask)).collect();
            return Plan { session_id: self.id, session_epoch: 0, send, forget: Vec::new() };
        }
        let mut send = Vec::new();
        let mut forget = Vec::new();
        for (name, ask) in &wanted {
            match self.partitions.get(name) {
                Some(known) if known == ask => {}
                // A topic that was made anew under its name is another one to the session.
                Some(known) if known.topic_id != ask.topic_id => {
                    forget.push((name.clone(), known.topic_id));
                    send.push((name.clone(), *ask));
                }
                _ => send.push((name.clone(), *ask)),
            }
        }
        let gone = self.partitions.iter().filter(|(name, _)| !wanted.contains_key(*name));
        forget.extend(gone.map(|(name, ask)| (name.clone(), ask.topic_id)));
        self.partitions = wanted;
        Plan { session_id: self.id, session_epoch: self.epoch, send, forget }
    }

    /// Takes the head of the answer; false if its partitions are to be ignored.
    pub(super) fn take_answer(&mut self, error: ErrorCode, session_id: i32) -> bool {
        if error.is_error() {
            // The session may be gone, or ours may be behind: the next fetch says everything.
            let keep = error != ErrorCode::FETCH_SESSION_ID_NOT_FOUND;
            *self = Self { id: if keep { self.id } else { 0 }, ..Self::default() };
            return false;
        }
        if session_id == 0 {
            *self = Self::default();
        } else if self.epoch == 0 || session_id != self.id {
            self.id = session_id;
            self.epoch = 1;
        } else {
            self.epoch = if self.epoch == i32::MAX { 1 } else { self.epoch + 1 };
        }
        true
    }

    /// What ends the session, where the broker holds one for us. Kafka: `FetchSessionHandler.notifyClose`.
    pub(super) fn farewell(&self) -> Option<Plan> {
        let nothing =
            || Plan { session_id: self.id, session_epoch: FINAL_EPOCH, send: Vec::new(), forget: Vec::new() };
        (self.id != 0).then(nothing)
    }

    /// No answer came: the next fetch ends the session, whatever became of it, and begins another.
    pub(super) fn failed(&mut self) {
        self.epoch = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(offset: i64) -> Ask {
        Ask { topic_id: Uuid::from_u128(9), offset: Offset(offset), max_bytes: 1, leader_epoch: 0 }
    }

    fn wanted(partitions: &[(i32, i64)]) -> BTreeMap<TopicPartition, Ask> {
        partitions.iter().map(|(index, offset)| (TopicPartition::new("t", *index), ask(*offset))).collect()
    }

    fn named(plan: &Plan) -> (Vec<i32>, Vec<i32>) {
        let send = plan.send.iter().map(|(name, _)| name.partition).collect();
        (send, plan.forget.iter().map(|(name, _)| name.partition).collect())
    }

    #[test]
    fn a_session_says_only_what_changed() {
        let mut session = FetchSession::default();
        let first = session.plan(wanted(&[(0, 0), (1, 0)]));
        assert_eq!((first.session_id, first.session_epoch, named(&first)), (0, 0, (vec![0, 1], vec![])));
        assert!(session.take_answer(ErrorCode::NONE, 77));
        let second = session.plan(wanted(&[(0, 5), (1, 0), (2, 0)]));
        assert_eq!((second.session_id, second.session_epoch, named(&second)), (77, 1, (vec![0, 2], vec![])));
        assert!(session.take_answer(ErrorCode::NONE, 77));
        let third = session.plan(wanted(&[(0, 5), (2, 0)]));
        assert_eq!((third.session_epoch, named(&third)), (2, (vec![], vec![1])));
    }

    #[test]
    fn a_broker_without_sessions_is_told_everything_each_time() {
        let mut session = FetchSession::default();
        session.plan(wanted(&[(0, 0)]));
        assert!(session.take_answer(ErrorCode::NONE, 0));
        let again = session.plan(wanted(&[(0, 0)]));
        assert_eq!((again.session_id, again.session_epoch, named(&again).0), (0, 0, vec![0]));
    }

    #[test]
    fn after_an_error_or_no_answer_everything_is_said_again() {
        for error in [ErrorCode::FETCH_SESSION_ID_NOT_FOUND, ErrorCode::INVALID_FETCH_SESSION_EPOCH] {
            let mut session = FetchSession::default();
            session.plan(wanted(&[(0, 0)]));
            session.take_answer(ErrorCode::NONE, 77);
            session.plan(wanted(&[(0, 0)]));
            assert!(!session.take_answer(error, 0));
            let plan = session.plan(wanted(&[(0, 0)]));
            assert_eq!((plan.session_epoch, named(&plan).0), (0, vec![0]));
            assert_eq!(plan.session_id == 77, error == ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        let mut session = FetchSession::default();
        session.plan(wanted(&[(0, 0)]));
        session.take_answer(ErrorCode::NONE, 77);
        session.failed();
        let plan = session.plan(wanted(&[(0, 0)]));
        assert_eq!((plan.session_id, plan.session_epoch), (77, 0));
    }

    #[test]
    fn a_topic_made_anew_is_forgotten_and_named_again() {
        let mut session = FetchSession::default();
        session.plan(wanted(&[(0, 0)]));
        session.take_answer(ErrorCode::NONE, 77);
        let mut other = wanted(&[(0, 0)]);
        other.values_mut().for_each(|ask| ask.topic_id = Uuid::from_u128(10));
        let plan = session.plan(other);
        assert_eq!(plan.forget, [(TopicPartition::new("t", 0), Uuid::from_u128(9))]);
        assert_eq!(named(&plan).0, [0]);
    }
}
