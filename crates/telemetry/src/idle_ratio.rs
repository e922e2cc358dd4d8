//! Which share of the time somebody had nothing to do, over the last minute or so.
//!
//! Kafka: `TimeRatio`, and the one-minute rates of its idle meters.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How far back it is looked.
const WINDOW: Duration = Duration::from_secs(60);

/// Remembers how much idle time there had been whenever somebody asked.
#[derive(Debug, Default)]
pub struct IdleRatio {
    asked: Mutex<VecDeque<(Duration, Duration)>>,
}

impl IdleRatio {
    /// Returns the idle share, 0 to 1, since it was first asked in the last minute, or else since it was last asked; since
    /// the clock's beginning for the first time. `idle` is all the idle time until `now`.
    pub fn measure(&self, now: Duration, idle: Duration) -> f64 {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        while asked.len() > 1 && now.saturating_sub(asked[0].0) > WINDOW {
            asked.pop_front();
        }
        let (since, idle_then) = asked.front().copied().unwrap_or_default();
        asked.push_back((now, idle));
        let passed = now.saturating_sub(since).as_secs_f64();
        if passed <= 0.0 {
            return 1.0;
        }
        (idle.saturating_sub(idle_then).as_secs_f64() / passed).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_minute_counts_and_what_was_before_does_not() {
        let seconds = Duration::from_secs;
        let ratio = IdleRatio::default();
        assert_eq!(ratio.measure(seconds(10), seconds(5)), 0.5);
        assert_eq!(ratio.measure(seconds(20), seconds(15)), 1.0);
        assert_eq!(ratio.measure(seconds(90), seconds(15)), 0.0);
    }
}
