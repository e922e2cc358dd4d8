//! What syncing takes of late: log by log, or all of a log dir at once with its whole filesystem.
//!
//! Each sync of a log makes the filesystem commit and the disk flush, whatever it holds; a sync of the whole filesystem does both
//! once, but writes what others left unwritten there too. So it is tried, and kept to only where it pays.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// So many logs at least are synced together.
const MANY: usize = 8;
/// After so many times that it did not seem to pay, syncing the whole filesystem is tried once more; after twice as many, if
/// that did not pay either, and so on.
const PATIENCE: u32 = 200;
/// After so many times at the latest: a trial on a disk that is busy with other things may make its logs wait for seconds.
const MOST_PATIENCE: u32 = 100 * PATIENCE;

/// What the sync of a log is taken to need while no log was synced alone, in nanoseconds.
const ONE_AT_A_GUESS: u64 = 1_000_000;

/// What either kind of sync took of late, in nanoseconds; 0 where nothing is known.
#[derive(Debug)]
pub(crate) struct SyncCosts {
    one: AtomicU64,
    whole: AtomicU64,
    passed_over: AtomicU32,
    patience: AtomicU32,
}

impl Default for SyncCosts {
    fn default() -> Self {
        Self {
            one: AtomicU64::new(0),
            whole: AtomicU64::new(0),
            passed_over: AtomicU32::new(0),
            patience: AtomicU32::new(PATIENCE),
        }
    }
}

impl SyncCosts {
    /// Tells whether so many logs are better synced with their whole filesystem, given that else `threads` would sync them.
    pub(crate) fn prefer_whole(&self, logs: usize, threads: usize) -> bool {
        if logs < MANY {
            return false;
        }
        let (one, whole) = (self.one.load(Ordering::Relaxed), self.whole.load(Ordering::Relaxed));
        let one = if one == 0 { ONE_AT_A_GUESS } else { one };
        let pays = one.saturating_mul(logs as u64) / threads.max(1) as u64 > whole || whole == 0;
        if pays {
            self.passed_over.store(0, Ordering::Relaxed);
            self.patience.store(PATIENCE, Ordering::Relaxed);
            return true;
        }
        self.is_time_for_a_trial()
    }

    fn is_time_for_a_trial(&self) -> bool {
        let patience = self.patience.load(Ordering::Relaxed);
        let is_time = self.passed_over.fetch_add(1, Ordering::Relaxed) >= patience;
        if is_time {
            self.passed_over.store(0, Ordering::Relaxed);
            self.patience.store((patience * 2).min(MOST_PATIENCE), Ordering::Relaxed);
        }
        is_time
    }

    /// Takes note of what the sync of one log took.
    pub(crate) fn note_one(&self, took: Duration) {
        note(&self.one, took);
    }

    /// Takes note of what the sync of the whole filesystem took.
    pub(crate) fn note_whole(&self, took: Duration) {
        note(&self.whole, took);
    }
}

/// The newest counts for an eighth.
fn note(known: &AtomicU64, took: Duration) {
    let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
    let before = known.load(Ordering::Relaxed);
    let now = if before == 0 { took } else { before - before / 8 + took / 8 };
    known.store(now.max(1), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_whole_filesystem_is_synced_where_that_takes_less_than_its_logs_one_by_one() {
        let costs = SyncCosts::default();
        assert!(!costs.prefer_whole(MANY - 1, 4), "few logs");
        assert!(costs.prefer_whole(MANY, 4), "nothing is known yet");
        costs.note_one(MS);
        costs.note_whole(10 * MS);
        assert!(!costs.prefer_whole(40, 4));
        assert!(costs.prefer_whole(44, 4));
        assert!(costs.prefer_whole(12, 1));
    }

    #[test]
    fn logs_that_were_never_synced_alone_go_on_being_synced_together() {
        let costs = SyncCosts::default();
        costs.note_whole(100 * MS);
        assert!(costs.prefer_whole(1000, 1));
        assert!(!costs.prefer_whole(50, 1), "the guess is found out to be wrong, if it is");
    }

    #[test]
    fn what_did_not_pay_is_tried_again_after_ever_longer_whiles() {
        let costs = SyncCosts::default();
        costs.note_one(MS);
        costs.note_whole(1000 * MS);
        let tries = |times: u32| (0..times).filter(|_| costs.prefer_whole(100, 1)).count();
        assert_eq!(tries(201), 1);
        assert_eq!(tries(401 + 801), 2);
        tries(20 * MOST_PATIENCE);
        assert_eq!(tries(MOST_PATIENCE + 1), 1, "however often it did not pay");
        costs.note_one(1000 * MS);
        assert!(costs.prefer_whole(100, 1), "it pays now");
    }
}
