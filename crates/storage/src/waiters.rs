//! Who waits for a log to move: fetches for its high watermark, appends for its sync.
//!
//! Invariants:
//! - a log that nobody ever waited for has no list, and one that nobody waits for pays one load per move
//! - a move between subscribing and awaiting is not lost: the notifier keeps one permit
//! - whoever is woken looks again; nothing is said of what moved

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use tokio::sync::Notify;

/// Which moves of a log wake its subscriber. Combine with `|`. A log that is closed, or whose dir fails, wakes all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest(u8);

impl Interest {
    /// Records were appended, or cut off.
    pub const LOG_END: Self = Self(1);
    /// The high watermark, or with it the last stable offset, moved.
    pub const HIGH_WATERMARK: Self = Self(2);
    /// More records would survive a power cut.
    pub const SYNCED: Self = Self(4);
    /// The first offset moved.
    pub const LOG_START: Self = Self(8);

    pub(crate) const ALL: Self = Self(15);
}

impl std::ops::BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The waiters of one log.
#[derive(Debug, Default)]
pub(crate) struct Waiters(OnceLock<Box<List>>);

#[derive(Debug, Default)]
struct List {
    count: AtomicUsize,
    list: Mutex<Vec<(Interest, Arc<Notify>)>>,
}

impl Waiters {
    pub(crate) fn add(&self, interest: Interest, notify: Arc<Notify>) {
        self.0.get_or_init(Box::default).add(interest, notify);
    }

    pub(crate) fn remove(&self, notify: &Arc<Notify>) {
        if let Some(list) = self.0.get() {
            list.remove(notify);
        }
    }

    /// Wakes those who wait for any of `moves`.
    pub(crate) fn wake(&self, moves: Interest) {
        if let Some(list) = self.0.get() {
            list.wake(moves);
        }
    }
}

impl List {
    fn list(&self) -> MutexGuard<'_, Vec<(Interest, Arc<Notify>)>> {
        self.list.lock().expect("no holder panics")
    }

    fn add(&self, interest: Interest, notify: Arc<Notify>) {
        let mut list = self.list();
        list.push((interest, notify));
        self.count.store(list.len(), Ordering::SeqCst);
    }

    fn remove(&self, notify: &Arc<Notify>) {
        let mut list = self.list();
        if let Some(found) = list.iter().position(|(_, other)| Arc::ptr_eq(other, notify)) {
            list.swap_remove(found);
        }
        if list.is_empty() {
            *list = Vec::new();
        }
        self.count.store(list.len(), Ordering::SeqCst);
    }

    fn wake(&self, moves: Interest) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        for (interest, notify) in self.list().iter() {
            if interest.0 & moves.0 != 0 {
                notify.notify_one();
            }
        }
    }
}

/// Ends when it is dropped: the log no longer wakes the notifier.
#[derive(Debug)]
pub struct Subscription {
    pub(crate) log: Arc<crate::UnifiedLog>,
    pub(crate) notify: Arc<Notify>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.log.waiters().remove(&self.notify);
    }
}
