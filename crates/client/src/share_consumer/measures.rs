//! What a share consumer measures of its polls, heartbeats, fetches and acknowledgements. Kafka: `ShareFetchMetricsManager`,
//! `KafkaShareConsumerMetrics`, `HeartbeatMetricsManager`, `ShareRebalanceMetricsManager`.

use std::time::{Duration, Instant};

use protocol::ShareFetchResponse;

use crate::metrics::{ClientMetric, Group, Measured};

/// Counted since the consumer was made.
#[derive(Debug)]
pub(super) struct Measures {
    since: Instant,
    latencies: Measured,
    sizes: Measured,
    throttles: Measured,
    /// Records of each fetch.
    records: Measured,
    acknowledgements: u64,
    failed_acknowledgements: u64,
    polls: Polls,
}

/// Of the calls of poll.
#[derive(Debug, Default)]
struct Polls {
    /// When the last began.
    last: Option<Instant>,
    /// From the beginning of the one before it to its own.
    since_previous: Duration,
    between: Measured,
    /// How much of the time the consumer waited, and not its user.
    idle_ratios: Measured,
}

/// Counted of the heartbeats of all memberships since the consumer was made.
#[derive(Debug, Default)]
pub(super) struct Heartbeats {
    last: Option<Instant>,
    latencies: Measured,
    rebalances: u64,
}

impl Heartbeats {
    /// Notes when a heartbeat was sent.
    pub(super) fn sent(&mut self, now: Instant) {
        self.last = Some(now);
    }

    /// Counts a heartbeat that was answered.
    pub(super) fn answered(&mut self, took: Duration) {
        self.latencies.add_time(took);
    }

    /// Counts an assignment of other partitions than before.
    pub(super) fn rebalanced(&mut self) {
        self.rebalances += 1;
    }

    fn metrics(&self, since: Instant) -> Vec<ClientMetric> {
        let hours = since.elapsed().as_secs_f64() / 3600.0;
        let mut group = Group::new("consumer-share-coordinator-metrics", since);
        group
            .total("heartbeat-total", "heartbeat-rate", self.latencies.count())
            .value("heartbeat-response-time-max", self.latencies.max())
            .value("last-heartbeat-seconds-ago", seconds_since(self.last))
            .value("rebalance-total", self.rebalances as f64)
            .value("rebalance-rate-per-hour", self.rebalances as f64 / hours);
        group.finish()
    }
}

/// In whole seconds; -1 if it never was.
fn seconds_since(last: Option<Instant>) -> f64 {
    last.map_or(-1.0, |last| last.elapsed().as_secs() as f64)
}

impl Measures {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            latencies: Measured::default(),
            sizes: Measured::default(),
            throttles: Measured::default(),
            records: Measured::default(),
            acknowledgements: 0,
            failed_acknowledgements: 0,
            polls: Polls::default(),
        }
    }

    /// Counts a fetch, and how many records it brought.
    pub(super) fn fetched(&mut self, took: Duration, response: &ShareFetchResponse, records: usize) {
        let rows = response.responses.iter().flat_map(|topic| &topic.partitions);
        let bytes: usize = rows.filter_map(|row| Some(row.records.as_ref()?.len())).sum();
        self.latencies.add_time(took);
        self.sizes.add(bytes as f64);
        self.throttles.add(f64::from(response.throttle_time_ms));
        self.records.add(records as f64);
    }

    /// Counts acknowledgements that were sent.
    pub(super) fn acknowledged(&mut self, records: usize) {
        self.acknowledgements += records as u64;
    }

    /// Counts acknowledgements that were in vain.
    pub(super) fn failed(&mut self, records: usize) {
        self.failed_acknowledgements += records as u64;
    }

    /// Notes that a poll begins.
    pub(super) fn poll_begun(&mut self, now: Instant) {
        let polls = &mut self.polls;
        polls.since_previous = polls.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        polls.between.add_time(polls.since_previous);
        polls.last = Some(now);
    }

    /// Counts the poll that began last.
    pub(super) fn poll_ended(&mut self, now: Instant) {
        let Some(begun) = self.polls.last else { return };
        let took = now.saturating_duration_since(begun);
        let all = took + self.polls.since_previous;
        if !all.is_zero() {
            self.polls.idle_ratios.add(took.as_secs_f64() / all.as_secs_f64());
        }
    }

    /// Returns them under Kafka's names.
    pub(super) fn metrics(&self, heartbeats: &Heartbeats) -> Vec<ClientMetric> {
        [heartbeats.metrics(self.since), self.of_fetches(), self.of_polls()].concat()
    }

    fn of_polls(&self) -> Vec<ClientMetric> {
        let mut group = Group::new("consumer-share-metrics", self.since);
        group
            .value("last-poll-seconds-ago", seconds_since(self.polls.last))
            .measured("time-between-poll-avg", "time-between-poll-max", &self.polls.between)
            .value("poll-idle-ratio-avg", self.polls.idle_ratios.average());
        group.finish()
    }

    fn of_fetches(&self) -> Vec<ClientMetric> {
        let mut group = Group::new("consumer-share-fetch-manager-metrics", self.since);
        group
            .total("records-consumed-total", "records-consumed-rate", self.records.sum() as u64)
            .total("bytes-consumed-total", "bytes-consumed-rate", self.sizes.sum() as u64)
            .total("fetch-total", "fetch-rate", self.latencies.count())
            .total("acknowledgements-send-total", "acknowledgements-send-rate", self.acknowledgements)
            .total(
                "acknowledgements-error-total",
                "acknowledgements-error-rate",
                self.failed_acknowledgements,
            )
            .measured("fetch-latency-avg", "fetch-latency-max", &self.latencies)
            .measured("fetch-size-avg", "fetch-size-max", &self.sizes)
            .measured("fetch-throttle-time-avg", "fetch-throttle-time-max", &self.throttles)
            .measured("records-per-request-avg", "records-per-request-max", &self.records);
        group.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(metrics: &[ClientMetric], name: &str) -> f64 {
        metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value).expect("it is measured")
    }

    #[test]
    fn polls_are_measured_from_beginning_to_beginning_and_by_how_much_of_that_they_waited() {
        let mut measures = Measures::new();
        assert_eq!(value(&measures.of_polls(), "last-poll-seconds-ago"), -1.0);
        let begun = Instant::now();
        let at = |millis| begun + Duration::from_millis(millis);
        for (begin, end) in [(0, 100), (200, 300), (400, 600)] {
            measures.poll_begun(at(begin));
            measures.poll_ended(at(end));
        }
        let metrics = measures.of_polls();
        assert_eq!(value(&metrics, "time-between-poll-max"), 200.0);
        assert_eq!(value(&metrics, "time-between-poll-avg"), 400.0 / 3.0);
        let ratios = (1.0 + 100.0 / 300.0 + 200.0 / 400.0) / 3.0;
        assert!((value(&metrics, "poll-idle-ratio-avg") - ratios).abs() < 1e-9, "{metrics:?}");
        assert_eq!(value(&metrics, "last-poll-seconds-ago"), 0.0);
    }
}
