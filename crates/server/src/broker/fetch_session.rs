//! Fetch sessions (KIP-227): a client names its partitions once, and then only what changes.
//!
//! Invariants:
//! - a session's epoch grows by one with each fetch; whoever comes with another epoch is refused
//! - the cache holds at most `max.incremental.fetch.session.cache.slots` sessions; a session in use is evicted only for a
//!   larger one, and only after it has lived `EVICTION_AGE`
//! - all sessions together have at most `PARTITIONS_MAX` partitions, for clients say how many, of topics that need not exist; and
//!   none of a topic whose name is longer than any topic's, for clients say how long
//! - a fetch asks for a partition once
//! - a partition whose records went out moves behind the others, so that none starves when `max_bytes` is short
//!
//! Kafka: `FetchManager`, `FetchSessionCache`, `FetchContext`.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use metadata::{MetadataImage, TopicImage};
use model::{Uuid, topic_name};
use protocol::ErrorCode;
use protocol::fetch_response::PartitionData;

/// How long a session must have lived, or been silent, before another may take its slot.
const EVICTION_AGE: Duration = Duration::from_secs(120);
/// How many partitions all sessions have together: some hundred bytes each.
const PARTITIONS_MAX: usize = 1 << 20;
/// The epoch of a fetch that opens a session.
const INITIAL_EPOCH: i32 = 0;
/// The epoch of a fetch that wants no session.
const FINAL_EPOCH: i32 = -1;

/// A partition as one fetch asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchTarget {
    /// The topic as the request names it.
    pub topic: TopicKey,
    /// The partition's index.
    pub partition: i32,
    /// From where on to read.
    pub fetch_offset: i64,
    /// How many bytes at most.
    pub max_bytes: i32,
    /// The leader epoch that the client knows; -1 for none.
    pub current_leader_epoch: i32,
    /// The epoch of the last record that the client has; -1 for none.
    pub last_fetched_epoch: i32,
}

/// A topic by id (from version 13 on) or by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TopicKey {
    /// By id.
    Id(Uuid),
    /// By name.
    Name(Arc<str>),
}

impl TopicKey {
    /// Finds the topic.
    pub fn find<'a>(&self, image: &'a MetadataImage) -> Option<&'a TopicImage> {
        match self {
            Self::Id(id) => image.topics().by_id(*id),
            Self::Name(name) => image.topics().by_name(name),
        }
    }
}

/// What a fetch says of its session.
#[derive(Clone, Debug, Default)]
pub struct SessionRequest {
    /// The session; 0 for none.
    pub id: i32,
    /// The session's epoch.
    pub epoch: i32,
    /// Whether topics are named by id.
    pub by_id: bool,
    /// Partitions to add, or to ask for differently.
    pub targets: Vec<FetchTarget>,
    /// Partitions to forget.
    pub forgotten: Vec<(TopicKey, i32)>,
}

/// How a fetch is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchContext {
    /// All partitions, and no session.
    Sessionless,
    /// All partitions, and a new session if there is room.
    Full {
        /// Whether topics are named by id.
        by_id: bool,
    },
    /// What has changed for this session.
    Incremental {
        /// The session.
        id: i32,
        /// The epoch that this fetch had.
        epoch: i32,
    },
}

/// What goes into a response: the session's id and the rows, or an error for the whole.
pub type Answer = Result<(i32, Vec<(TopicKey, PartitionData)>), ErrorCode>;

/// All sessions.
#[derive(Debug, Default)]
pub struct FetchSessions {
    state: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    sessions: HashMap<i32, Session>,
    /// How many partitions they have together.
    partitions: usize,
    evictions: u64,
}

/// What is in the cache, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCounts {
    /// Sessions that clients have open.
    pub sessions: usize,
    /// Partitions in them.
    pub partitions: usize,
    /// Sessions that had to make room for others since the start.
    pub evictions: u64,
}

#[derive(Debug)]
struct Session {
    by_id: bool,
    epoch: i32,
    created: Duration,
    last_used: Duration,
    partitions: BTreeMap<u64, Cached>,
    positions: HashMap<(TopicKey, i32), u64>,
    next_position: u64,
}

/// A partition, and what its client was last told.
#[derive(Debug)]
struct Cached {
    target: FetchTarget,
    high_watermark: i64,
    log_start_offset: i64,
}

impl FetchSessions {
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.state.lock().expect("no holder panics")
    }

    /// Finds out what a fetch is to read, and how it is to be answered.
    ///
    /// # Errors
    /// `FETCH_SESSION_ID_NOT_FOUND`, `INVALID_FETCH_SESSION_EPOCH` or `FETCH_SESSION_TOPIC_ID_ERROR`: the client then
    /// begins a new session.
    pub fn begin(
        &self,
        request: SessionRequest,
        now: Duration,
    ) -> Result<(FetchContext, Vec<FetchTarget>), ErrorCode> {
        let mut cache = self.cache();
        if request.epoch == INITIAL_EPOCH || request.epoch == FINAL_EPOCH {
            if request.id != 0 {
                cache.remove(request.id);
            }
            let by_id = request.by_id;
            let context = match request.epoch {
                FINAL_EPOCH => FetchContext::Sessionless,
                _ => FetchContext::Full { by_id },
            };
            return Ok((context, each_once(request.targets)));
        }
        cache.resume(request, now)
    }

    /// Makes the answer out of what was read: `rows` in the order of the targets.
    pub fn finish(
        &self,
        context: FetchContext,
        rows: Vec<(FetchTarget, PartitionData)>,
        now: Duration,
        slots: usize,
        fresh_id: impl FnMut() -> i32,
    ) -> Answer {
        match context {
            FetchContext::Sessionless => Ok((0, all(rows))),
            FetchContext::Full { by_id } => {
                let id = self.cache().open(by_id, &rows, now, slots, fresh_id);
                Ok((id, all(rows)))
            }
            FetchContext::Incremental { id, epoch } => self.cache().changes(id, epoch, rows),
        }
    }

    /// Returns the session of an answer that brings nothing because its client is throttled; none is opened for it.
    ///
    /// # Errors
    /// `INVALID_FETCH_SESSION_EPOCH` if another fetch came in between.
    pub fn throttled(&self, context: FetchContext) -> Result<i32, ErrorCode> {
        match context {
            FetchContext::Sessionless | FetchContext::Full { .. } => Ok(0),
            FetchContext::Incremental { id, epoch } => {
                let cache = self.cache();
                let session = cache.sessions.get(&id).filter(|session| session.epoch == next_epoch(epoch));
                session.map(|_| id).ok_or(ErrorCode::INVALID_FETCH_SESSION_EPOCH)
            }
        }
    }

    /// Returns what is in the cache.
    pub fn counts(&self) -> SessionCounts {
        let cache = self.cache();
        let (sessions, partitions) = (cache.sessions.len(), cache.partitions);
        SessionCounts { sessions, partitions, evictions: cache.evictions }
    }
}

/// Tells whether a target is one that a session may remember.
fn may_exist(target: &FetchTarget) -> bool {
    !matches!(&target.topic, TopicKey::Name(name) if name.len() > topic_name::LENGTH_MAX)
}

fn all(rows: Vec<(FetchTarget, PartitionData)>) -> Vec<(TopicKey, PartitionData)> {
    rows.into_iter().map(|(target, row)| (target.topic, row)).collect()
}

/// Leaves each partition once, where it stands first and as it is asked for last. Kafka: `FetchRequest.fetchData`, a map.
fn each_once(targets: Vec<FetchTarget>) -> Vec<FetchTarget> {
    if targets.len() < 2 {
        return targets;
    }
    let mut places = HashMap::with_capacity(targets.len());
    let mut once: Vec<FetchTarget> = Vec::with_capacity(targets.len());
    for target in targets {
        match places.entry((target.topic.clone(), target.partition)) {
            Entry::Occupied(place) => once[*place.get()] = target,
            Entry::Vacant(place) => {
                place.insert(once.len());
                once.push(target);
            }
        }
    }
    once
}

/// Kafka: `FetchMetadata.nextEpoch`.
fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

impl Cache {
    fn resume(
        &mut self,
        request: SessionRequest,
        now: Duration,
    ) -> Result<(FetchContext, Vec<FetchTarget>), ErrorCode> {
        let session = self.sessions.get_mut(&request.id).ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if session.epoch != request.epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if session.by_id != request.by_id {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        let may_exist = request.targets.iter().all(may_exist);
        let before = session.partitions.len();
        request.forgotten.iter().for_each(|key| session.forget(key));
        request.targets.into_iter().for_each(|target| session.put(target));
        session.last_used = now;
        session.epoch = next_epoch(session.epoch);
        self.partitions = self.partitions + session.partitions.len() - before;
        if session.partitions.is_empty() {
            self.remove(request.id);
            return Ok((FetchContext::Sessionless, Vec::new()));
        }
        if self.partitions > PARTITIONS_MAX || !may_exist {
            // The client begins anew, and goes without a session if there is no room for its partitions.
            self.remove(request.id);
            return Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
        }
        let session = &self.sessions[&request.id];
        let targets = session.partitions.values().map(|cached| cached.target.clone()).collect();
        Ok((FetchContext::Incremental { id: request.id, epoch: request.epoch }, targets))
    }

    /// Opens a session; returns 0 where there is no room.
    fn open(
        &mut self,
        by_id: bool,
        rows: &[(FetchTarget, PartitionData)],
        now: Duration,
        slots: usize,
        mut fresh_id: impl FnMut() -> i32,
    ) -> i32 {
        let may_exist = rows.iter().all(|(target, _)| may_exist(target));
        if rows.is_empty() || slots == 0 || rows.len() > PARTITIONS_MAX || !may_exist {
            return 0;
        }
        while self.sessions.len() >= slots || self.partitions + rows.len() > PARTITIONS_MAX {
            if !self.evict_for(rows.len(), now) {
                return 0;
            }
        }
        let id = loop {
            let id = fresh_id() & i32::MAX;
            if id != 0 && !self.sessions.contains_key(&id) {
                break id;
            }
        };
        let mut session = Session {
            by_id,
            epoch: next_epoch(INITIAL_EPOCH),
            created: now,
            last_used: now,
            partitions: BTreeMap::new(),
            positions: HashMap::new(),
            next_position: 0,
        };
        for (target, row) in rows {
            session.put(target.clone());
            session.told(&(target.topic.clone(), target.partition), row);
        }
        self.partitions += session.partitions.len();
        self.sessions.insert(id, session);
        id
    }

    fn remove(&mut self, id: i32) -> bool {
        let removed = self.sessions.remove(&id);
        self.partitions -= removed.as_ref().map_or(0, |session| session.partitions.len());
        removed.is_some()
    }

    /// Makes room for a session of `size` partitions: the one that is silent longest, or else a smaller one.
    fn evict_for(&mut self, size: usize, now: Duration) -> bool {
        let stale = self.sessions.iter().min_by_key(|(_, session)| session.last_used);
        let stale = stale.filter(|(_, session)| now.saturating_sub(session.last_used) > EVICTION_AGE);
        let smaller = || {
            let old = self.sessions.iter().filter(|(_, s)| now.saturating_sub(s.created) > EVICTION_AGE);
            old.min_by_key(|(id, s)| (s.partitions.len(), **id)).filter(|(_, s)| s.partitions.len() < size)
        };
        let Some(id) = stale.or_else(smaller).map(|(id, _)| *id) else { return false };
        self.evictions += 1;
        self.remove(id)
    }

    /// Keeps of `rows` what its client does not know yet.
    fn changes(&mut self, id: i32, epoch: i32, rows: Vec<(FetchTarget, PartitionData)>) -> Answer {
        let session = self.sessions.get_mut(&id).filter(|session| session.epoch == next_epoch(epoch));
        let session = session.ok_or(ErrorCode::INVALID_FETCH_SESSION_EPOCH)?;
        let mut changed = Vec::new();
        for (target, row) in rows {
            if session.told(&(target.topic.clone(), target.partition), &row) {
                changed.push((target.topic, row));
            }
        }
        Ok((id, changed))
    }
}

impl Session {
    fn put(&mut self, target: FetchTarget) {
        let key = (target.topic.clone(), target.partition);
        if let Some(cached) = self.positions.get(&key).and_then(|position| self.partitions.get_mut(position))
        {
            cached.target = target;
            return;
        }
        let position = self.take_position();
        self.positions.insert(key, position);
        self.partitions.insert(position, Cached { target, high_watermark: -1, log_start_offset: -1 });
    }

    fn forget(&mut self, key: &(TopicKey, i32)) {
        if let Some(position) = self.positions.remove(key) {
            self.partitions.remove(&position);
        }
    }

    /// Notes what a client is told of a partition; false if that is nothing new.
    fn told(&mut self, key: &(TopicKey, i32), row: &PartitionData) -> bool {
        let Some(position) = self.positions.get(key).copied() else { return true };
        let Some(cached) = self.partitions.get_mut(&position) else { return true };
        let has_records = row.records.as_ref().is_some_and(|records| !records.is_empty());
        let news = has_records
            || row.error_code.is_error()
            || row.high_watermark != cached.high_watermark
            || row.log_start_offset != cached.log_start_offset
            || row.diverging_epoch.epoch >= 0;
        cached.high_watermark = row.high_watermark;
        cached.log_start_offset = row.log_start_offset;
        if row.error_code.is_error() {
            // Whatever comes after an error is news, even if it is what was known before.
            cached.high_watermark = -1;
        }
        if has_records {
            self.move_to_end(key, position);
        }
        news
    }

    fn move_to_end(&mut self, key: &(TopicKey, i32), position: u64) {
        if let Some(cached) = self.partitions.remove(&position) {
            let position = self.take_position();
            self.partitions.insert(position, cached);
            self.positions.insert(key.clone(), position);
        }
    }

    fn take_position(&mut self) -> u64 {
        self.next_position += 1;
        self.next_position
    }
}

#[cfg(test)]
mod tests;
