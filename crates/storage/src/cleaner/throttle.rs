//! Holds compaction to so many bytes a second, all threads together.
//!
//! Kafka: `Throttler`.

use std::time::Duration;

/// How often the rate is looked at. Kafka: `LogCleaner`'s throttle check interval.
const INTERVAL: Duration = Duration::from_millis(300);

/// Counts bytes, and says when to rest.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    began: Option<Duration>,
    bytes: f64,
}

impl Throttle {
    /// Counts `bytes` that were read or written by `now` (of the monotonic clock); returns how long to rest, so that no
    /// more than `per_second` pass.
    pub(crate) fn count(&mut self, bytes: u64, now: Duration, per_second: f64) -> Duration {
        let began = *self.began.get_or_insert(now);
        self.bytes += bytes as f64;
        let elapsed = now.saturating_sub(began);
        if elapsed < INTERVAL || self.bytes <= 0.0 {
            return Duration::ZERO;
        }
        let due = self.bytes / per_second.max(1.0);
        let rest = (due - elapsed.as_secs_f64()).clamp(0.0, 3600.0);
        self.began = Some(now + Duration::from_secs_f64(rest));
        self.bytes = 0.0;
        Duration::from_secs_f64(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_the_rate_is_rested_for() {
        let at = Duration::from_millis;
        let mut throttle = Throttle::default();
        assert_eq!(throttle.count(1000, at(0), 1000.0), Duration::ZERO);
        assert_eq!(throttle.count(1000, at(500), 1000.0), at(1500), "2000 bytes take 2 seconds");
        assert_eq!(throttle.count(300, at(2300), 1000.0), Duration::ZERO, "the rest was taken");
        assert_eq!(throttle.count(u64::MAX, at(9000), f64::MAX), Duration::ZERO, "no limit");
    }
}
