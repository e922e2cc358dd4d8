//! How the keys and values of records are shown.

use std::collections::BTreeMap;

use bytes::Buf;
use records::Record;
use serde_json::json;

use crate::Failure;
use crate::coordinator_json::{CoordinatorJson, Topic};
use crate::options::Options;
use crate::schema_json::{Schema, SchemaError};

macro_rules! schemas {
    ($($name:literal),* $(,)?) => {
        [$(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol/schemas/", $name, ".txt"))),*]
    };
}

/// Reads keys and values.
pub(super) enum Decoder {
    /// As text or numbers.
    Plain {
        /// How keys are read.
        key: Primitive,
        /// How values are read.
        value: Primitive,
    },
    /// As records of a coordinator.
    Coordinator(Box<CoordinatorJson>),
    /// As records of the cluster's metadata.
    Metadata(BTreeMap<i16, Schema>),
}

/// A decoder of Kafka's that needs no schema.
#[derive(Clone, Copy)]
pub(super) enum Primitive {
    String,
    Integer,
    Long,
    Default,
}

/// What a record's key and value say.
type Shown = (Option<String>, Option<String>);

impl Decoder {
    pub(super) fn of(options: &Options) -> Result<Self, Failure> {
        if options.has("offsets-decoder") {
            return Ok(Self::coordinator(Topic::Offsets));
        }
        if options.has("transaction-log-decoder") {
            return Ok(Self::coordinator(Topic::Transactions));
        }
        if options.has("cluster-metadata-decoder") {
            return Ok(Self::Metadata(by_key(METADATA)));
        }
        if options.has("remote-log-metadata-decoder") {
            return Err(Failure::message("The decoder of remote log metadata is not available."));
        }
        if options.has("share-group-state-decoder") {
            return Ok(Self::coordinator(Topic::ShareState));
        }
        let primitive = |name| Primitive::of(options.value(name)?);
        Ok(Self::Plain { key: primitive("key-decoder-class")?, value: primitive("value-decoder-class")? })
    }

    fn coordinator(topic: Topic) -> Self {
        Self::Coordinator(Box::new(CoordinatorJson::new(topic)))
    }

    /// Shows a record's key and value.
    pub(super) fn show(&self, record: &Record<'_>) -> Result<Shown, Failure> {
        match self {
            Self::Plain { key, value } => {
                Ok((record.key.map(|bytes| key.show(bytes)), record.value.map(|bytes| value.show(bytes))))
            }
            Self::Metadata(schemas) => Ok((None, Some(show_metadata(schemas, record)))),
            Self::Coordinator(json) => show_coordinated(json, record),
        }
    }
}

fn show_coordinated(json: &CoordinatorJson, record: &Record<'_>) -> Result<Shown, Failure> {
    let Some(key) = record.key else {
        let what = if json.topic == Topic::ShareState { "share group state" } else { "offset" };
        return Err(Failure::message(format!(
            "Failed to decode message at offset {} using {what} topic decoder (message had a missing key)",
            record.offset
        )));
    };
    let kind = match json.kind(key) {
        Ok(kind) => kind,
        Err(kind) => {
            let kind = kind.map_or_else(|| "null".into(), |kind| kind.to_string());
            return Ok((
                Some(format!("Unknown record type {kind} at offset {}, skipping.", record.offset)),
                None,
            ));
        }
    };
    let shown = json.key(kind, key).and_then(|data| {
        let key = json!({"type": kind.to_string(), "data": data}).to_string();
        let value = record.value.map(|value| show_value(json, kind, value)).transpose()?;
        Ok((Some(key), Some(value.unwrap_or_else(|| "<DELETE>".into()))))
    });
    Ok(shown.unwrap_or_else(|error| {
        (Some(format!("Error at offset {}, skipping. {error}", record.offset)), None)
    }))
}

fn show_value(json: &CoordinatorJson, kind: i16, bytes: &[u8]) -> Result<String, SchemaError> {
    let (version, mut data) = json.value(kind, bytes)?;
    json.open_members(&mut data);
    let is_share = json.topic == Topic::ShareState;
    let (name, number) = if is_share { ("type", kind) } else { ("version", version) };
    Ok(json!({name: number.to_string(), "data": data}).to_string())
}

fn show_metadata(schemas: &BTreeMap<i16, Schema>, record: &Record<'_>) -> String {
    let parse = || {
        let mut bytes = record.value.unwrap_or_default();
        let mut number = || varint(&mut bytes);
        let (frame, kind, version) = (number()?, number()?, number()?);
        if frame != 1 {
            return Err(SchemaError::Version(frame, "frame"));
        }
        let schema = schemas.get(&kind).ok_or(SchemaError::Version(kind, "record"))?;
        let data = schema.to_json(bytes, version)?;
        Ok(json!({"type": upper_snake(schema.name), "version": version, "data": data}).to_string())
    };
    parse().unwrap_or_else(|error| format!("Error at {}, skipping. {error}", record.offset))
}

fn varint(bytes: &mut &[u8]) -> Result<i16, SchemaError> {
    let mut value = 0i32;
    for shift in [0, 7, 14] {
        let (byte, rest) = bytes.split_first().ok_or(SchemaError::Cut { wanted: 1, available: 0 })?;
        *bytes = rest;
        value |= i32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return i16::try_from(value).map_err(|_| SchemaError::Varint);
        }
    }
    Err(SchemaError::Varint)
}

/// `PartitionRecord` becomes `PARTITION_RECORD`.
fn upper_snake(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_uppercase());
    }
    text
}

impl Primitive {
    fn of(class: Option<&str>) -> Result<Self, Failure> {
        match class.map(|class| class.rsplit('.').next().unwrap_or(class)) {
            None | Some("StringDecoder") => Ok(Self::String),
            Some("IntegerDecoder") => Ok(Self::Integer),
            Some("LongDecoder") => Ok(Self::Long),
            Some("DefaultDecoder") => Ok(Self::Default),
            Some(_) => {
                Err(Failure::message(format!("Class {} could not be found.", class.unwrap_or_default())))
            }
        }
    }

    fn show(self, mut bytes: &[u8]) -> String {
        match self {
            Self::Integer if bytes.len() == 4 => bytes.get_i32().to_string(),
            Self::Long if bytes.len() == 8 => bytes.get_i64().to_string(),
            Self::Default => format!("{bytes:?}"),
            _ => String::from_utf8_lossy(bytes).into_owned(),
        }
    }
}

fn by_key(texts: &[&'static str]) -> BTreeMap<i16, Schema> {
    let schemas = texts.iter().map(|text| Schema::parse(text));
    schemas.filter_map(|schema| Some((schema.key()?, schema))).collect()
}

const METADATA: &[&str] = &schemas![
    "AbortTransactionRecord",
    "AccessControlEntryRecord",
    "BeginTransactionRecord",
    "BrokerRegistrationChangeRecord",
    "ClearElrRecord",
    "ClientQuotaRecord",
    "ConfigRecord",
    "DelegationTokenRecord",
    "EndTransactionRecord",
    "FeatureLevelRecord",
    "FenceBrokerRecord",
    "NoOpRecord",
    "PartitionChangeRecord",
    "PartitionRecord",
    "ProducerIdsRecord",
    "RegisterBrokerRecord",
    "RegisterControllerRecord",
    "RemoveAccessControlEntryRecord",
    "RemoveDelegationTokenRecord",
    "RemoveTopicRecord",
    "RemoveUserScramCredentialRecord",
    "TopicRecord",
    "UnfenceBrokerRecord",
    "UnregisterBrokerRecord",
    "UnregisterControllerRecord",
    "UserScramCredentialRecord",
    "ZkMigrationStateRecord",
];
