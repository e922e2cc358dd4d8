//! What requests cost: how many, how large, and how long each stage took, for each API.
//!
//! A request is served by one task, so nothing queues between threads; the stages keep Kafka's names for what happens at
//! the same place here: reading the request stands for its request queue, writing the response's bytes for its response
//! queue. Local time is the time in which the handler worked, remote time the rest until it answered.
//!
//! Kafka: `RequestChannelMetrics`, `RequestMetrics`.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::Histogram;
use protocol::{ApiKey, ErrorCode, ResponseBody};

use crate::{Metric, Page, Row, Source};

const REQUESTS: Metric =
    Metric::new("kafka.network:type=RequestMetrics,name=RequestsPerSec", "Requests answered");
const REQUEST_BYTES: Metric =
    Metric::new("kafka.network:type=RequestMetrics,name=RequestBytes", "Bytes of the requests answered");
const ERRORS: Metric = Metric::new(
    "kafka.network:type=RequestMetrics,name=ErrorsPerSec",
    "Errors in responses by what they are, `NONE` among them: a response may have one for each partition or group",
);
const CONVERSIONS: Metric = Metric::new(
    "kafka.network:type=RequestMetrics,name=MessageConversionsTimeMs",
    "Milliseconds that it took to check a batch and write its records anew, where that was needed",
);
const STAGES: [Metric; 7] = [
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
        "kafka.network:type=RequestMetrics,name=ThrottleTimeMs",
        "Milliseconds for which a client was held back after its request, by its quotas",
    ),
    Metric::new(
        "kafka.network:type=RequestMetrics,name=TotalTimeMs",
        "Milliseconds from a whole request to its response sent",
    ),
];

/// More APIs and versions than there will be.
const API_MAX: usize = 256;
const VERSION_MAX: usize = 32;
/// More errors than there will be, one of which is -1.
const ERROR_MAX: usize = 192;

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
    /// How long its client is held back; no part of the whole.
    pub throttled: Duration,
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
            self.throttled,
            self.sent.saturating_sub(self.received),
        ]
    }
}

/// Requests of one API.
#[derive(Debug)]
struct OfApi {
    versions: [AtomicU64; VERSION_MAX],
    bytes: AtomicU64,
    /// By code, from -1 up.
    errors: [AtomicU64; ERROR_MAX],
    stages: [Histogram; STAGES.len()],
}

impl Default for OfApi {
    fn default() -> Self {
        Self {
            versions: Default::default(),
            bytes: AtomicU64::default(),
            errors: std::array::from_fn(|_| AtomicU64::default()),
            stages: Default::default(),
        }
    }
}

impl OfApi {
    fn count_errors(&self, error: ErrorCode, count: u64) {
        let known = usize::try_from(error.0 + 1).ok().and_then(|place| self.errors.get(place));
        known.unwrap_or(&self.errors[0]).fetch_add(count, Ordering::Relaxed);
    }
}

/// Requests of all APIs.
#[derive(Debug)]
pub struct RequestMetrics {
    apis: Vec<OnceLock<Box<OfApi>>>,
    conversions: Histogram,
}

impl Default for RequestMetrics {
    fn default() -> Self {
        let apis = (0..API_MAX).map(|_| OnceLock::new()).collect();
        Self { apis, conversions: Histogram::default() }
    }
}

impl RequestMetrics {
    /// Counts a request that was answered; `bytes` is its size without the length before it.
    pub fn observe(&self, api: ApiKey, version: i16, bytes: usize, stages: &Stages) {
        let Some(of_api) = self.of_api(api) else { return };
        if let Some(count) = of_api.versions.get(version as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        of_api.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        for (histogram, took) in of_api.stages.iter().zip(stages.durations()) {
            histogram.observe(took);
        }
    }

    /// Counts a batch of a produce request that had to be written anew.
    pub fn observe_conversion(&self, took: Duration) {
        self.conversions.observe(took);
    }

    /// Counts the errors of a response that is sent in `version`.
    pub fn observe_errors(&self, response: &ResponseBody, version: i16) {
        let Some(of_api) = self.of_api(response.api_key()) else { return };
        // Most are alike, so they are added up before they are written where others write too.
        let (mut last, mut count) = (ErrorCode::NONE, 0);
        response.each_error(version, |error| {
            if error != last {
                of_api.count_errors(last, std::mem::take(&mut count));
                last = error;
            }
            count += 1;
        });
        of_api.count_errors(last, count);
    }

    fn of_api(&self, api: ApiKey) -> Option<&OfApi> {
        Some(self.apis.get(api.id() as usize)?.get_or_init(Box::default))
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
        page.counters(ERRORS, self.seen().flat_map(by_error))?;
        let of_produces = vec![("request", ApiKey::Produce.name().to_owned())];
        page.histograms(CONVERSIONS, [(of_produces, &self.conversions)])?;
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

fn by_error((name, of_api): (String, &OfApi)) -> impl Iterator<Item = Row<u64>> {
    let counts = of_api.errors.iter().map(|count| count.load(Ordering::Relaxed)).zip(-1..);
    counts.filter(|(count, _)| *count > 0).map(move |(count, code)| {
        (vec![("request", name.clone()), ("error", ErrorCode(code).name().to_owned())], count)
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
            throttled: ms(7),
        };
        assert_eq!(stages.durations(), [ms(1), ms(4), ms(6), ms(1), ms(2), ms(7), ms(14)]);
    }

    #[test]
    fn errors_are_counted_one_by_one_and_unknown_ones_together() {
        let metrics = std::sync::Arc::new(RequestMetrics::default());
        let codes = [0, 0, 3, 0, -1, 9999, 9998].map(ErrorCode);
        let partitions = codes
            .map(|error_code| protocol::fetch_response::PartitionData { error_code, ..Default::default() });
        let topic = protocol::fetch_response::FetchableTopicResponse {
            partitions: partitions.to_vec(),
            ..Default::default()
        };
        let response = protocol::FetchResponse { responses: vec![topic], ..Default::default() };
        metrics.observe_errors(&response.into(), 12);
        let rows: Vec<_> = metrics.seen().flat_map(by_error).collect();
        let row = |error: &str, count| {
            (vec![("request", "FetchConsumer".to_owned()), ("error", error.to_owned())], count)
        };
        // The response itself has an error code too.
        let expected = [row("UNKNOWN_SERVER_ERROR", 3), row("NONE", 4), row("UNKNOWN_TOPIC_OR_PARTITION", 1)];
        assert_eq!(rows, expected);
    }
}
