//! Records of `__consumer_offsets` in Kafka's format: a key of two bytes for the type and the key's fields, a value of two
//! bytes for the version and the value's fields.
//!
//! Written: OffsetCommitValue v4 (v1 where the client named a retention time), GroupMetadataValue v3, and the records of
//! consumer, share and streams groups in version 0, as 4.3 does.
//! Read: all versions, and the keys of type 0 that old brokers wrote. Kafka: `GroupCoordinatorRecordSerde`,
//! `GroupCoordinatorRecordHelpers`.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use model::{ProducerEpoch, ProducerId};
use protocol::{
    DecodeError, EncodeError, GroupMetadataKey, GroupMetadataValue, LegacyOffsetCommitKey,
    LegacyOffsetCommitValue, Message, OffsetCommitKey, OffsetCommitValue, from_bytes, to_bytes,
};

use super::consumer::ConsumerEntry;
use super::share::ShareEntry;
use super::streams::StreamsEntry;

const LEGACY_OFFSET: i16 = 0;
const OFFSET: i16 = 1;
const GROUP: i16 = 2;
const GROUP_VALUE_VERSION: i16 = 3;
const OFFSET_VALUE_VERSION: i16 = 4;
const OFFSET_VALUE_VERSION_WITH_EXPIRY: i16 = 1;

/// The producer of a transactional batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Producer {
    /// The producer's id.
    pub id: ProducerId,
    /// The producer's epoch.
    pub epoch: ProducerEpoch,
}

/// One record of the log.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupRecord {
    /// A committed offset, or its tombstone.
    Offset {
        /// Group, topic and partition.
        key: OffsetCommitKey,
        /// The offset; none for a tombstone.
        value: Option<OffsetCommitValue>,
        /// The transaction that the offset is pending in; none when it counts at once.
        producer: Option<Producer>,
    },
    /// A generation of a classic group, or its tombstone.
    Group {
        /// The group's id.
        id: String,
        /// The generation; none for a tombstone.
        value: Option<GroupMetadataValue>,
    },
    /// A record of a consumer group.
    Consumer {
        /// The group's id.
        id: String,
        /// What it says.
        entry: ConsumerEntry,
    },
    /// A record of a share group.
    Share {
        /// The group's id.
        id: String,
        /// What it says.
        entry: ShareEntry,
    },
    /// A record of a streams group.
    Streams {
        /// The group's id.
        id: String,
        /// What it says.
        entry: StreamsEntry,
    },
    /// The end of a producer's transaction: a control record.
    EndTransaction {
        /// The producer.
        producer: Producer,
        /// The epoch of the transaction coordinator.
        coordinator_epoch: i32,
        /// Whether the pending offsets are committed, not dropped.
        commit: bool,
    },
}

/// A data record's key and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: Bytes,
    /// The value; none for a tombstone.
    pub value: Option<Bytes>,
}

/// Why a record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The record has no key.
    #[error("a record of __consumer_offsets has no key")]
    NoKey,
    /// The key or value is shorter than the fields it must have.
    #[error("a record of type {0} of __consumer_offsets is cut short")]
    Truncated(i16),
    /// The fields are wrong.
    #[error("a record of type {0} of __consumer_offsets cannot be read: {1}")]
    Decode(i16, DecodeError),
    /// The fields cannot be written.
    #[error("a record for __consumer_offsets cannot be written: {0}")]
    Encode(#[from] EncodeError),
    /// The record is a marker, which has no key and value of its own.
    #[error("a transaction marker is a control record")]
    Control,
}

impl GroupRecord {
    /// Writes the record's key and value. A marker has none and is an error.
    pub fn encode(&self) -> Result<KeyValue, RecordError> {
        match self {
            Self::Offset { key, value, .. } => Ok(KeyValue {
                key: prefixed(OFFSET, 0, key)?,
                value: value.as_ref().map(encode_offset_value).transpose()?,
            }),
            Self::Group { id, value } => {
                let key = GroupMetadataKey { group: id.clone(), ..Default::default() };
                let value =
                    value.as_ref().map(|value| prefixed(GROUP_VALUE_VERSION, GROUP_VALUE_VERSION, value));
                Ok(KeyValue { key: prefixed(GROUP, 0, &key)?, value: value.transpose()? })
            }
            Self::Consumer { id, entry } => entry.encode(id),
            Self::Share { id, entry } => entry.encode(id),
            Self::Streams { id, entry } => entry.encode(id),
            Self::EndTransaction { .. } => Err(RecordError::Control),
        }
    }

    /// Reads a data record; nothing for a type that no broker up to 4.4 writes. `producer` is that of a transactional
    /// batch.
    pub fn decode(
        key: Option<Bytes>,
        value: Option<Bytes>,
        producer: Option<Producer>,
    ) -> Result<Option<Self>, RecordError> {
        let mut key = key.ok_or(RecordError::NoKey)?;
        let kind = take_i16(&mut key, -1)?;
        let record = match kind {
            LEGACY_OFFSET => {
                let legacy: LegacyOffsetCommitKey = decode(kind, key, 0)?;
                let key = OffsetCommitKey {
                    group: legacy.group,
                    topic: legacy.topic,
                    partition: legacy.partition,
                    ..Default::default()
                };
                let value = value.map(decode_legacy_value).transpose()?;
                Self::Offset { key, value, producer }
            }
            OFFSET => {
                Self::Offset { key: decode(kind, key, 0)?, value: decode_value(kind, value)?, producer }
            }
            GROUP => {
                let key: GroupMetadataKey = decode(kind, key, 0)?;
                Self::Group { id: key.group, value: decode_value(kind, value)? }
            }
            kind => {
                let of_kinds = [ConsumerEntry::decode, ShareEntry::decode, StreamsEntry::decode];
                let mut read = of_kinds.into_iter().map(|decode| decode(kind, key.clone(), value.clone()));
                return read.find_map(Result::transpose).transpose();
            }
        };
        Ok(Some(record))
    }

    /// Makes the tombstone of an offset.
    pub(super) fn offset_tombstone(group: &str, topic: &str, partition: i32) -> Self {
        let key =
            OffsetCommitKey { group: group.into(), topic: topic.into(), partition, ..Default::default() };
        Self::Offset { key, value: None, producer: None }
    }
}

/// Writes a record's key and value of version 0, after the type and the version.
pub(super) fn written(
    kind: i16,
    key: &impl Message,
    value: &Option<impl Message>,
) -> Result<KeyValue, RecordError> {
    let value = value.as_ref().map(|value| prefixed(0, 0, value)).transpose()?;
    Ok(KeyValue { key: prefixed(kind, 0, key)?, value })
}

fn prefixed(prefix: i16, version: i16, message: &impl Message) -> Result<Bytes, RecordError> {
    let body = to_bytes(message, version)?;
    let mut out = BytesMut::with_capacity(2 + body.len());
    out.put_i16(prefix);
    out.extend_from_slice(&body);
    Ok(out.freeze())
}

fn encode_offset_value(value: &OffsetCommitValue) -> Result<Bytes, RecordError> {
    let version =
        if value.expire_timestamp >= 0 { OFFSET_VALUE_VERSION_WITH_EXPIRY } else { OFFSET_VALUE_VERSION };
    prefixed(version, version, value)
}

pub(super) fn decode<T: Message>(kind: i16, body: Bytes, version: i16) -> Result<T, RecordError> {
    from_bytes(body, version).map_err(|error| RecordError::Decode(kind, error))
}

pub(super) fn decode_value<T: Message>(kind: i16, value: Option<Bytes>) -> Result<Option<T>, RecordError> {
    let Some(mut value) = value else { return Ok(None) };
    let version = take_i16(&mut value, kind)?;
    decode(kind, value, version).map(Some)
}

fn decode_legacy_value(mut value: Bytes) -> Result<OffsetCommitValue, RecordError> {
    let version = take_i16(&mut value, LEGACY_OFFSET)?;
    let legacy: LegacyOffsetCommitValue = decode(LEGACY_OFFSET, value, version)?;
    Ok(OffsetCommitValue {
        offset: legacy.offset,
        metadata: legacy.metadata,
        commit_timestamp: legacy.commit_timestamp,
        ..Default::default()
    })
}

fn take_i16(bytes: &mut Bytes, kind: i16) -> Result<i16, RecordError> {
    if bytes.len() < 2 {
        return Err(RecordError::Truncated(kind));
    }
    Ok(bytes.get_i16())
}
