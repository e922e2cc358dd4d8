//! How many records went through and how long they took. Kafka: `ProducerPerformance.Stats`.

use std::time::{Duration, Instant};

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// Latencies of a run, and of the time since the last report.
#[derive(Clone, Debug)]
pub(super) struct Statistics {
    start: Instant,
    interval: Duration,
    sampling: u64,
    latencies: Vec<u32>,
    all: Sum,
    window: Sum,
    window_start: Instant,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    count: u64,
    bytes: u64,
    latency: u64,
    max: u64,
}

impl Sum {
    fn add(&mut self, latency: u64, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
        self.latency += latency;
        self.max = self.max.max(latency);
    }
}

impl Statistics {
    /// For `count` records, with a report every `interval` on standard output.
    pub(super) fn new(count: u64, interval: Duration) -> Self {
        let now = Instant::now();
        let sampling = (count / count.clamp(1, 500_000)).max(1);
        Self {
            start: now,
            interval,
            sampling,
            latencies: Vec::new(),
            all: Sum::default(),
            window: Sum::default(),
            window_start: now,
        }
    }

    /// Counts the time from now.
    pub(super) fn restart(&mut self) {
        self.start = Instant::now();
    }

    pub(super) fn record(&mut self, latency: Duration, bytes: usize) {
        let latency = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        if self.all.count.is_multiple_of(self.sampling) {
            self.latencies.push(u32::try_from(latency).unwrap_or(u32::MAX));
        }
        self.all.add(latency, bytes as u64);
        self.window.add(latency, bytes as u64);
        if self.window_start.elapsed() >= self.interval {
            say!("{}", self.report());
            self.window = Sum::default();
            self.window_start = Instant::now();
        }
    }

    fn report(&self) -> String {
        let seconds = self.window_start.elapsed().as_secs_f64();
        let Sum { count, bytes, latency, max } = self.window;
        format!(
            "{count} records sent, {:.1} records/sec ({:.2} MB/sec), {:.1} ms avg latency, {:.1} ms max latency.",
            count as f64 / seconds,
            bytes as f64 / seconds / MEBIBYTE,
            latency as f64 / count as f64,
            max as f64
        )
    }

    /// The line at the end.
    pub(super) fn total(&self, what: &str) -> String {
        let seconds = self.start.elapsed().as_secs_f64();
        let Sum { count, bytes, latency, max } = self.all;
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let at = |part: f64| sorted.get((part * sorted.len() as f64) as usize).copied().unwrap_or(0);
        format!(
            "{count} {what}, {:.6} records/sec ({:.2} MB/sec), {:.2} ms avg latency, {:.2} ms max latency, {} ms 50th, \
             {} ms 95th, {} ms 99th, {} ms 99.9th.",
            count as f64 / seconds,
            bytes as f64 / seconds / MEBIBYTE,
            latency as f64 / count.max(1) as f64,
            max as f64,
            at(0.5),
            at(0.95),
            at(0.99),
            at(0.999)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_tells_rates_and_percentiles() {
        let mut statistics = Statistics::new(100, Duration::MAX);
        for latency in 1..=100 {
            statistics.record(Duration::from_millis(latency), 10);
        }
        let line = statistics.total("records sent");
        assert!(line.starts_with("100 records sent, "), "{line}");
        let end = "50.50 ms avg latency, 100.00 ms max latency, 51 ms 50th, 96 ms 95th, 100 ms 99th, 100 ms 99.9th.";
        assert!(line.ends_with(end), "{line}");
    }
}
