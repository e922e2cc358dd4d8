//! A record of `__share_group_state`: a snapshot of a partition's state, its tombstone, or an update.
//!
//! Kafka: `ShareCoordinatorRecordHelpers`, `ShareCoordinatorRecordSerde`.

use bytes::{Buf, Bytes};
use protocol::{
    DecodeError, EncodeError, Message, ShareSnapshotKey, ShareSnapshotValue, ShareUpdateKey,
    ShareUpdateValue, Writer,
};

use super::key::SharePartitionKey;

/// A record of `__share_group_state`.
#[derive(Clone, Debug, PartialEq)]
pub enum ShareRecord {
    /// All of a partition's state, or the end of it.
    Snapshot {
        /// The partition.
        key: SharePartitionKey,
        /// The state; none for a tombstone.
        value: Option<ShareSnapshotValue>,
    },
    /// What changed of a partition's state.
    Update {
        /// The partition.
        key: SharePartitionKey,
        /// What changed.
        value: ShareUpdateValue,
    },
}

/// Why a record is none of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareRecordError {
    /// The key or value is malformed.
    #[error("a record of __share_group_state cannot be read: {0}")]
    Malformed(#[from] DecodeError),
    /// The key's type is not known, perhaps of a later release.
    #[error("a record of __share_group_state has the unknown type {0}")]
    UnknownKey(i16),
    /// The value's version is not known.
    #[error("a record of __share_group_state has the unknown value version {0}")]
    UnknownValue(i16),
    /// An update has no value, and only snapshots are taken back.
    #[error("an update in __share_group_state has no value")]
    EmptyUpdate,
}

impl ShareRecord {
    /// Writes the key.
    pub fn key_bytes(&self) -> Result<Bytes, EncodeError> {
        match self {
            Self::Snapshot { key, .. } => {
                let (group_id, topic_id, partition) = fields(key);
                let key = ShareSnapshotKey { group_id, topic_id, partition, ..Default::default() };
                prefixed(&key, ShareSnapshotKey::RECORD_TYPE)
            }
            Self::Update { key, .. } => {
                let (group_id, topic_id, partition) = fields(key);
                let key = ShareUpdateKey { group_id, topic_id, partition, ..Default::default() };
                prefixed(&key, ShareUpdateKey::RECORD_TYPE)
            }
        }
    }

    /// Writes the value; none for a tombstone.
    pub fn value_bytes(&self) -> Result<Option<Bytes>, EncodeError> {
        match self {
            Self::Snapshot { value, .. } => value.as_ref().map(|value| prefixed(value, 0)).transpose(),
            Self::Update { value, .. } => prefixed(value, 0).map(Some),
        }
    }

    /// Reads a record's key and value.
    pub fn from_bytes(mut key: Bytes, value: Option<Bytes>) -> Result<Self, ShareRecordError> {
        match take_i16(&mut key)? {
            ShareSnapshotKey::RECORD_TYPE => {
                let key: ShareSnapshotKey = protocol::from_bytes(key, 0)?;
                let value = value.map(from_value).transpose()?;
                Ok(Self::Snapshot {
                    key: SharePartitionKey::new(key.group_id, key.topic_id, key.partition),
                    value,
                })
            }
            ShareUpdateKey::RECORD_TYPE => {
                let key: ShareUpdateKey = protocol::from_bytes(key, 0)?;
                let value = from_value(value.ok_or(ShareRecordError::EmptyUpdate)?)?;
                Ok(Self::Update {
                    key: SharePartitionKey::new(key.group_id, key.topic_id, key.partition),
                    value,
                })
            }
            other => Err(ShareRecordError::UnknownKey(other)),
        }
    }
}

fn fields(key: &SharePartitionKey) -> (String, model::Uuid, i32) {
    (key.group.to_string(), key.topic_id, key.partition)
}

/// Writes a message in version 0 behind the two bytes that tell its type or version.
fn prefixed<T: Message>(message: &T, prefix: i16) -> Result<Bytes, EncodeError> {
    let mut out = Writer::new();
    out.put_i16(prefix);
    message.encode(&mut out, 0)?;
    out.into_bytes()
}

fn take_i16(bytes: &mut Bytes) -> Result<i16, DecodeError> {
    if bytes.len() < 2 {
        return Err(DecodeError::UnexpectedEnd(2 - bytes.len()));
    }
    Ok(bytes.get_i16())
}

fn from_value<T: Message>(mut bytes: Bytes) -> Result<T, ShareRecordError> {
    let version = take_i16(&mut bytes)?;
    if !T::VERSIONS.contains(&version) {
        return Err(ShareRecordError::UnknownValue(version));
    }
    Ok(protocol::from_bytes(bytes, version)?)
}
