//! Records of the coordinators' topics as JSON: `__consumer_offsets`, `__transaction_state`, `__share_group_state`.
//!
//! A key begins with the number of its type; the value of that type begins with its version.
//!
//! Kafka: `GroupCoordinatorRecordSerde` and its kin, `CoordinatorRecordMessageFormatter`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Buf;
use serde_json::{Value, json};

use crate::schema_json::{Schema, SchemaError};

macro_rules! schemas {
    ($($name:literal),* $(,)?) => {
        [$(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol/schemas/", $name, ".txt"))),*]
    };
}

/// Whose records they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// `__consumer_offsets`.
    Offsets,
    /// `__transaction_state`.
    Transactions,
    /// `__share_group_state`.
    ShareState,
}

/// Reads the records of one topic.
pub struct CoordinatorJson {
    /// The topic.
    pub topic: Topic,
    keys: BTreeMap<i16, Schema>,
    values: BTreeMap<i16, Schema>,
    subscription: Schema,
    assignment: Schema,
}

impl CoordinatorJson {
    /// Reads the records of `topic`.
    pub fn new(topic: Topic) -> Self {
        let (keys, values) = match topic {
            Topic::Offsets => (by_key(GROUP_KEYS), by_key(GROUP_VALUES)),
            Topic::Transactions => (by_key(TRANSACTION_KEYS), by_key(TRANSACTION_VALUES)),
            Topic::ShareState => (by_key(SHARE_KEYS), by_key(SHARE_VALUES)),
        };
        let [subscription, assignment] =
            schemas!["ConsumerProtocolSubscription", "ConsumerProtocolAssignment"];
        Self {
            topic,
            keys,
            values,
            subscription: Schema::parse(subscription),
            assignment: Schema::parse(assignment),
        }
    }

    /// The type of a key, if it is known; else its number, if it has one.
    pub fn kind(&self, key: &[u8]) -> Result<i16, Option<i16>> {
        let kind = key.get(..2).map(|mut bytes| bytes.get_i16());
        kind.filter(|kind| self.keys.contains_key(kind)).ok_or(kind)
    }

    /// What a key of a known type says, behind its type.
    pub fn key(&self, kind: i16, key: &[u8]) -> Result<Value, SchemaError> {
        let schema = self.keys.get(&kind).ok_or(SchemaError::Version(kind, "key"))?;
        schema.to_json(key.get(2..).unwrap_or_default(), 0)
    }

    /// The version of a value, and what it says.
    pub fn value(&self, kind: i16, bytes: &[u8]) -> Result<(i16, Value), SchemaError> {
        let schema = self.values.get(&kind).ok_or(SchemaError::Version(kind, "value"))?;
        let mut head = bytes.get(..2).ok_or(SchemaError::Cut { wanted: 2, available: bytes.len() })?;
        let version = head.get_i16();
        Ok((version, schema.to_json(&bytes[2..], version)?))
    }

    /// A record as Kafka's formatters write it; none if its type is not among `kinds` or cannot be read.
    pub fn formatted(&self, key: Option<&[u8]>, value: Option<&[u8]>, kinds: &[i16]) -> Option<Value> {
        let key = key?;
        let kind = self.kind(key).ok().filter(|kind| kinds.contains(kind))?;
        let shown = match value {
            None => Value::Null,
            Some(bytes) => {
                let (version, data) = self.value(kind, bytes).ok()?;
                json!({"version": version, "data": data})
            }
        };
        Some(json!({"key": {"type": kind, "data": self.key(kind, key).ok()?}, "value": shown}))
    }

    /// Shows what members of a consumer group subscribe and are assigned, in place of the bytes.
    pub fn open_members(&self, group: &mut Value) {
        if group["protocolType"] != "consumer" {
            return;
        }
        for member in group["members"].as_array_mut().into_iter().flatten() {
            for (name, schema) in [("subscription", &self.subscription), ("assignment", &self.assignment)] {
                if let Some(opened) = open(&member[name], schema) {
                    member[name] = opened;
                }
            }
        }
    }
}

fn open(field: &Value, schema: &Schema) -> Option<Value> {
    let bytes = STANDARD.decode(field.as_str()?).ok()?;
    let version = bytes.get(..2)?.get_i16();
    schema.to_json(&bytes[2..], version).ok()
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
