//! What requests cost: how many, how large, and how long each stage took, for each API.
//!
//! A request is served by one task, so nothing queues between threads; the stages keep Kafka's names for what happens at
//! the same place here: reading the request stands for its request queue, writing the response's bytes for its response
//! queue. Local time is the time in which the handler worked, remote time the rest until it answered.
//!
//! Not yet: `ErrorsPerSec`, `ThrottleTimeMs`, `MessageConversionsTimeMs`.
//! Kafka: `RequestChannelMetrics`, `RequestMetrics`.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use protocol::ApiKey;

use crate::histogram::Histogram;
use crate::{Metric, Page, Row, Source};

const REQUESTS: Metric =
    Metric::new("kafka.network:type=RequestMetrics,name=RequestsPerSec", "Requests answered");
const REQUEST_BYTES: Metric =
    Metric::new("kafka.network:type=RequestMetrics,name=RequestBytes", "Bytes of the requests answered");
const STAGES: [Metric; 6] = [
    Metric::new(
        "kafka.network:type=RequestMetrics,name=RequestQueueTimeMs",
        "Milliseconds until a whole request was read into its parts",
    ),
    Metric::new(
        "kafka.network:type=RequestMetrics,name=LocalTimeMs",
        "Milliseconds in which this broker worked on a request",
    ),
    Metric::new(
        "kafka.network:type=RequestMetrics,name=RemoteTimeMs",
        "Milliseconds in which a request waited: for a disk, a replica, more records, other members of a group",
    ),
    Metric::new(
        "kafka.network:type=RequestMetrics,name=ResponseQueueTimeMs",
        "Milliseconds until a response was in bytes",
    ),
    Metric::new(
        "kafka.network:type=RequestMetrics,name=ResponseSendTimeMs",
        "Milliseconds until the socket had taken a response",
    ),
    Metric::new(
        "kafka.network:type=RequestMetrics,name=TotalTimeMs",
        "Milliseconds from a whole request to its response sent",
    ),
];

/// More APIs and versions than there will be.
const API_MAX: usize = 256;
const VERSION_MAX: usize = 32;

/// When a request passed each stage, on one monotonic clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stages {
    /// Its frame was whole.
    pub received: Duration,
    /// It was read into its parts.
    pub read: Duration,
    /// Its handler had answered.
    pub answered: Duration,
    /// Its answer was in bytes.
    pub written: Duration,
    /// The socket had taken them.
    pub sent: Duration,
    /// How long the handler worked, of the time between `read` and `answered`.
    pub worked: Duration,
}

impl Stages {
    fn durations(&self) -> [Duration; STAGES.len()] {
        let handled = self.answered.saturating_sub(self.read);
        [
            self.read.saturating_sub(self.received),
            self.worked.min(handled),
            handled.saturating_sub(self.worked),
            self.written.saturating_sub(self.answered),
            self.sent.saturating_sub(self.written),
            self.sent.saturating_sub(self.received),
        ]
    }
}

/// Requests of one API.
#[derive(Debug, Default)]
struct OfApi {
    versions: [AtomicU64; VERSION_MAX],
    bytes: AtomicU64,
    stages: [Histogram; STAGES.len()],
}

/// Requests of all APIs.
#[derive(Debug)]
pub struct RequestMetrics {
    apis: Vec<OnceLock<Box<OfApi>>>,
}

impl Default for RequestMetrics {
    fn default() -> Self {
        Self { apis: (0..API_MAX).map(|_| OnceLock::new()).collect() }
    }
}

impl RequestMetrics {
    /// Counts a request that was answered; `bytes` is its size without the length before it.
    pub fn observe(&self, api: ApiKey, version: i16, bytes: usize, stages: &Stages) {
        let Some(of_api) = self.apis.get(api.id() as usize) else { return };
        let of_api = of_api.get_or_init(Box::default);
        if let Some(count) = of_api.versions.get(version as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        of_api.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        for (histogram, took) in of_api.stages.iter().zip(stages.durations()) {
            histogram.observe(took);
        }
    }

    /// The APIs that were asked for at least once.
    fn seen(&self) -> impl Iterator<Item = (String, &OfApi)> {
        self.apis.iter().enumerate().filter_map(|(id, of_api)| {
            let api = ApiKey::from_id(i16::try_from(id).ok()?)?;
            Some((request_name(api), &**of_api.get()?))
        })
    }
}

/// Kafka tells consumers' fetches from followers', which there are none of here.
fn request_name(api: ApiKey) -> String {
    match api {
        ApiKey::Fetch => "FetchConsumer".to_owned(),
        api => api.name().to_owned(),
    }
}

impl Source for std::sync::Arc<RequestMetrics> {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        page.counters(REQUESTS, self.seen().flat_map(by_version))?;
        let bytes = |(name, of_api): (String, &OfApi)| -> Row<u64> {
            (vec![("request", name)], of_api.bytes.load(Ordering::Relaxed))
        };
        page.counters(REQUEST_BYTES, self.seen().map(bytes))?;
        for (index, metric) in STAGES.into_iter().enumerate() {
            let rows = self.seen().filter(|(_, of_api)| of_api.stages[index].count() > 0);
            page.histograms(
                metric,
                rows.map(|(name, of_api)| (vec![("request", name)], &of_api.stages[index])),
            )?;
        }
        Ok(())
    }
}

fn by_version((name, of_api): (String, &OfApi)) -> impl Iterator<Item = Row<u64>> {
    let counts = of_api.versions.iter().map(|count| count.load(Ordering::Relaxed)).enumerate();
    counts.filter(|(_, count)| *count > 0).map(move |(version, count)| {
        (vec![("request", name.clone()), ("version", version.to_string())], count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stages_add_up_to_the_whole() {
        let ms = Duration::from_millis;
        let stages = Stages {
            received: ms(1),
            read: ms(2),
            answered: ms(12),
            written: ms(13),
            sent: ms(15),
            worked: ms(4),
        };
        assert_eq!(stages.durations(), [ms(1), ms(4), ms(6), ms(1), ms(2), ms(14)]);
    }
}
