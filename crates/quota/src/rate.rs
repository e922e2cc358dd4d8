//! A rate over a window of samples, and how long somebody waits who is over a bound of it.
//!
//! Kafka: `Rate`, `SampledStat`, `QuotaUtils`.

use std::time::Duration;

/// How something is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How many samples count, at least 1.
    pub samples: u32,
    /// How long each of them is, in milliseconds, at least 1.
    pub sample_ms: u64,
}

impl Window {
    /// Makes a window out of the numbers of `quota.window.num` and `quota.window.size.seconds`.
    pub fn new(samples: i32, sample_seconds: i32) -> Self {
        let at_least_one = |number: i32| u32::try_from(number).unwrap_or(1).max(1);
        Self { samples: at_least_one(samples), sample_ms: u64::from(at_least_one(sample_seconds)) * 1000 }
    }

    fn length_ms(self) -> u64 {
        u64::from(self.samples) * self.sample_ms
    }
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    start_ms: u64,
    last_event_ms: u64,
    sum: f64,
}

impl Sample {
    fn at(now_ms: u64) -> Self {
        Self { start_ms: now_ms, last_event_ms: now_ms, sum: 0.0 }
    }
}

/// How much there is of something in a second, over the last samples.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    samples: Vec<Sample>,
    current: usize,
}

impl Rate {
    /// Adds `value`, which may be negative to take back what was added too much.
    pub fn record(&mut self, window: Window, value: f64, now: Duration) {
        let now_ms = millis(now);
        if self.samples.is_empty() {
            self.samples.push(Sample::at(now_ms));
        }
        if now_ms.saturating_sub(self.samples[self.current].start_ms) >= window.sample_ms {
            self.advance(window, now_ms);
        }
        let sample = &mut self.samples[self.current];
        sample.sum += value;
        sample.last_event_ms = now_ms;
    }

    /// One sample more than count is kept: the oldest may still reach into the window.
    fn advance(&mut self, window: Window, now_ms: u64) {
        self.current = (self.current + 1) % (window.samples as usize + 1);
        match self.samples.get_mut(self.current) {
            Some(sample) => *sample = Sample::at(now_ms),
            None => {
                self.current = self.samples.len();
                self.samples.push(Sample::at(now_ms));
            }
        }
    }

    /// Returns how much there is in a second.
    pub fn measure(&mut self, window: Window, now: Duration) -> f64 {
        let elapsed_ms = self.elapsed_ms(window, now);
        let sum: f64 = self.samples.iter().map(|sample| sample.sum).sum();
        sum / (elapsed_ms as f64 / 1000.0)
    }

    /// The time that the samples stand for: all but one sample count whole, even if they have yet to come.
    fn elapsed_ms(&mut self, window: Window, now: Duration) -> u64 {
        let now_ms = millis(now);
        for sample in &mut self.samples {
            if now_ms.saturating_sub(sample.last_event_ms) >= window.length_ms() {
                *sample = Sample::at(now_ms);
            }
        }
        let oldest = self.samples.iter().map(|sample| sample.start_ms).min().unwrap_or(now_ms);
        let elapsed = now_ms.saturating_sub(oldest);
        let missing = u64::from(window.samples - 1).saturating_sub(elapsed / window.sample_ms);
        (elapsed + missing * window.sample_ms).max(1)
    }

    /// Returns how long to wait until the rate is back at `bound`; zero if it is not over it.
    pub fn throttle_time(&mut self, window: Window, bound: f64, now: Duration) -> Duration {
        let rate = self.measure(window, now);
        if rate <= bound {
            return Duration::ZERO;
        }
        let over = (rate - bound) / bound * self.elapsed_ms(window, now) as f64;
        Duration::from_millis(over.round() as u64)
    }
}

/// A rate with its bound, for what has no entities: connections on a listener, bytes moved between log dirs.
#[derive(Clone, Debug)]
pub struct QuotaRate {
    rate: Rate,
    window: Window,
    bound: f64,
}

impl QuotaRate {
    /// Makes a rate that nothing was recorded of.
    pub fn new(window: Window, bound: f64) -> Self {
        Self { rate: Rate::default(), window, bound }
    }

    /// Sets another bound.
    pub fn set_bound(&mut self, bound: f64) {
        self.bound = bound;
    }

    /// Adds `value`.
    pub fn record(&mut self, value: f64, now: Duration) {
        self.rate.record(self.window, value, now);
    }

    /// Returns how much there is in a second.
    pub fn measure(&mut self, now: Duration) -> f64 {
        self.rate.measure(self.window, now)
    }

    /// Returns how long to wait until the rate is back at the bound; zero if it is not over it.
    pub fn throttle_time(&mut self, now: Duration) -> Duration {
        self.rate.throttle_time(self.window, self.bound, now)
    }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { samples: 11, sample_ms: 1000 };

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_comes_at_once_counts_as_if_it_came_over_all_samples_but_one() {
        let mut rate = Rate::default();
        rate.record(WINDOW, 1000.0, at(0));
        assert_eq!(rate.measure(WINDOW, at(0)), 100.0);
    }

    #[test]
    fn who_is_over_the_bound_waits_until_the_window_has_grown_enough() {
        let mut rate = Rate::default();
        rate.record(WINDOW, 2000.0, at(0));
        assert_eq!(rate.throttle_time(WINDOW, 200.0, at(0)), Duration::ZERO);
        assert_eq!(rate.throttle_time(WINDOW, 100.0, at(0)), at(10_000));
    }

    #[test]
    fn what_is_long_past_does_not_count() {
        let mut rate = Rate::default();
        for second in 0..30 {
            rate.record(WINDOW, 10.0, at(second * 1000));
        }
        let busy = rate.measure(WINDOW, at(29_500));
        assert!((9.0..=12.0).contains(&busy), "{busy}");
        assert_eq!(rate.measure(WINDOW, at(60_000)), 0.0);
    }

    #[test]
    fn what_was_recorded_can_be_taken_back() {
        let mut rate = Rate::default();
        rate.record(WINDOW, 5000.0, at(10));
        rate.record(WINDOW, -5000.0, at(10));
        assert_eq!(rate.measure(WINDOW, at(10)), 0.0);
    }

    #[test]
    fn a_window_that_shrinks_keeps_no_sample_out_of_reach() {
        let mut rate = Rate::default();
        for second in 0..12 {
            rate.record(WINDOW, 1.0, at(second * 1000));
        }
        let small = Window { samples: 1, sample_ms: 1000 };
        for second in 12..20 {
            rate.record(small, 1.0, at(second * 1000));
        }
        assert!(rate.measure(small, at(20_000)).is_finite());
    }
}
