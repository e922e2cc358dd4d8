//! A bucket of tokens that fills at a steady rate and may be overdrawn once.
//!
//! Kafka: `TokenBucket`, KIP-599.

use std::time::Duration;

use crate::Window;

/// Tokens that are left; below zero somebody owes.
#[derive(Clone, Debug, Default)]
pub struct TokenBucket {
    tokens: f64,
    updated: Option<Duration>,
}

impl TokenBucket {
    /// Takes `value` tokens. `bound` come back each second, up to as many as the whole window brings.
    pub fn record(&mut self, window: Window, bound: f64, value: f64, now: Duration) {
        self.refill(window, bound, now);
        self.tokens = (self.tokens - value).min(burst(window, bound));
    }

    /// Returns the tokens that are left.
    pub fn measure(&mut self, window: Window, bound: f64, now: Duration) -> f64 {
        self.refill(window, bound, now);
        self.tokens
    }

    /// Returns how long to wait until nothing is owed; zero if nothing is.
    pub fn throttle_time(&mut self, window: Window, bound: f64, now: Duration) -> Duration {
        let tokens = self.measure(window, bound, now);
        let wait = (-tokens / bound * 1000.0).round().max(0.0);
        Duration::from_millis(if tokens < 0.0 { wait as u64 } else { 0 })
    }

    /// A new bucket is full.
    fn refill(&mut self, window: Window, bound: f64, now: Duration) {
        let burst = burst(window, bound);
        self.tokens = match self.updated {
            None => burst,
            Some(updated) => (self.tokens + bound * now.saturating_sub(updated).as_secs_f64()).min(burst),
        };
        self.updated = Some(now);
    }
}

fn burst(window: Window, bound: f64) -> f64 {
    f64::from(window.samples) * (window.sample_ms as f64 / 1000.0) * bound
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { samples: 10, sample_ms: 1000 };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_full_bucket_is_overdrawn_once_and_then_filled_by_time() {
        let mut bucket = TokenBucket::default();
        assert_eq!(bucket.measure(WINDOW, 2.0, at(5)), 20.0);
        bucket.record(WINDOW, 2.0, 30.0, at(5));
        assert_eq!(bucket.throttle_time(WINDOW, 2.0, at(5)), at(5));
        assert_eq!(bucket.throttle_time(WINDOW, 2.0, at(10)), Duration::ZERO);
        assert_eq!(bucket.measure(WINDOW, 2.0, at(1000)), 20.0);
    }
}
