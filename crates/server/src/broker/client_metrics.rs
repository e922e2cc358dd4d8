//! Metrics that clients push (KIP-714): who is subscribed to what, and what of it is taken.
//!
//! Invariants:
//! - a client is heard once in each push interval; who comes sooner is throttled
//! - a client that has said that it ends is not heard again
//! - what is kept of clients is bounded, and goes with their connection or after a while of silence
//!
//! Kafka: `ClientMetricsManager`, `ClientMetricsInstance`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use config::{CLIENT_METRICS_KEYS, Values, parse_client_match};
use metadata::{MetadataImage, ResourceType};
use model::Uuid;
use protocol::ErrorCode;
use records::Codec;
use regex::Regex;

use super::telemetry_sink::{Export, TelemetrySink};
use crate::request::{ConnectionId, RequestContext};

/// How often clients push that no subscription is for, in milliseconds.
const DEFAULT_INTERVAL_MS: i32 = 300_000;
/// How many clients are known at most. Kafka: `ClientMetricsManager.CACHE_MAX_SIZE`.
const CLIENTS_MAX: usize = 16_384;
/// How long a client is known at least after it was last heard of.
const FORGET_AFTER: Duration = Duration::from_secs(60);
/// How often clients to forget are looked for.
const FORGET_EVERY: Duration = Duration::from_secs(10);

/// What a client tells of itself, by the names that `match` has.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientAttributes {
    connection: ConnectionId,
    values: BTreeMap<&'static str, String>,
}

impl ClientAttributes {
    /// Reads what is known of a client.
    pub fn of(id: Uuid, context: &RequestContext) -> Self {
        let mut values = BTreeMap::from([
            ("client_instance_id", id.to_string()),
            ("client_id", context.client_id().to_owned()),
            ("client_source_address", context.peer.ip().to_canonical().to_string()),
            ("client_source_port", context.peer.port().to_string()),
        ]);
        if let Some(software) = &context.software {
            values.insert("client_software_name", software.name.clone());
            values.insert("client_software_version", software.version.clone());
        }
        Self { connection: context.connection, values }
    }
}

/// What a client is to push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSubscription {
    /// Changes with what is to be pushed.
    pub id: i32,
    /// The prefixes of metrics' names; `*` alone for all.
    pub metrics: Vec<String>,
    /// How often.
    pub push_interval_ms: i32,
}

/// What a client pushes.
#[derive(Clone, Debug)]
pub struct Push {
    /// The subscription that it goes by.
    pub subscription_id: i32,
    /// Whether it is the client's last.
    pub terminating: bool,
    /// The codec's number.
    pub compression_type: i8,
    /// OTLP `MetricsData`, compressed.
    pub metrics: Bytes,
    /// `telemetry.max.bytes`: the most bytes, also when decompressed.
    pub max_bytes: usize,
}

/// A subscription as it is configured.
#[derive(Clone, Debug)]
struct Configured {
    metrics: Vec<String>,
    interval_ms: i32,
    matches: Vec<(String, Regex)>,
}

impl Configured {
    fn is_for(&self, attributes: &ClientAttributes) -> bool {
        let is_match = |(name, regex): &(String, Regex)| {
            attributes.values.get(name.as_str()).is_some_and(|value| regex.is_match(value))
        };
        self.matches.iter().all(is_match)
    }
}

#[derive(Debug)]
struct Client {
    attributes: ClientAttributes,
    subscription: ClientSubscription,
    /// Which state of the configuration the subscription was made of.
    generation: u64,
    last_get: Option<Duration>,
    last_push: Option<Duration>,
    terminating: bool,
    last_error: ErrorCode,
    expires: Duration,
}

impl Client {
    fn interval(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.subscription.push_interval_ms).unwrap_or(0))
    }

    /// Takes a question for the subscription unless it comes too soon.
    fn may_get(&mut self, now: Duration) -> bool {
        let last = self.last_get.max(self.last_push);
        let may = last.is_none_or(|last| now.saturating_sub(last) >= self.interval());
        if may {
            self.last_get = Some(now);
        }
        may
    }

    /// Takes a push unless it comes too soon; the first one after a question always comes in time.
    fn may_push(&mut self, now: Duration) -> bool {
        let in_time = |last: Duration| now.saturating_sub(last) >= self.interval();
        let may = self.last_get > self.last_push || self.last_push.is_none_or(in_time);
        if may {
            self.last_push = Some(now);
        }
        may
    }
}

#[derive(Debug, Default)]
struct State {
    configured: BTreeMap<String, Configured>,
    generation: u64,
    clients: HashMap<Uuid, Client>,
    by_connection: HashMap<ConnectionId, Uuid>,
    forgotten: Duration,
    counts: PushCounts,
}

/// What became of clients' requests since the start. Kafka: `ClientMetricsManager.ClientMetricsStats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushCounts {
    /// Pushes that went by a subscription that is out of date.
    pub unknown_subscriptions: u64,
    /// Requests that came too soon.
    pub throttles: u64,
    /// Pushes that were handed to the sink.
    pub exports: u64,
    /// Pushes that the sink could not take, or that cannot be decompressed.
    pub export_errors: u64,
}

impl PushCounts {
    fn refused(&mut self, error: ErrorCode) {
        match error {
            ErrorCode::UNKNOWN_SUBSCRIPTION_ID => self.unknown_subscriptions += 1,
            ErrorCode::THROTTLING_QUOTA_EXCEEDED => self.throttles += 1,
            // The request itself was in order.
            ErrorCode::INVALID_RECORD => self.export_errors += 1,
            _ => {}
        }
    }
}

/// All subscriptions, and the clients that asked for them.
#[derive(Debug)]
pub struct ClientMetrics {
    state: Mutex<State>,
    sink: Option<TelemetrySink>,
}

impl ClientMetrics {
    /// Makes it with the sink that `monedula.telemetry.sink` names; without one, what is pushed goes nowhere.
    pub fn new(sink: Option<TelemetrySink>) -> Self {
        Self { state: Mutex::default(), sink }
    }

    /// Tells whether metrics go anywhere.
    pub fn has_sink(&self) -> bool {
        self.sink.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over the subscriptions of the metadata. What is not valid is logged and left out.
    pub fn update(&self, image: &MetadataImage) {
        let resources = image.configs().resources();
        let of_kind =
            resources.filter(|(resource, _)| resource.resource_type == ResourceType::CLIENT_METRICS);
        let configured = of_kind.filter_map(|(resource, props)| {
            let read = || {
                let values = Values::parse(CLIENT_METRICS_KEYS, props)?;
                let matches = parse_client_match(&values.list("match"))?;
                let (metrics, interval_ms) = (values.list("metrics"), values.int("interval.ms"));
                Ok::<_, config::ConfigError>(Configured { metrics, interval_ms, matches })
            };
            let name = resource.name.to_string();
            match read() {
                Ok(configured) => Some((name, configured)),
                Err(error) => {
                    tracing::error!(subscription = name, %error, "a metrics subscription is not valid");
                    None
                }
            }
        });
        let mut state = self.state();
        state.configured = configured.collect();
        state.generation += 1;
    }

    /// Tells a client what it is to push.
    ///
    /// # Errors
    /// THROTTLING_QUOTA_EXCEEDED if it asks too soon.
    pub fn get(
        &self,
        id: Uuid,
        attributes: ClientAttributes,
        now: Duration,
    ) -> Result<ClientSubscription, ErrorCode> {
        let mut state = self.state();
        let client = state.client(id, attributes, now);
        let renewed = [ErrorCode::UNKNOWN_SUBSCRIPTION_ID, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE]
            .contains(&client.last_error);
        if !client.may_get(now) && !renewed {
            state.counts.refused(ErrorCode::THROTTLING_QUOTA_EXCEEDED);
            return Err(ErrorCode::THROTTLING_QUOTA_EXCEEDED);
        }
        client.last_error = ErrorCode::NONE;
        Ok(client.subscription.clone())
    }

    /// Takes what a client pushes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn push(
        &self,
        id: Uuid,
        attributes: ClientAttributes,
        push: Push,
        now: Duration,
        wall_ms: i64,
    ) -> Result<(), ErrorCode> {
        if id.is_reserved() {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        let brings = self.sink.is_some() && !push.metrics.is_empty();
        let checked = {
            let mut state = self.state();
            let client = state.client(id, attributes, now);
            let checked = check(client, &push, now);
            // Kafka listens again after one refusal; here the end is the end.
            client.terminating |= push.terminating;
            checked.map(|codec| (codec, client.attributes.values.clone()))
        };
        // What is decompressed may be large, and all other clients would wait for it.
        let taken = checked.and_then(|(codec, attributes)| self.export(attributes, codec, push, wall_ms));
        let mut state = self.state();
        if let Some(client) = state.clients.get_mut(&id) {
            client.last_error = taken.err().unwrap_or(ErrorCode::NONE);
        }
        match taken {
            Ok(()) => state.counts.exports += u64::from(brings),
            Err(error) => state.counts.refused(error),
        }
        taken
    }

    /// Returns what became of requests.
    pub fn counts(&self) -> PushCounts {
        self.state().counts
    }

    fn export(
        &self,
        attributes: BTreeMap<&'static str, String>,
        codec: Codec,
        push: Push,
        wall_ms: i64,
    ) -> Result<(), ErrorCode> {
        let (Some(sink), false) = (&self.sink, push.metrics.is_empty()) else { return Ok(()) };
        let metrics = match codec {
            // What waits for the sink holds no more than itself: a slice would keep the whole request, however large.
            Codec::None => Bytes::copy_from_slice(&push.metrics),
            codec => records::decompress(codec, push.metrics, push.max_bytes).map_err(|error| {
                tracing::debug!("pushed metrics cannot be decompressed: {error}");
                ErrorCode::INVALID_RECORD
            })?,
        };
        let export = Export { wall_ms, attributes, terminating: push.terminating, metrics };
        sink.export(export).map_err(|_full| ErrorCode::INVALID_RECORD)
    }

    /// Forgets the client whose connection has ended.
    pub fn disconnected(&self, connection: ConnectionId) {
        if self.sink.is_some() {
            let mut state = self.state();
            if let Some(id) = state.by_connection.remove(&connection) {
                state.clients.remove(&id);
            }
        }
    }

    /// Returns how many clients are known.
    pub fn clients(&self) -> usize {
        self.state().clients.len()
    }
}

/// Kafka: `ClientMetricsManager.validatePushRequest`.
fn check(client: &mut Client, push: &Push, now: Duration) -> Result<Codec, ErrorCode> {
    if client.terminating {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    if !client.may_push(now) && !push.terminating {
        return Err(ErrorCode::THROTTLING_QUOTA_EXCEEDED);
    }
    if push.subscription_id != client.subscription.id {
        return Err(ErrorCode::UNKNOWN_SUBSCRIPTION_ID);
    }
    let codec = u8::try_from(push.compression_type).ok().and_then(|id| Codec::from_id(id).ok());
    let codec = codec.ok_or(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE)?;
    if push.metrics.len() > push.max_bytes {
        return Err(ErrorCode::TELEMETRY_TOO_LARGE);
    }
    Ok(codec)
}

impl State {
    /// Finds a client, or takes it up, with a subscription of the newest configuration.
    fn client(&mut self, id: Uuid, attributes: ClientAttributes, now: Duration) -> &mut Client {
        let known = self.clients.get(&id).map(|client| client.generation);
        self.forget(now, known.is_none());
        if known != Some(self.generation) {
            let attributes = self.clients.remove(&id).map_or(attributes, |client| client.attributes);
            let subscription = self.subscription(id, &attributes);
            self.by_connection.insert(attributes.connection, id);
            let client = Client {
                attributes,
                subscription,
                generation: self.generation,
                last_get: None,
                last_push: None,
                terminating: false,
                last_error: ErrorCode::NONE,
                expires: now,
            };
            self.clients.insert(id, client);
        }
        let client = self.clients.get_mut(&id).expect("it was known or was just inserted");
        client.expires = now + FORGET_AFTER.max(3 * client.interval());
        client
    }

    fn subscription(&self, id: Uuid, attributes: &ClientAttributes) -> ClientSubscription {
        let (mut metrics, mut push_interval_ms) = (BTreeSet::new(), DEFAULT_INTERVAL_MS);
        for configured in self.configured.values().filter(|configured| configured.is_for(attributes)) {
            metrics.extend(configured.metrics.iter().cloned());
            push_interval_ms = push_interval_ms.min(configured.interval_ms);
        }
        let mut metrics: Vec<String> = metrics.into_iter().collect();
        if metrics.iter().any(|metric| metric == "*") {
            metrics = vec!["*".to_owned()];
        }
        let text = format!("[{}]{push_interval_ms}", metrics.join(", "));
        let id = records::crc32c(text.as_bytes()) as i32 ^ hash(id);
        ClientSubscription { id, metrics, push_interval_ms }
    }

    /// Forgets who was silent for too long; if there is no room for one more, also those who would be the next.
    fn forget(&mut self, now: Duration, one_more: bool) {
        let full = one_more && self.clients.len() >= CLIENTS_MAX;
        if !full && now.saturating_sub(self.forgotten) < FORGET_EVERY {
            return;
        }
        self.forgotten = now;
        self.clients.retain(|_, client| client.expires > now);
        if self.clients.len() >= CLIENTS_MAX {
            // Many at once, so that not every new client costs a look at all of them.
            let mut ends: Vec<_> = self.clients.iter().map(|(id, client)| (client.expires, *id)).collect();
            let (first, ..) = ends.select_nth_unstable(CLIENTS_MAX / 16);
            first.iter().for_each(|(_, id)| drop(self.clients.remove(id)));
        }
        self.by_connection.retain(|_, id| self.clients.contains_key(id));
    }
}

/// Kafka: `Uuid.hashCode`.
fn hash(id: Uuid) -> i32 {
    let bytes = id.0;
    let half = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let xor = half(0) ^ half(8);
    ((xor >> 32) as i32) ^ (xor as i32)
}

#[cfg(test)]
mod tests;
