//! The producer's keys. Kafka: `ProducerConfig`.

use std::time::Duration;

use config::Importance::{High, Low, Medium};
use config::{ConfigMap, Key, KeyType, Validator};
use records::{Codec, Compression};

use super::{COMMON_KEYS, Parsed, SECURITY_KEYS};
use crate::error::{Error, Result};
use crate::settings::{Bootstrap, ClientSettings, parse_bootstrap};

/// What differs from [`COMMON_KEYS`], and what comes to them.
pub const PRODUCER_KEYS: &[Key] = &[
    Key::required(
        "bootstrap.servers",
        KeyType::List,
        High,
        "Brokers, as host:port, through which the cluster is found.",
    )
    .valid(Validator::List { of: &[], empty: false, null: false }),
    Key::string(
        "acks",
        "all",
        Low,
        "Who must have the record before it is acknowledged: nobody (0), the leader (1), all in sync.",
    )
    .one_of(&["all", "-1", "0", "1"]),
    Key::int("batch.size", "16384", Medium, "How large a batch for one partition gets, in bytes.")
        .at_least(0),
    Key::long("buffer.memory", "33554432", High, "How many bytes of records may wait to be sent.")
        .at_least(0),
    Key::int("compression.gzip.level", "-1", Medium, "gzip's level.").valid(Validator::GzipLevel),
    Key::int("compression.lz4.level", "9", Medium, "lz4's level.").between(1, 17),
    Key::string("compression.type", "none", High, "How batches are compressed.")
        .one_of(&["none", "gzip", "snappy", "lz4", "zstd"]),
    Key::int("compression.zstd.level", "3", Medium, "zstd's level.").between(-131_072, 22),
    Key::int(
        "delivery.timeout.ms",
        "120000",
        Medium,
        "How long after its sending a record is acknowledged or failed.",
    )
    .at_least(0),
    Key::boolean(
        "enable.idempotence",
        "true",
        Low,
        "Whether each record is written exactly once, in order, whatever is retried.",
    ),
    Key::string("key.serializer", "", High, "Not used: records are bytes."),
    Key::long("linger.ms", "5", Medium, "How long a batch waits for more records.").at_least(0),
    Key::long("max.block.ms", "60000", Medium, "How long sending waits for metadata and memory.").at_least(0),
    Key::int(
        "max.in.flight.requests.per.connection",
        "5",
        Low,
        "How many requests to a broker may be unanswered.",
    )
    .at_least(1),
    Key::int("max.request.size", "1048576", Medium, "How large a request gets, in bytes.").at_least(0),
    Key::long("metadata.max.idle.ms", "300000", Low, "How long a topic that is not used is known.")
        .at_least(5000),
    Key::boolean(
        "partitioner.adaptive.partitioning.enable",
        "true",
        Low,
        "Whether slow brokers get fewer of the records without a key.",
    ),
    Key::long(
        "partitioner.availability.timeout.ms",
        "0",
        Low,
        "How long a partition whose broker takes nothing is still used; 0 for ever.",
    )
    .at_least(0),
    Key::nullable(
        "partitioner.class",
        KeyType::String,
        Medium,
        "What chooses partitions; unset for Kafka's own.",
    ),
    Key::boolean("partitioner.ignore.keys", "false", Medium, "Whether keys do not decide partitions."),
    Key::int("receive.buffer.bytes", "32768", Medium, "The socket's receive buffer; -1 for the system's.")
        .at_least(-1),
    Key::int("retries", "2147483647", High, "How often a batch that failed is sent again.")
        .between(0, i32::MAX as i64),
    Key::int("transaction.timeout.ms", "60000", Low, "How long a transaction may last."),
    Key::boolean(
        "transaction.two.phase.commit.enable",
        "false",
        Low,
        "Whether transactions are ended from outside.",
    ),
    Key::nullable(
        "transactional.id",
        KeyType::String,
        Low,
        "The name under which transactions go on after a restart.",
    )
    .valid(Validator::NonEmpty),
    Key::string("value.serializer", "", High, "Not used: records are bytes."),
];

/// Who must have a record before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// Nobody: there is no answer.
    None,
    /// The leader.
    Leader,
    /// All replicas in sync.
    All,
}

impl Acks {
    /// The number in a produce request.
    pub fn id(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// What a producer is configured with. Each field is the key of that name.
#[derive(Clone, Debug)]
pub struct ProducerConfig {
    /// What every client has.
    pub client: ClientSettings,
    /// `acks`.
    pub acks: Acks,
    /// `batch.size`, in bytes.
    pub batch_size: usize,
    /// `buffer.memory`, in bytes.
    pub buffer_memory: usize,
    /// `compression.type` and its level.
    pub compression: Compression,
    /// `delivery.timeout.ms`.
    pub delivery_timeout: Duration,
    /// `enable.idempotence`.
    pub idempotence: bool,
    /// `linger.ms`.
    pub linger: Duration,
    /// `max.block.ms`.
    pub max_block: Duration,
    /// `max.in.flight.requests.per.connection`.
    pub max_in_flight: usize,
    /// `max.request.size`, in bytes.
    pub max_request_size: usize,
    /// `metadata.max.idle.ms`.
    pub metadata_max_idle: Duration,
    /// `partitioner.adaptive.partitioning.enable`.
    pub adaptive_partitioning: bool,
    /// `partitioner.availability.timeout.ms`; zero for ever.
    pub availability_timeout: Duration,
    /// `partitioner.class`.
    pub partitioner: PartitionerClass,
    /// `partitioner.ignore.keys`.
    pub ignore_keys: bool,
    /// `retries`.
    pub retries: u32,
    /// `transaction.timeout.ms`.
    pub transaction_timeout: Duration,
    /// `transactional.id`.
    pub transactional_id: Option<String>,
}

/// The partitioners that have a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionerClass {
    /// Keys by murmur2, the rest sticky (KIP-794).
    BuiltIn,
    /// Each partition in turn, whatever the key. Kafka: `RoundRobinPartitioner`.
    RoundRobin,
}

impl ProducerConfig {
    /// Reads Kafka's keys.
    pub fn from_map(map: &ConfigMap) -> Result<Self> {
        let parsed = Parsed::new(&[COMMON_KEYS, SECURITY_KEYS, PRODUCER_KEYS], map)?;
        let values = &parsed.values;
        let idempotence = idempotence(&parsed)?;
        let transactional_id = transactional_id(&parsed, idempotence)?;
        let bootstrap =
            Bootstrap::Servers(parse_bootstrap("bootstrap.servers", &values.list("bootstrap.servers"))?);
        let client_id = Some(values.text("client.id")).filter(|id| !id.is_empty());
        let client_id =
            client_id.unwrap_or_else(|| format!("producer-{}", transactional_id.as_deref().unwrap_or("1")));
        let client = parsed.client_settings(bootstrap, client_id)?;
        let linger = parsed.millis("linger.ms");
        Ok(Self {
            acks: acks(&parsed),
            batch_size: values.int("batch.size").max(1) as usize,
            buffer_memory: values.long("buffer.memory") as usize,
            compression: compression(&parsed)?,
            delivery_timeout: delivery_timeout(&parsed, linger + client.request_timeout)?,
            idempotence,
            linger,
            max_block: parsed.millis("max.block.ms"),
            max_in_flight: values.int("max.in.flight.requests.per.connection") as usize,
            max_request_size: values.int("max.request.size") as usize,
            metadata_max_idle: parsed.millis("metadata.max.idle.ms"),
            adaptive_partitioning: values.boolean("partitioner.adaptive.partitioning.enable"),
            availability_timeout: parsed.millis("partitioner.availability.timeout.ms"),
            partitioner: partitioner(values.string("partitioner.class").as_deref())?,
            ignore_keys: values.boolean("partitioner.ignore.keys"),
            retries: values.int("retries") as u32,
            transaction_timeout: parsed.millis("transaction.timeout.ms"),
            transactional_id,
            client,
        })
    }
}

fn acks(parsed: &Parsed) -> Acks {
    match parsed.values.text("acks").as_str() {
        "0" => Acks::None,
        "1" => Acks::Leader,
        _ => Acks::All,
    }
}

/// Kafka: `ProducerConfig.postProcessAndValidateIdempotenceConfigs`.
fn idempotence(parsed: &Parsed) -> Result<bool> {
    let wanted = parsed.is_set("enable.idempotence");
    let enabled = parsed.values.boolean("enable.idempotence");
    if !enabled {
        return Ok(false);
    }
    let mut possible = true;
    let mut require = |holds: bool, text: &str| {
        if !holds && wanted {
            return Err(Error::Config(text.to_owned()));
        }
        possible &= holds;
        Ok(())
    };
    require(
        parsed.values.int("retries") != 0,
        "Must set retries to non-zero when using the idempotent producer.",
    )?;
    require(
        acks(parsed) == Acks::All,
        "Must set acks to all in order to use the idempotent producer. Otherwise we cannot guarantee idempotence.",
    )?;
    let in_flight = parsed.values.int("max.in.flight.requests.per.connection");
    if in_flight > 5 {
        return Err(Error::Config(
            "Must set max.in.flight.requests.per.connection to at most 5 to use the idempotent producer."
                .into(),
        ));
    }
    Ok(possible)
}

/// Kafka: `ProducerConfig.postProcessAndValidateIdempotenceConfigs`, what it says of transactions.
fn transactional_id(parsed: &Parsed, idempotence: bool) -> Result<Option<String>> {
    let id = parsed.values.string("transactional.id");
    if id.is_some() && !idempotence {
        return Err(Error::Config("Cannot set a transactional.id without also enabling idempotence.".into()));
    }
    if parsed.values.boolean("transaction.two.phase.commit.enable") && parsed.is_set("transaction.timeout.ms")
    {
        return Err(Error::Config("Cannot set transaction.timeout.ms when transaction.two.phase.commit.enable is set to true. Transactions will not expire with two-phase commit enabled.".into()));
    }
    Ok(id)
}

/// Kafka: `KafkaProducer.configureDeliveryTimeout`.
fn delivery_timeout(parsed: &Parsed, least: Duration) -> Result<Duration> {
    let timeout = parsed.millis("delivery.timeout.ms");
    if timeout >= least {
        return Ok(timeout);
    }
    if parsed.is_set("delivery.timeout.ms") {
        return Err(Error::Config(
            "delivery.timeout.ms should be equal to or larger than linger.ms + request.timeout.ms".into(),
        ));
    }
    Ok(least)
}

fn compression(parsed: &Parsed) -> Result<Compression> {
    let values = &parsed.values;
    let codec = values.text("compression.type").parse().unwrap_or(Codec::None);
    let level = match codec {
        Codec::Gzip => values.int("compression.gzip.level"),
        Codec::Lz4 => values.int("compression.lz4.level"),
        Codec::Zstd => values.int("compression.zstd.level"),
        Codec::None | Codec::Snappy => return Ok(Compression::new(codec)),
    };
    Compression::with_level(codec, level).map_err(|error| Error::Config(error.to_string()))
}

fn partitioner(class: Option<&str>) -> Result<PartitionerClass> {
    match class {
        None => Ok(PartitionerClass::BuiltIn),
        Some("org.apache.kafka.clients.producer.RoundRobinPartitioner") => Ok(PartitionerClass::RoundRobin),
        Some(other) => Err(Error::Config(format!(
            "Invalid value {other} for configuration partitioner.class: Class {other} could not be found."
        ))),
    }
}
