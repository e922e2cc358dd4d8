//! The machine's timers, in order of their deadlines: sessions, rebalances, syncs, and the look for expired offsets.
//!
//! Invariants:
//! - each key has at most one deadline; setting it again moves it

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use machine::Instant;

/// What a timer is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimerKey {
    /// The end of a group's join phase.
    Join(Arc<str>),
    /// The end of a group's sync phase.
    Sync(Arc<str>),
    /// The end of a member's session: group, member.
    Session(Arc<str>, Arc<str>),
    /// The end of the session of a member of a consumer group: group, member.
    ConsumerSession(Arc<str>, Arc<str>),
    /// The end of its time to give up partitions.
    ConsumerRebalance(Arc<str>, Arc<str>),
    /// The end of its time to join again, for one that uses the classic protocol.
    ConsumerJoin(Arc<str>, Arc<str>),
    /// The end of its time to fetch its assignment, for one that uses the classic protocol.
    ConsumerSync(Arc<str>, Arc<str>),
    /// The end of the session of a member of a share group: group, member.
    ShareSession(Arc<str>, Arc<str>),
    /// The regular expressions of a consumer group are to be looked up.
    Expressions(Arc<str>),
    /// A consumer group has become a classic one: its sessions are to begin, and where so said a rebalance.
    Downgraded(Arc<str>, bool),
    /// The end of the session of a member of a streams group: group, member.
    StreamsSession(Arc<str>, Arc<str>),
    /// The end of its time to give up tasks.
    StreamsRebalance(Arc<str>, Arc<str>),
    /// The end of the time in which a new streams group waits for members.
    StreamsInitialRebalance(Arc<str>),
    /// The next look for expired offsets.
    Expiration,
}

/// Deadlines by key.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_key: BTreeMap<TimerKey, Instant>,
    by_deadline: BTreeSet<(Instant, TimerKey)>,
}

impl Timers {
    /// Sets `key` to go off `after` from `now`, in place of its earlier deadline.
    pub(super) fn set(&mut self, key: TimerKey, now: Instant, after: Duration) {
        let deadline = now.saturating_add(after);
        if let Some(old) = self.by_key.insert(key.clone(), deadline) {
            self.by_deadline.remove(&(old, key.clone()));
        }
        self.by_deadline.insert((deadline, key));
    }

    /// Forgets `key`.
    pub(super) fn cancel(&mut self, key: &TimerKey) {
        if let Some(old) = self.by_key.remove(key) {
            self.by_deadline.remove(&(old, key.clone()));
        }
    }

    /// Tells whether `key` is set.
    pub(super) fn is_set(&self, key: &TimerKey) -> bool {
        self.by_key.contains_key(key)
    }

    /// Forgets every timer of a member of a consumer group.
    pub(super) fn cancel_consumer(&mut self, group: &Arc<str>, member: &Arc<str>) {
        self.cancel(&TimerKey::ConsumerSession(group.clone(), member.clone()));
        self.cancel(&TimerKey::ConsumerRebalance(group.clone(), member.clone()));
        self.cancel(&TimerKey::ConsumerJoin(group.clone(), member.clone()));
        self.cancel(&TimerKey::ConsumerSync(group.clone(), member.clone()));
    }

    /// Forgets every timer of the classic group `group`.
    pub(super) fn cancel_group(&mut self, group: &Arc<str>) {
        self.cancel(&TimerKey::Join(group.clone()));
        self.cancel(&TimerKey::Sync(group.clone()));
        let first = TimerKey::Session(group.clone(), "".into());
        let sessions: Vec<_> = self
            .by_key
            .range(first..)
            .map(|(key, _)| key.clone())
            .take_while(|key| matches!(key, TimerKey::Session(of, _) if of == group))
            .collect();
        sessions.iter().for_each(|key| self.cancel(key));
    }

    /// Returns the earliest deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.by_deadline.first().map(|(deadline, _)| *deadline)
    }

    /// Takes the earliest timer that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<TimerKey> {
        let (deadline, _) = self.by_deadline.first()?;
        if *deadline > now {
            return None;
        }
        let (_, key) = self.by_deadline.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }
}
