//! How long a group whose members have epochs takes the hash of its topics for up to date.

use machine::Now;

/// How long a hash holds where nothing is heard of a change. Kafka: `METADATA_REFRESH_INTERVAL_MS`.
const INTERVAL_MS: i64 = i32::MAX as i64;

/// That the hash of a group's topics is up to date. It is soft state, lost on reload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refreshed {
    /// Until when, in milliseconds since 1970.
    until: i64,
    /// From which group epoch on.
    epoch: i32,
}

impl Refreshed {
    /// The hash was computed at `now`, for the group's `epoch`.
    pub(super) fn new(now: Now, epoch: i32) -> Self {
        Self { until: now.wall.0.saturating_add(INTERVAL_MS), epoch }
    }

    /// Tells whether the hash holds still in a group at `epoch`.
    pub(super) fn holds(&self, now: Now, epoch: i32) -> bool {
        now.wall.0 < self.until && epoch >= self.epoch
    }
}
