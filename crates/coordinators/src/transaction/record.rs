//! A record of `__transaction_state`: a transactional id and what is known of it, or nothing any more.
//!
//! Kafka: `TransactionLog`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, Bytes};
use model::{ProducerEpoch, ProducerId, Timestamp, TopicPartition};
use protocol::transaction_log_value::PartitionsSchema;
use protocol::{DecodeError, EncodeError, Message, TransactionLogKey, TransactionLogValue, Writer};

use super::{Producer, TransactionMetadata, TransactionState, TransactionVersion};

/// A record of `__transaction_state`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionRecord {
    /// The transactional id.
    pub transactional_id: String,
    /// What is known of it; none removes it.
    pub metadata: Option<TransactionMetadata>,
    /// The level of the feature `transaction.version` at which it is written.
    pub level: TransactionVersion,
}

/// Why a record is none of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionRecordError {
    /// The key or value is malformed.
    #[error("a record of __transaction_state cannot be read: {0}")]
    Malformed(#[from] DecodeError),
    /// The key's type is not known, perhaps of a later release.
    #[error("a record of __transaction_state has the unknown key version {0}")]
    UnknownKey(i16),
    /// The value's version is not known.
    #[error("a record of __transaction_state has the unknown value version {0}")]
    UnknownValue(i16),
    /// The state's number is not known.
    #[error("a record of __transaction_state has the unknown transaction state {0}")]
    UnknownState(i8),
}

impl TransactionRecord {
    /// Writes the key.
    pub fn key_bytes(&self) -> Result<Bytes, EncodeError> {
        let key = TransactionLogKey { transactional_id: self.transactional_id.clone(), ..Default::default() };
        prefixed(&key, TransactionLogKey::RECORD_TYPE, 0)
    }

    /// Writes the value; none for a tombstone.
    pub fn value_bytes(&self) -> Result<Option<Bytes>, EncodeError> {
        let version = self.level.record_version();
        self.metadata
            .as_ref()
            .map(|metadata| prefixed(&to_value(metadata, version), version, version))
            .transpose()
    }

    /// Reads a record's key and value.
    pub fn from_bytes(mut key: Bytes, value: Option<Bytes>) -> Result<Self, TransactionRecordError> {
        let record_type = version(&mut key)?;
        if record_type != TransactionLogKey::RECORD_TYPE {
            return Err(TransactionRecordError::UnknownKey(record_type));
        }
        let key: TransactionLogKey = protocol::from_bytes(key, 0)?;
        let (metadata, level) = match value.map(from_value).transpose()? {
            Some((metadata, level)) => (Some(metadata), level),
            None => (None, TransactionVersion::default()),
        };
        Ok(Self { transactional_id: key.transactional_id, metadata, level })
    }
}

/// Writes a message behind the two bytes that tell its type or version.
fn prefixed<T: Message>(message: &T, prefix: i16, version: i16) -> Result<Bytes, EncodeError> {
    let mut out = Writer::new();
    out.put_i16(prefix);
    message.encode(&mut out, version)?;
    out.into_bytes()
}

fn version(bytes: &mut Bytes) -> Result<i16, DecodeError> {
    if bytes.len() < 2 {
        return Err(DecodeError::UnexpectedEnd(2 - bytes.len()));
    }
    Ok(bytes.get_i16())
}

fn to_value(metadata: &TransactionMetadata, version: i16) -> TransactionLogValue {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in &metadata.partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    let partitions = topics.into_iter().map(|(topic, partition_ids)| PartitionsSchema {
        topic: topic.to_owned(),
        partition_ids,
        ..Default::default()
    });
    let flexible = version >= 1;
    TransactionLogValue {
        producer_id: metadata.producer.id.0,
        previous_producer_id: if flexible { metadata.previous_producer_id.0 } else { -1 },
        next_producer_id: if flexible { metadata.next_producer_id.0 } else { -1 },
        producer_epoch: metadata.producer.epoch.0,
        transaction_timeout_ms: metadata.timeout_ms,
        transaction_status: metadata.state as i8,
        transaction_partitions: (metadata.state != TransactionState::Empty).then(|| partitions.collect()),
        transaction_last_update_timestamp_ms: metadata.last_update.0,
        transaction_start_timestamp_ms: metadata.start.0,
        client_transaction_version: if flexible { metadata.client_version.0 } else { 0 },
        ..Default::default()
    }
}

fn from_value(mut bytes: Bytes) -> Result<(TransactionMetadata, TransactionVersion), TransactionRecordError> {
    let version = version(&mut bytes)?;
    if !TransactionLogValue::VERSIONS.contains(&version) {
        return Err(TransactionRecordError::UnknownValue(version));
    }
    let value: TransactionLogValue = protocol::from_bytes(bytes, version)?;
    let state = TransactionState::from_id(value.transaction_status)
        .ok_or(TransactionRecordError::UnknownState(value.transaction_status))?;
    let mut partitions = BTreeSet::new();
    for topic in value.transaction_partitions.unwrap_or_default() {
        let name: std::sync::Arc<str> = topic.topic.into();
        partitions.extend(topic.partition_ids.into_iter().map(|id| TopicPartition::new(name.clone(), id)));
    }
    let metadata = TransactionMetadata {
        producer: Producer { id: ProducerId(value.producer_id), epoch: ProducerEpoch(value.producer_epoch) },
        previous_producer_id: ProducerId(value.previous_producer_id),
        next_producer_id: ProducerId(value.next_producer_id),
        last_epoch: ProducerEpoch::NONE,
        timeout_ms: value.transaction_timeout_ms,
        state,
        partitions,
        start: Timestamp(value.transaction_start_timestamp_ms),
        last_update: Timestamp(value.transaction_last_update_timestamp_ms),
        client_version: TransactionVersion(value.client_transaction_version),
    };
    Ok((metadata, TransactionVersion(version)))
}
