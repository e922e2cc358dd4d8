//! A listener's memory budget: what unfinished and unanswered frames may hold together.
//!
//! Invariants:
//! - the charges handed out never sum to more than the limit
//! - only an unfinished frame can be evicted; a whole one is on its way to an answer and gives its charge back
//! - when memory is short, the unfinished frame with the most missing bytes × age goes first, so that whoever
//!   announces much or sends slowly cannot keep out those who finish; the next follows once it is gone, or after a while
//!
//! Kafka: `MemoryPool` (`queued.max.request.bytes`), which hands out whole frames by their announced length.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How long an unfinished frame is safe from eviction.
const GRACE: Duration = Duration::from_secs(1);
/// How often a waiting reader looks again whether somebody's grace is over.
const RECHECK: Duration = Duration::from_millis(100);

/// Memory for the frames of one listener.
#[derive(Debug)]
pub struct MemoryBudget {
    limit: usize,
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    /// Bytes of frames that were told to go and have not gone yet.
    leaving: usize,
    /// When the last was told: its connection may be busy with a peer that takes no answers.
    told: Option<Instant>,
    next_id: u64,
    unfinished: HashMap<u64, Unfinished>,
}

#[derive(Debug)]
struct Unfinished {
    since: Instant,
    size: usize,
    bytes: usize,
    evicted: Arc<Notify>,
}

/// A part of the budget, given back when dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<MemoryBudget>,
    id: u64,
    bytes: usize,
    finished: bool,
    evicted: Arc<Notify>,
}

impl MemoryBudget {
    /// Makes a budget of `limit` bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, state: Mutex::default(), freed: Notify::new() })
    }

    /// Returns how many bytes are charged now.
    pub fn used(&self) -> usize {
        self.state.lock().expect("no holder panics").used
    }

    /// Opens a charge of no bytes for a frame that has begun.
    pub fn open(self: &Arc<Self>) -> Charge {
        let evicted = Arc::new(Notify::new());
        let mut state = self.state.lock().expect("no holder panics");
        let id = state.next_id;
        state.next_id += 1;
        let entry = Unfinished { since: Instant::now(), size: 0, bytes: 0, evicted: evicted.clone() };
        state.unfinished.insert(id, entry);
        Charge { budget: self.clone(), id, bytes: 0, finished: false, evicted }
    }

    fn try_grow(&self, charge: &mut Charge, to: usize) -> bool {
        let mut state = self.state.lock().expect("no holder panics");
        let more = to.saturating_sub(charge.bytes);
        if state.used + more > self.limit {
            return false;
        }
        let Some(entry) = state.unfinished.get_mut(&charge.id) else {
            return false;
        };
        entry.bytes += more;
        charge.bytes += more;
        state.used += more;
        true
    }

    /// Tells the greediest unfinished frame but `spared` to go, unless one was just told to.
    fn evict_one(&self, spared: u64) {
        let mut state = self.state.lock().expect("no holder panics");
        let now = Instant::now();
        if state.leaving > 0 && state.told.is_some_and(|told| now - told < GRACE) {
            return;
        }
        let greediest = state
            .unfinished
            .iter()
            .filter(|(id, entry)| **id != spared && entry.bytes > 0 && now - entry.since >= GRACE)
            .max_by_key(|(_, entry)| {
                entry.size.saturating_sub(entry.bytes) as u128 * (now - entry.since).as_millis()
            })
            .map(|(id, _)| *id);
        if let Some(entry) = greediest.and_then(|id| state.unfinished.remove(&id)) {
            state.leaving += entry.bytes;
            state.told = Some(now);
            entry.evicted.notify_one();
        }
    }
}

impl Charge {
    /// Grows the charge to `to` bytes, waiting for room and making it where it must.
    pub(crate) async fn grow(&mut self, to: usize) {
        let budget = self.budget.clone();
        loop {
            let freed = budget.freed.notified();
            if budget.try_grow(self, to) {
                return;
            }
            budget.evict_one(self.id);
            // A missed wake-up costs one recheck: the grace of others ends without a notice.
            let _ = tokio::time::timeout(RECHECK, freed).await;
        }
    }

    /// Notes how large the frame was announced to be.
    pub(crate) fn announce(&self, size: usize) {
        if let Some(entry) = self.budget.state.lock().expect("no holder panics").unfinished.get_mut(&self.id)
        {
            entry.size = size;
        }
    }

    /// Returns the bytes charged.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns what is notified when this frame was chosen to be given up.
    pub(crate) fn evicted_handle(&self) -> Arc<Notify> {
        self.evicted.clone()
    }

    /// Comes back when this frame was chosen to be given up.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// Marks the frame as whole: from now on it cannot be evicted.
    pub(crate) fn finish(&mut self) {
        let budget = self.budget.clone();
        self.leave(&mut budget.state.lock().expect("no holder panics"));
    }

    /// Takes the frame off the list of those that may be evicted; if it was evicted already, it has gone now.
    fn leave(&mut self, state: &mut State) {
        if !self.finished && state.unfinished.remove(&self.id).is_none() {
            state.leaving -= self.bytes;
        }
        self.finished = true;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let budget = self.budget.clone();
        let mut state = budget.state.lock().expect("no holder panics");
        state.used -= self.bytes;
        self.leave(&mut state);
        drop(state);
        if self.bytes > 0 {
            budget.freed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_charge_makes_room() {
        let budget = MemoryBudget::new(100);
        let mut first = budget.open();
        first.grow(80).await;
        let mut second = budget.open();
        assert!(!budget.try_grow(&mut second, 40));
        drop(first);
        assert!(budget.try_grow(&mut second, 40));
        assert_eq!(budget.used(), 40);
    }

    #[tokio::test]
    async fn an_old_unfinished_frame_makes_way_for_a_new_one() {
        let budget = MemoryBudget::new(100);
        let mut hog = budget.open();
        hog.grow(90).await;
        budget.state.lock().unwrap().unfinished.get_mut(&hog.id).unwrap().since -= GRACE;
        let mut good = budget.open();
        let hog_leaves = async {
            hog.evicted().await;
            drop(hog);
        };
        tokio::join!(hog_leaves, good.grow(50));
        assert_eq!(budget.used(), 50);
    }

    #[tokio::test]
    async fn one_that_was_told_to_go_and_stays_does_not_keep_the_others_for_ever() {
        let budget = MemoryBudget::new(100);
        let (mut stuck, mut hog, good) = (budget.open(), budget.open(), budget.open());
        stuck.grow(50).await;
        hog.grow(50).await;
        stuck.announce(1000);
        for id in [stuck.id, hog.id] {
            budget.state.lock().unwrap().unfinished.get_mut(&id).unwrap().since -= GRACE;
        }
        budget.evict_one(good.id);
        stuck.evicted().await;
        budget.evict_one(good.id);
        assert!(tokio::time::timeout(Duration::from_millis(1), hog.evicted()).await.is_err());
        budget.state.lock().unwrap().told = Some(Instant::now() - GRACE);
        budget.evict_one(good.id);
        assert!(tokio::time::timeout(Duration::from_secs(10), hog.evicted()).await.is_ok());
        drop((stuck, hog, good));
        assert_eq!(budget.used(), 0);
    }

    #[tokio::test]
    async fn a_whole_frame_is_never_evicted() {
        let budget = MemoryBudget::new(100);
        let mut whole = budget.open();
        whole.grow(90).await;
        whole.finish();
        let mut waiting = budget.open();
        assert!(!budget.try_grow(&mut waiting, 50));
        budget.evict_one(waiting.id);
        assert!(tokio::time::timeout(Duration::from_millis(1), whole.evicted()).await.is_err());
    }
}
