//! The consumer's keys. Kafka: `ConsumerConfig`.

use std::time::Duration;

use config::Importance::{High, Low, Medium};
use config::{ConfigMap, Key, KeyType, Validator};

use super::common::ANY_LIST;
use super::{COMMON_KEYS, Parsed, SECURITY_KEYS};
use crate::error::{Error, Result};
use crate::settings::{Bootstrap, ClientSettings, parse_bootstrap};

/// What differs from [`COMMON_KEYS`], and what comes to them.
pub const CONSUMER_KEYS: &[Key] = &[
    Key::required("bootstrap.servers", KeyType::List, High, "Brokers, as host:port, through which the cluster is found.")
        .valid(Validator::List { of: &[], empty: false, null: false }),
    Key::boolean("allow.auto.create.topics", "true", Medium, "Whether subscribing to a topic may create it."),
    Key::int("auto.commit.interval.ms", "5000", Low, "How often positions are committed by themselves.").at_least(0),
    Key::string("auto.offset.reset", "latest", Medium, "Where to begin without a committed offset: latest, earliest, none, by_duration:PnDTnHnMn.nS."),
    Key::boolean("check.crcs", "true", Low, "Whether batches' checksums are checked."),
    Key::string("client.rack", "", Low, "The rack that we are in, to read from replicas nearby."),
    Key::int("default.api.timeout.ms", "60000", Medium, "How long a call without a timeout of its own may take.").at_least(0),
    Key::boolean("enable.auto.commit", "true", Medium, "Whether positions are committed by themselves."),
    Key::boolean("exclude.internal.topics", "true", Medium, "Whether patterns leave out Kafka's own topics."),
    Key::int("fetch.max.bytes", "52428800", Medium, "How many bytes one answer to a fetch has at most.").at_least(0),
    Key::int("fetch.max.wait.ms", "500", Low, "How long a broker waits for fetch.min.bytes.").at_least(0),
    Key::int("fetch.min.bytes", "1", High, "How many bytes one answer to a fetch has at least.").at_least(0),
    Key::nullable("group.id", KeyType::String, High, "The group whose member we are."),
    Key::nullable("group.instance.id", KeyType::String, Medium, "Our name as a static member.").valid(Validator::NonEmpty),
    Key::string("group.protocol", "classic", High, "The protocol of groups.").valid(Validator::OneOfAnyCase(&["CLASSIC", "CONSUMER"])),
    Key::nullable("group.remote.assignor", KeyType::String, Medium, "The assignor of the broker; for the protocol consumer."),
    Key::int("heartbeat.interval.ms", "3000", High, "How often the coordinator is told that we live."),
    Key::string("isolation.level", "read_uncommitted", Medium, "Whether records of open and aborted transactions are seen.")
        .one_of(&["read_committed", "read_uncommitted"]),
    Key::string("key.deserializer", "", High, "Not used: records are bytes."),
    Key::int("max.partition.fetch.bytes", "1048576", High, "How many bytes of one partition an answer to a fetch has at most.").at_least(0),
    Key::int("max.poll.interval.ms", "300000", Medium, "How long between polls until the group goes on without us.").at_least(1),
    Key::int("max.poll.records", "500", Medium, "How many records a poll gives at most.").at_least(1),
    Key::list("partition.assignment.strategy", "org.apache.kafka.clients.consumer.RangeAssignor,org.apache.kafka.clients.consumer.CooperativeStickyAssignor", Medium, "Assignors, the preferred first, by name or by Kafka's class.").valid(ANY_LIST),
    Key::int("session.timeout.ms", "45000", High, "How long the coordinator waits for a heartbeat."),
    Key::string("share.acknowledgement.mode", "implicit", Medium, "For share groups.").one_of(&["implicit", "explicit"]),
    Key::string("share.acquire.mode", "batch_optimized", Medium, "For share groups.").valid(Validator::OneOfAnyCase(&["BATCH_OPTIMIZED", "RECORD_LIMIT"])),
    Key::string("value.deserializer", "", High, "Not used: records are bytes."),
];

/// Which records are seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IsolationLevel {
    /// All.
    #[default]
    ReadUncommitted = 0,
    /// Those of transactions only once they are committed.
    ReadCommitted = 1,
}

/// Who assigns a group's partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupProtocol {
    /// A member that leads.
    #[default]
    Classic,
    /// The coordinator (KIP-848).
    Consumer,
}

/// Where to begin without a valid position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoOffsetReset {
    /// At the log's start.
    Earliest,
    /// At the log's end.
    Latest,
    /// Nowhere: fail.
    None,
    /// At the first record younger than this.
    ByDuration(Duration),
}

impl AutoOffsetReset {
    /// Reads `auto.offset.reset`. Kafka: `AutoOffsetResetStrategy.fromString`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "earliest" => Some(Self::Earliest),
            "latest" => Some(Self::Latest),
            "none" => Some(Self::None),
            _ => parse_duration(text.strip_prefix("by_duration:")?).map(Self::ByDuration),
        }
    }
}

/// Reads an ISO 8601 duration of days, hours, minutes and seconds: `PnDTnHnMn.nS`. Java: `Duration.parse`, not negative.
fn parse_duration(text: &str) -> Option<Duration> {
    let rest = text.strip_prefix(['P', 'p'])?;
    let (days, time) = match rest.split_once(['T', 't']) {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (rest, ""),
    };
    let mut total = 0.0;
    let mut seen = false;
    let mut number = String::new();
    for (part, units) in
        [(days, &[('D', 86_400.0)][..]), (time, &[('H', 3600.0), ('M', 60.0), ('S', 1.0)][..])]
    {
        let mut units = units.iter();
        for c in part.chars() {
            if c.is_ascii_digit() || c == '.' {
                number.push(c);
                continue;
            }
            let (unit, factor) = units.find(|(unit, _)| unit.eq_ignore_ascii_case(&c))?;
            if number.contains('.') && *unit != 'S' {
                return None;
            }
            total += number.parse::<f64>().ok()? * factor;
            number.clear();
            seen = true;
        }
    }
    let whole = seen && number.is_empty();
    Duration::try_from_secs_f64(total).ok().filter(|_| whole)
}

/// What a consumer is configured with. Each field is the key of that name.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// What every client has.
    pub client: ClientSettings,
    /// `allow.auto.create.topics`.
    pub allow_auto_create_topics: bool,
    /// `auto.commit.interval.ms`.
    pub auto_commit_interval: Duration,
    /// `auto.offset.reset`.
    pub auto_offset_reset: AutoOffsetReset,
    /// `check.crcs`.
    pub check_crcs: bool,
    /// `client.rack`; empty for none.
    pub client_rack: String,
    /// `default.api.timeout.ms`.
    pub default_api_timeout: Duration,
    /// `enable.auto.commit`; false without a group unless it was set.
    pub enable_auto_commit: bool,
    /// `exclude.internal.topics`.
    pub exclude_internal_topics: bool,
    /// `fetch.max.bytes`.
    pub fetch_max_bytes: i32,
    /// `fetch.max.wait.ms`.
    pub fetch_max_wait: Duration,
    /// `fetch.min.bytes`.
    pub fetch_min_bytes: i32,
    /// `group.id`.
    pub group_id: Option<String>,
    /// `group.instance.id`.
    pub group_instance_id: Option<String>,
    /// `group.protocol`.
    pub group_protocol: GroupProtocol,
    /// `group.remote.assignor`.
    pub remote_assignor: Option<String>,
    /// `heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// `isolation.level`.
    pub isolation_level: IsolationLevel,
    /// `max.partition.fetch.bytes`.
    pub max_partition_fetch_bytes: i32,
    /// `max.poll.interval.ms`.
    pub max_poll_interval: Duration,
    /// `max.poll.records`.
    pub max_poll_records: usize,
    /// `partition.assignment.strategy`: names of assignors as they go over the wire.
    pub assignors: Vec<String>,
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
}

impl ConsumerConfig {
    /// Reads Kafka's keys.
    pub fn from_map(map: &ConfigMap) -> Result<Self> {
        let parsed = Parsed::new(&[COMMON_KEYS, SECURITY_KEYS, CONSUMER_KEYS], map)?;
        let values = &parsed.values;
        let group_protocol = group_protocol(&parsed)?;
        let bootstrap =
            Bootstrap::Servers(parse_bootstrap("bootstrap.servers", &values.list("bootstrap.servers"))?);
        let group_id = values.string("group.id").filter(|id| !id.is_empty());
        let instance = values.string("group.instance.id");
        let client = parsed
            .client_settings(bootstrap, client_id(&parsed, group_id.as_deref(), instance.as_deref()))?;
        let reset = values.text("auto.offset.reset");
        let config = Self {
            client,
            allow_auto_create_topics: values.boolean("allow.auto.create.topics"),
            auto_commit_interval: parsed.millis("auto.commit.interval.ms"),
            auto_offset_reset: AutoOffsetReset::parse(&reset).ok_or_else(|| wrong_reset(&reset))?,
            check_crcs: values.boolean("check.crcs"),
            client_rack: values.text("client.rack"),
            default_api_timeout: parsed.millis("default.api.timeout.ms"),
            enable_auto_commit: auto_commit(&parsed, group_id.is_some())?,
            exclude_internal_topics: values.boolean("exclude.internal.topics"),
            fetch_max_bytes: values.int("fetch.max.bytes"),
            fetch_max_wait: parsed.millis("fetch.max.wait.ms"),
            fetch_min_bytes: values.int("fetch.min.bytes"),
            group_id,
            group_instance_id: instance,
            group_protocol,
            remote_assignor: values.string("group.remote.assignor").filter(|name| !name.trim().is_empty()),
            heartbeat_interval: parsed.millis("heartbeat.interval.ms"),
            isolation_level: match values.text("isolation.level").as_str() {
                "read_committed" => IsolationLevel::ReadCommitted,
                _ => IsolationLevel::ReadUncommitted,
            },
            max_partition_fetch_bytes: values.int("max.partition.fetch.bytes"),
            max_poll_interval: parsed.millis("max.poll.interval.ms"),
            max_poll_records: values.int("max.poll.records") as usize,
            assignors: assignors(&values.list("partition.assignment.strategy"))?,
            session_timeout: parsed.millis("session.timeout.ms"),
        };
        config.check()
    }

    fn check(self) -> Result<Self> {
        if self.heartbeat_interval >= self.session_timeout {
            return Err(Error::Config("Heartbeat must be set lower than the session timeout".into()));
        }
        if self.assignors.is_empty() && self.group_id.is_some() {
            return Err(Error::Config(
                "Must have at least one partition assignor in partition.assignment.strategy".into(),
            ));
        }
        Ok(self)
    }
}

fn client_id(parsed: &Parsed, group: Option<&str>, instance: Option<&str>) -> String {
    let given = parsed.values.text("client.id");
    match (given.is_empty(), group, instance) {
        (false, ..) => given,
        (true, Some(group), Some(instance)) => format!("consumer-{group}-{instance}"),
        (true, Some(group), None) => format!("consumer-{group}-1"),
        (true, None, _) => "consumer-null-1".into(),
    }
}

/// The protocol, unless something is set that it has no use for. Kafka: `ConsumerConfig.checkUnsupportedConfigsPostProcess`.
fn group_protocol(parsed: &Parsed) -> Result<GroupProtocol> {
    let of_shares = ["share.acknowledgement.mode", "share.acquire.mode"];
    let (protocol, name, unused) = if parsed.values.text("group.protocol").eq_ignore_ascii_case("consumer") {
        let unused = &["partition.assignment.strategy", "heartbeat.interval.ms", "session.timeout.ms"][..];
        (GroupProtocol::Consumer, "CONSUMER", unused)
    } else {
        (GroupProtocol::Classic, "CLASSIC", &["group.remote.assignor"][..])
    };
    let set: Vec<&str> = unused.iter().copied().chain(of_shares).filter(|key| parsed.is_set(key)).collect();
    if set.is_empty() {
        return Ok(protocol);
    }
    let keys = set.join(", ");
    Err(Error::Config(format!("{keys} cannot be set when group.protocol={name}")))
}

fn wrong_reset(text: &str) -> Error {
    Error::Config(format!(
        "Invalid value {text} for configuration auto.offset.reset: Invalid value `{text}` for configuration auto.offset.reset. The value must be either 'earliest', 'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'."
    ))
}

/// Kafka: `ConsumerConfig.maybeOverrideEnableAutoCommit`.
fn auto_commit(parsed: &Parsed, in_group: bool) -> Result<bool> {
    let enabled = parsed.values.boolean("enable.auto.commit");
    if in_group || !enabled {
        return Ok(enabled);
    }
    if parsed.is_set("enable.auto.commit") {
        return Err(Error::Config(
            "enable.auto.commit cannot be set to true when default group id (null) is used.".into(),
        ));
    }
    Ok(false)
}

/// The names that assignors have on the wire.
fn assignors(list: &[String]) -> Result<Vec<String>> {
    let name = |given: &String| {
        let short = given.strip_prefix("org.apache.kafka.clients.consumer.").unwrap_or(given);
        match short {
            "RangeAssignor" | "range" => Ok("range".to_owned()),
            "RoundRobinAssignor" | "roundrobin" => Ok("roundrobin".to_owned()),
            "StickyAssignor" | "sticky" => Ok("sticky".to_owned()),
            "CooperativeStickyAssignor" | "cooperative-sticky" => Ok("cooperative-sticky".to_owned()),
            _ => Err(Error::Config(format!("Class {given} cannot be found"))),
        }
    };
    list.iter().map(name).collect()
}
