//! How the keys and values of records are shown.

use std::collections::BTreeMap;

use bytes::Buf;
use records::Record;
use serde_json::{Value, json};

use crate::Failure;
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
    /// As records of a coordinator: a version, then the message that the key's version names.
    Coordinator {
        keys: BTreeMap<i16, Schema>,
        values: BTreeMap<i16, Schema>,
        topic: Topic,
        subscription: Schema,
        assignment: Schema,
    },
    /// As records of the cluster's metadata.
    Metadata(BTreeMap<i16, Schema>),
}

/// Whose records they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    Offsets,
    Transactions,
    ShareState,
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
        let (keys, values) = match topic {
            Topic::Offsets => (by_key(GROUP_KEYS), by_key(GROUP_VALUES)),
            Topic::Transactions => (by_key(TRANSACTION_KEYS), by_key(TRANSACTION_VALUES)),
            Topic::ShareState => (by_key(SHARE_KEYS), by_key(SHARE_VALUES)),
        };
        let [subscription, assignment] =
            schemas!["ConsumerProtocolSubscription", "ConsumerProtocolAssignment"];
        Self::Coordinator {
            keys,
            values,
            topic,
            subscription: Schema::parse(subscription),
            assignment: Schema::parse(assignment),
        }
    }

    /// Shows a record's key and value.
    pub(super) fn show(&self, record: &Record<'_>) -> Result<Shown, Failure> {
        match self {
            Self::Plain { key, value } => {
                Ok((record.key.map(|bytes| key.show(bytes)), record.value.map(|bytes| value.show(bytes))))
            }
            Self::Metadata(schemas) => Ok((None, Some(show_metadata(schemas, record)))),
            Self::Coordinator { keys, values, topic, .. } => {
                self.show_coordinated(keys, values, *topic, record)
            }
        }
    }

    fn show_coordinated(
        &self,
        keys: &BTreeMap<i16, Schema>,
        values: &BTreeMap<i16, Schema>,
        topic: Topic,
        record: &Record<'_>,
    ) -> Result<Shown, Failure> {
        let Some(key) = record.key else {
            let what = if topic == Topic::ShareState { "share group state" } else { "offset" };
            return Err(Failure::message(format!(
                "Failed to decode message at offset {} using {what} topic decoder (message had a missing key)",
                record.offset
            )));
        };
        let kind = key.get(..2).map(|mut bytes| bytes.get_i16());
        let Some((kind, schema)) = kind.and_then(|kind| Some((kind, keys.get(&kind)?))) else {
            let kind = kind.map_or_else(|| "null".into(), |kind| kind.to_string());
            return Ok((
                Some(format!("Unknown record type {kind} at offset {}, skipping.", record.offset)),
                None,
            ));
        };
        let shown = schema.to_json(&key[2..], 0).and_then(|data| {
            let key = json!({"type": kind.to_string(), "data": data}).to_string();
            let value = record.value.map(|value| self.show_value(values, kind, topic, value)).transpose()?;
            Ok((Some(key), Some(value.unwrap_or_else(|| "<DELETE>".into()))))
        });
        Ok(shown.unwrap_or_else(|error| {
            (Some(format!("Error at offset {}, skipping. {error}", record.offset)), None)
        }))
    }

    fn show_value(
        &self,
        values: &BTreeMap<i16, Schema>,
        kind: i16,
        topic: Topic,
        bytes: &[u8],
    ) -> Result<String, SchemaError> {
        let schema = values.get(&kind).ok_or(SchemaError::Version(kind, "value"))?;
        let mut head = bytes.get(..2).ok_or(SchemaError::Cut { wanted: 2, available: bytes.len() })?;
        let version = head.get_i16();
        let mut data = schema.to_json(&bytes[2..], version)?;
        if schema.name == "GroupMetadataValue" {
            self.open_members(&mut data);
        }
        let name = if topic == Topic::ShareState { "type" } else { "version" };
        let number = if topic == Topic::ShareState { kind } else { version };
        Ok(json!({name: number.to_string(), "data": data}).to_string())
    }

    /// Shows what members of a consumer group subscribe and are assigned, in place of the bytes.
    fn open_members(&self, group: &mut Value) {
        let Self::Coordinator { subscription, assignment, .. } = self else { return };
        if group["protocolType"] != "consumer" {
            return;
        }
        for member in group["members"].as_array_mut().into_iter().flatten() {
            for (name, schema) in [("subscription", subscription), ("assignment", assignment)] {
                if let Some(opened) = open(&member[name], schema) {
                    member[name] = opened;
                }
            }
        }
    }
}

fn open(field: &Value, schema: &Schema) -> Option<Value> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(field.as_str()?).ok()?;
    let version = bytes.get(..2)?.get_i16();
    schema.to_json(&bytes[2..], version).ok()
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

const GROUP_KEYS: &[&str] = &schemas![
    "ConsumerGroupCurrentMemberAssignmentKey",
    "ConsumerGroupMemberMetadataKey",
    "ConsumerGroupMetadataKey",
    "ConsumerGroupPartitionMetadataKey",
    "ConsumerGroupRegularExpressionKey",
    "ConsumerGroupTargetAssignmentMemberKey",
    "ConsumerGroupTargetAssignmentMetadataKey",
    "GroupMetadataKey",
    "LegacyOffsetCommitKey",
    "OffsetCommitKey",
    "ShareGroupCurrentMemberAssignmentKey",
    "ShareGroupMemberMetadataKey",
    "ShareGroupMetadataKey",
    "ShareGroupStatePartitionMetadataKey",
    "ShareGroupTargetAssignmentMemberKey",
    "ShareGroupTargetAssignmentMetadataKey",
    "StreamsGroupCurrentMemberAssignmentKey",
    "StreamsGroupMemberMetadataKey",
    "StreamsGroupMetadataKey",
    "StreamsGroupTargetAssignmentMemberKey",
    "StreamsGroupTargetAssignmentMetadataKey",
    "StreamsGroupTopologyKey",
];
const GROUP_VALUES: &[&str] = &schemas![
    "ConsumerGroupCurrentMemberAssignmentValue",
    "ConsumerGroupMemberMetadataValue",
    "ConsumerGroupMetadataValue",
    "ConsumerGroupPartitionMetadataValue",
    "ConsumerGroupRegularExpressionValue",
    "ConsumerGroupTargetAssignmentMemberValue",
    "ConsumerGroupTargetAssignmentMetadataValue",
    "GroupMetadataValue",
    "LegacyOffsetCommitValue",
    "OffsetCommitValue",
    "ShareGroupCurrentMemberAssignmentValue",
    "ShareGroupMemberMetadataValue",
    "ShareGroupMetadataValue",
    "ShareGroupStatePartitionMetadataValue",
    "ShareGroupTargetAssignmentMemberValue",
    "ShareGroupTargetAssignmentMetadataValue",
    "StreamsGroupCurrentMemberAssignmentValue",
    "StreamsGroupMemberMetadataValue",
    "StreamsGroupMetadataValue",
    "StreamsGroupTargetAssignmentMemberValue",
    "StreamsGroupTargetAssignmentMetadataValue",
    "StreamsGroupTopologyValue",
];
const TRANSACTION_KEYS: &[&str] = &schemas!["TransactionLogKey"];
const TRANSACTION_VALUES: &[&str] = &schemas!["TransactionLogValue"];
const SHARE_KEYS: &[&str] = &schemas!["ShareSnapshotKey", "ShareUpdateKey"];
const SHARE_VALUES: &[&str] = &schemas!["ShareSnapshotValue", "ShareUpdateValue"];
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
