//! The share consumer's settings, from the consumer's keys. Kafka: `ShareConsumerConfig`.

use std::time::Duration;

use config::ConfigMap;

use super::{COMMON_KEYS, CONSUMER_KEYS, Parsed, SECURITY_KEYS};
use crate::error::{Error, Result};
use crate::settings::{Bootstrap, ClientSettings, parse_bootstrap};

/// Consumer keys that mean nothing in a share group.
const UNSUPPORTED: &[&str] = &[
    "auto.offset.reset",
    "enable.auto.commit",
    "group.instance.id",
    "isolation.level",
    "partition.assignment.strategy",
    "interceptor.classes",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "group.protocol",
    "group.remote.assignor",
];

/// What a share consumer is configured with. Each field is the key of that name.
#[derive(Clone, Debug)]
pub struct ShareConsumerConfig {
    /// What every client has.
    pub client: ClientSettings,
    /// `allow.auto.create.topics`.
    pub allow_auto_create_topics: bool,
    /// `check.crcs`.
    pub check_crcs: bool,
    /// `client.rack`; empty for none.
    pub client_rack: String,
    /// `default.api.timeout.ms`.
    pub default_api_timeout: Duration,
    /// `fetch.max.bytes`.
    pub fetch_max_bytes: i32,
    /// `fetch.max.wait.ms`.
    pub fetch_max_wait: Duration,
    /// `fetch.min.bytes`.
    pub fetch_min_bytes: i32,
    /// `group.id`.
    pub group_id: String,
    /// `max.poll.records`.
    pub max_poll_records: usize,
    /// `share.acknowledgement.mode` is `explicit`: the user says what became of each record.
    pub explicit_acknowledgement: bool,
    /// `share.acquire.mode` is `record_limit`: no more than `max.poll.records` are acquired at once.
    pub record_limit: bool,
}

impl ShareConsumerConfig {
    /// Reads Kafka's keys.
    pub fn from_map(map: &ConfigMap) -> Result<Self> {
        let set: Vec<&str> = UNSUPPORTED.iter().copied().filter(|name| map.contains_key(*name)).collect();
        if !set.is_empty() {
            let names = set.join(", ");
            return Err(Error::Config(format!("{names} cannot be set when using a share group.")));
        }
        let parsed = Parsed::new(&[COMMON_KEYS, SECURITY_KEYS, CONSUMER_KEYS], map)?;
        let values = &parsed.values;
        let bootstrap =
            Bootstrap::Servers(parse_bootstrap("bootstrap.servers", &values.list("bootstrap.servers"))?);
        let group_id = values.string("group.id").filter(|id| !id.is_empty()).ok_or_else(|| {
            Error::Config("You must provide a valid group.id in the consumer configuration.".into())
        })?;
        let client_id = match values.text("client.id") {
            given if given.is_empty() => format!("consumer-{group_id}-1"),
            given => given,
        };
        Ok(Self {
            client: parsed.client_settings(bootstrap, client_id)?,
            allow_auto_create_topics: values.boolean("allow.auto.create.topics"),
            check_crcs: values.boolean("check.crcs"),
            client_rack: values.text("client.rack"),
            default_api_timeout: parsed.millis("default.api.timeout.ms"),
            fetch_max_bytes: values.int("fetch.max.bytes"),
            fetch_max_wait: parsed.millis("fetch.max.wait.ms"),
            fetch_min_bytes: values.int("fetch.min.bytes"),
            group_id,
            max_poll_records: values.int("max.poll.records") as usize,
            explicit_acknowledgement: values.text("share.acknowledgement.mode") == "explicit",
            record_limit: values.text("share.acquire.mode").eq_ignore_ascii_case("record_limit"),
        })
    }
}
