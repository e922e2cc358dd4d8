//! Share sessions (KIP-932): a member names its partitions once, and then only what changes.
//!
//! Invariants:
//! - a member of a group has one session; its epoch grows by one with each request, and whoever comes with another epoch is
//!   refused
//! - there are at most `group.share.max.share.sessions`, with at most `TARGETS_MAX` partitions together; none is evicted while
//!   its connection lives
//! - a session ends with the connection that opened it, however many that opened. Kafka forgets all but the last of these
//!
//! Kafka: `ShareSessionCache`, `ShareSessionContext`.

mod targets;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use model::Uuid;
use protocol::share_fetch_response::PartitionData;
use protocol::{ErrorCode, Records};

use crate::request::ConnectionId;

use targets::Targets;

/// The epoch of a request that opens a session.
pub const INITIAL_EPOCH: i32 = 0;
/// The epoch of a request that closes it.
pub const FINAL_EPOCH: i32 = -1;

/// How many partitions all sessions have together: clients say how many, of topics that need not exist.
const TARGETS_MAX: usize = 1 << 20;

/// A partition as requests and responses name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareTarget {
    /// The topic.
    pub topic_id: Uuid,
    /// The partition's index.
    pub partition: i32,
}

/// Who a session is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShareSessionKey {
    /// The group.
    pub group: Arc<str>,
    /// Its member.
    pub member: Arc<str>,
}

/// What a ShareFetch says of its session.
#[derive(Clone, Debug)]
pub struct ShareSessionRequest {
    /// Who asks.
    pub key: ShareSessionKey,
    /// The session's epoch.
    pub epoch: i32,
    /// Partitions to add.
    pub added: Vec<ShareTarget>,
    /// Partitions to forget.
    pub forgotten: Vec<ShareTarget>,
    /// Whether something is acknowledged along with it.
    pub acknowledges: bool,
    /// Where it came in.
    pub connection: ConnectionId,
}

/// A session that its member closed, or whose connection is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedSession {
    /// Whose it was.
    pub key: ShareSessionKey,
    /// The partitions that it had.
    pub targets: Vec<ShareTarget>,
    /// Whether the group has no other session here.
    pub was_last: bool,
}

/// All sessions.
#[derive(Debug, Default)]
pub struct ShareSessions {
    state: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    sessions: BTreeMap<ShareSessionKey, Session>,
    /// The sessions that a connection opened.
    of_connection: HashMap<ConnectionId, BTreeSet<ShareSessionKey>>,
    /// How many partitions the sessions have together.
    targets: usize,
}

#[derive(Debug)]
struct Session {
    epoch: i32,
    connection: ConnectionId,
    targets: Targets,
}

impl ShareSessions {
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.state.lock().expect("no holder panics")
    }

    /// Finds out what a ShareFetch is to read: nothing if it closes the session. Kafka: `SharePartitionManager.newContext`.
    ///
    /// # Errors
    /// `SHARE_SESSION_NOT_FOUND`, `INVALID_SHARE_SESSION_EPOCH`, `SHARE_SESSION_LIMIT_REACHED` at `max` sessions or too
    /// many partitions, or `INVALID_REQUEST` for acknowledgements along with the epoch that opens a session.
    pub fn begin_fetch(
        &self,
        request: ShareSessionRequest,
        max: usize,
    ) -> Result<Vec<ShareTarget>, ErrorCode> {
        let mut cache = self.cache();
        match request.epoch {
            FINAL_EPOCH if cache.sessions.contains_key(&request.key) => Ok(Vec::new()),
            FINAL_EPOCH => Err(ErrorCode::SHARE_SESSION_NOT_FOUND),
            INITIAL_EPOCH => cache.open(request, max),
            _ => cache.resume(request),
        }
    }

    /// Moves the session on by a ShareAcknowledge. Kafka: `SharePartitionManager.acknowledgeSessionUpdate`.
    ///
    /// # Errors
    /// `SHARE_SESSION_NOT_FOUND` or `INVALID_SHARE_SESSION_EPOCH`.
    pub fn begin_acknowledge(&self, key: &ShareSessionKey, epoch: i32) -> Result<(), ErrorCode> {
        if epoch == INITIAL_EPOCH {
            return Err(ErrorCode::INVALID_SHARE_SESSION_EPOCH);
        }
        let mut cache = self.cache();
        let session = cache.sessions.get_mut(key).ok_or(ErrorCode::SHARE_SESSION_NOT_FOUND)?;
        match epoch {
            FINAL_EPOCH => Ok(()),
            epoch if epoch == session.epoch => {
                session.epoch = next_epoch(epoch);
                Ok(())
            }
            _ => Err(ErrorCode::INVALID_SHARE_SESSION_EPOCH),
        }
    }

    /// Leaves of `rows` what the member is to be told. Kafka: `ShareSessionContext.updateAndGenerateResponseData`.
    ///
    /// # Errors
    /// `INVALID_SHARE_SESSION_EPOCH` if the session moved on meanwhile.
    pub fn finish_fetch(
        &self,
        key: &ShareSessionKey,
        epoch: i32,
        rows: &mut Vec<(ShareTarget, PartitionData)>,
    ) -> Result<(), ErrorCode> {
        if epoch == INITIAL_EPOCH || epoch == FINAL_EPOCH {
            return Ok(());
        }
        let mut cache = self.cache();
        let Some(session) = cache.sessions.get_mut(key) else { return Ok(()) };
        if session.epoch != next_epoch(epoch) {
            return Err(ErrorCode::INVALID_SHARE_SESSION_EPOCH);
        }
        rows.retain(|(target, row)| session.tells(*target, row));
        Ok(())
    }

    /// Ends a session, if there is such a one.
    pub fn remove(&self, key: &ShareSessionKey) -> Option<EndedSession> {
        let mut cache = self.cache();
        let ended = cache.end(key)?;
        Some(cache.told(key.clone(), &ended))
    }

    /// Ends the sessions that a connection opened. Kafka: `ShareSessionCache.ClientConnectionDisconnectListener`.
    pub fn on_disconnect(&self, connection: ConnectionId) -> Vec<EndedSession> {
        let mut cache = self.cache();
        let keys = cache.of_connection.remove(&connection).unwrap_or_default();
        let ended: Vec<_> = keys.into_iter().filter_map(|key| Some((cache.end(&key)?, key))).collect();
        ended.into_iter().map(|(session, key)| cache.told(key, &session)).collect()
    }

    /// Tells whether a group has a session here.
    pub fn has_group(&self, group: &Arc<str>) -> bool {
        self.cache().has_group(group)
    }

    /// Ends all sessions: share groups were switched off.
    pub fn clear(&self) {
        *self.cache() = Cache::default();
    }
}

impl Cache {
    fn open(&mut self, request: ShareSessionRequest, max: usize) -> Result<Vec<ShareTarget>, ErrorCode> {
        if request.acknowledges {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        self.end(&request.key);
        if self.sessions.len() >= max || self.targets + request.added.len() > TARGETS_MAX {
            return Err(ErrorCode::SHARE_SESSION_LIMIT_REACHED);
        }
        let mut session = Session {
            epoch: next_epoch(INITIAL_EPOCH),
            connection: request.connection,
            targets: Targets::default(),
        };
        request.added.iter().for_each(|target| session.targets.add(*target, false));
        let targets = session.targets.in_order();
        self.targets += targets.len();
        self.of_connection.entry(request.connection).or_default().insert(request.key.clone());
        self.sessions.insert(request.key, session);
        Ok(targets)
    }

    /// Takes a session out, wherever it is kept.
    fn end(&mut self, key: &ShareSessionKey) -> Option<Session> {
        let ended = self.sessions.remove(key)?;
        self.targets -= ended.targets.len();
        if let Some(keys) = self.of_connection.get_mut(&ended.connection) {
            keys.remove(key);
            if keys.is_empty() {
                self.of_connection.remove(&ended.connection);
            }
        }
        Some(ended)
    }

    fn told(&self, key: ShareSessionKey, ended: &Session) -> EndedSession {
        EndedSession { targets: ended.targets.in_order(), was_last: !self.has_group(&key.group), key }
    }

    fn resume(&mut self, request: ShareSessionRequest) -> Result<Vec<ShareTarget>, ErrorCode> {
        let session = self.sessions.get_mut(&request.key).ok_or(ErrorCode::SHARE_SESSION_NOT_FOUND)?;
        if session.epoch != request.epoch {
            return Err(ErrorCode::INVALID_SHARE_SESSION_EPOCH);
        }
        if self.targets + request.added.len() > TARGETS_MAX {
            return Err(ErrorCode::SHARE_SESSION_LIMIT_REACHED);
        }
        let before = session.targets.len();
        request.added.iter().for_each(|target| session.targets.add(*target, true));
        request.forgotten.iter().for_each(|target| session.targets.remove(*target));
        self.targets = self.targets + session.targets.len() - before;
        session.epoch = next_epoch(session.epoch);
        Ok(session.targets.in_order())
    }

    fn has_group(&self, group: &Arc<str>) -> bool {
        let first = ShareSessionKey { group: group.clone(), member: "".into() };
        self.sessions.range(first..).next().is_some_and(|(key, _)| key.group == *group)
    }
}

impl Session {
    /// Whether the member is told of a row: what has records or an error, and what it has not been told of yet. A partition
    /// whose records went out moves behind the others. Kafka: `CachedSharePartition.maybeUpdateResponseData`.
    fn tells(&mut self, target: ShareTarget, row: &PartitionData) -> bool {
        let has_records = row.records.as_ref().map_or(0, Records::len) > 0;
        let is_error = row.error_code.is_error();
        let Some(was_due) = self.targets.set_due(target, is_error) else { return true };
        if has_records {
            self.targets.move_last(target);
        }
        has_records || was_due || is_error
    }
}

/// Kafka: `ShareRequestMetadata.nextEpoch`.
fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(member: &str) -> ShareSessionKey {
        ShareSessionKey { group: "g".into(), member: member.into() }
    }

    fn target(partition: i32) -> ShareTarget {
        ShareTarget { topic_id: Uuid::from_u128(7), partition }
    }

    fn request(member: &str, epoch: i32, added: &[i32]) -> ShareSessionRequest {
        ShareSessionRequest {
            key: key(member),
            epoch,
            added: added.iter().copied().map(target).collect(),
            forgotten: Vec::new(),
            acknowledges: false,
            connection: ConnectionId(u64::from(member.as_bytes()[0])),
        }
    }

    fn row(partition: i32, error_code: ErrorCode) -> (ShareTarget, PartitionData) {
        (target(partition), PartitionData { error_code, ..Default::default() })
    }

    #[test]
    fn a_session_goes_on_epoch_by_epoch() {
        let sessions = ShareSessions::default();
        assert_eq!(sessions.begin_fetch(request("a", 1, &[0]), 9), Err(ErrorCode::SHARE_SESSION_NOT_FOUND));
        assert_eq!(sessions.begin_fetch(request("a", 0, &[0]), 9), Ok(vec![target(0)]));
        assert_eq!(sessions.begin_fetch(request("a", 1, &[1, 0]), 9), Ok(vec![target(0), target(1)]));
        let wrong = sessions.begin_fetch(request("a", 1, &[]), 9);
        assert_eq!(wrong, Err(ErrorCode::INVALID_SHARE_SESSION_EPOCH));
        assert_eq!(sessions.begin_acknowledge(&key("a"), 2), Ok(()));
        let mut forgetting = request("a", 3, &[]);
        forgetting.forgotten = vec![target(0)];
        assert_eq!(sessions.begin_fetch(forgetting, 9), Ok(vec![target(1)]));
        assert_eq!(sessions.begin_fetch(request("a", -1, &[]), 9), Ok(vec![]));
        assert_eq!(sessions.remove(&key("a")).map(|ended| ended.targets), Some(vec![target(1)]));
        assert_eq!(sessions.begin_fetch(request("a", -1, &[]), 9), Err(ErrorCode::SHARE_SESSION_NOT_FOUND));
    }

    #[test]
    fn nothing_is_acknowledged_before_the_session_is_open() {
        let sessions = ShareSessions::default();
        let early = ShareSessionRequest { acknowledges: true, ..request("a", 0, &[0]) };
        assert_eq!(sessions.begin_fetch(early, 9), Err(ErrorCode::INVALID_REQUEST));
        let epoch = sessions.begin_acknowledge(&key("a"), 0);
        assert_eq!(epoch, Err(ErrorCode::INVALID_SHARE_SESSION_EPOCH));
        assert_eq!(sessions.begin_acknowledge(&key("a"), 1), Err(ErrorCode::SHARE_SESSION_NOT_FOUND));
    }

    #[test]
    fn there_are_no_more_sessions_than_may_be() {
        let sessions = ShareSessions::default();
        assert!(sessions.begin_fetch(request("a", 0, &[]), 1).is_ok());
        let second = sessions.begin_fetch(request("b", 0, &[]), 1);
        assert_eq!(second, Err(ErrorCode::SHARE_SESSION_LIMIT_REACHED));
        assert!(sessions.begin_fetch(request("a", 0, &[]), 1).is_ok());
    }

    #[test]
    fn a_member_is_told_what_is_new() {
        let sessions = ShareSessions::default();
        assert!(sessions.begin_fetch(request("a", 0, &[0]), 9).is_ok());
        assert!(sessions.begin_fetch(request("a", 1, &[1]), 9).is_ok());
        let all = || vec![row(0, ErrorCode::NONE), row(1, ErrorCode::NONE)];
        let told =
            |epoch, mut rows: Vec<_>| sessions.finish_fetch(&key("a"), epoch, &mut rows).map(|()| rows.len());
        assert_eq!(told(1, all()), Ok(1));
        assert_eq!(told(1, all()), Ok(0));
        assert_eq!(told(1, vec![row(0, ErrorCode::NOT_LEADER_OR_FOLLOWER)]), Ok(1));
        assert_eq!(told(1, all()), Ok(1));
        assert_eq!(told(0, all()), Ok(2));
        assert_eq!(told(2, all()), Err(ErrorCode::INVALID_SHARE_SESSION_EPOCH));
    }

    /// This ends only where partitions are not held against each other.
    #[test]
    fn many_partitions_are_named_told_of_and_forgotten() {
        let (sessions, many) = (ShareSessions::default(), 0..200_000);
        let all: Vec<i32> = many.clone().collect();
        assert_eq!(
            sessions.begin_fetch(request("a", 0, &all), 9).map(|targets| targets.len()),
            Ok(all.len())
        );
        assert_eq!(
            sessions.begin_fetch(request("a", 1, &all), 9).map(|targets| targets.len()),
            Ok(all.len())
        );
        let mut rows: Vec<_> =
            many.rev().map(|partition| row(partition, ErrorCode::CORRUPT_MESSAGE)).collect();
        assert_eq!(sessions.finish_fetch(&key("a"), 1, &mut rows), Ok(()));
        assert_eq!(rows.len(), all.len());
        let mut forgetting = request("a", 2, &[]);
        forgetting.forgotten = all[1..].iter().rev().copied().map(target).collect();
        assert_eq!(sessions.begin_fetch(forgetting, 9), Ok(vec![target(0)]));
    }

    #[test]
    fn a_session_ends_with_its_connection() {
        let sessions = ShareSessions::default();
        assert!(sessions.begin_fetch(request("a", 0, &[0]), 9).is_ok());
        assert!(sessions.begin_fetch(request("b", 0, &[1]), 9).is_ok());
        let ended = sessions.on_disconnect(ConnectionId(u64::from(b'a')));
        assert_eq!(ended, [EndedSession { key: key("a"), targets: vec![target(0)], was_last: false }]);
        assert_eq!(sessions.on_disconnect(ConnectionId(u64::from(b'a'))), []);
        let ended = sessions.remove(&key("b"));
        assert_eq!(ended, Some(EndedSession { key: key("b"), targets: vec![target(1)], was_last: true }));
        assert_eq!(sessions.on_disconnect(ConnectionId(u64::from(b'b'))), []);
    }

    /// Else a client that goes leaves sessions behind until there may be no more of them.
    #[test]
    fn all_sessions_that_a_connection_opened_end_with_it() {
        let (sessions, connection) = (ShareSessions::default(), ConnectionId(7));
        let open = |member: &str| {
            sessions.begin_fetch(ShareSessionRequest { connection, ..request(member, 0, &[0]) }, 3)
        };
        assert!(["a", "b", "c"].into_iter().all(|member| open(member).is_ok()));
        assert_eq!(open("d"), Err(ErrorCode::SHARE_SESSION_LIMIT_REACHED));
        let ended = sessions.on_disconnect(connection);
        let members: Vec<_> = ended.iter().map(|ended| (&*ended.key.member, ended.was_last)).collect();
        assert_eq!(members, [("a", true), ("b", true), ("c", true)]);
        assert!(["a", "b", "c"].into_iter().all(|member| open(member).is_ok()));
    }

    #[test]
    fn what_a_session_was_opened_with_anew_stays_when_the_old_connection_goes() {
        let sessions = ShareSessions::default();
        assert!(sessions.begin_fetch(request("a", 0, &[0]), 9).is_ok());
        let moved = ShareSessionRequest { connection: ConnectionId(7), ..request("a", 0, &[0]) };
        assert!(sessions.begin_fetch(moved, 9).is_ok());
        assert_eq!(sessions.on_disconnect(ConnectionId(u64::from(b'a'))), []);
        assert_eq!(sessions.on_disconnect(ConnectionId(7)).len(), 1);
    }

    #[test]
    fn there_is_room_for_so_many_partitions_of_all_sessions() {
        let (sessions, half) = (ShareSessions::default(), TARGETS_MAX as i32 / 2);
        let many: Vec<i32> = (0..half).collect();
        assert!(sessions.begin_fetch(request("a", 0, &many), 9).is_ok());
        assert!(sessions.begin_fetch(request("b", 0, &many), 9).is_ok());
        let full = Err(ErrorCode::SHARE_SESSION_LIMIT_REACHED);
        assert_eq!(sessions.begin_fetch(request("c", 0, &[0]), 9), full);
        assert_eq!(sessions.begin_fetch(request("a", 1, &[half]), 9), full);
        sessions.remove(&key("b"));
        assert!(sessions.begin_fetch(request("a", 1, &[half]), 9).is_ok());
    }
}
