//! Control records: what stands in their keys and values.

use bytes::Bytes;
use protocol::{
    KRaftVersionRecord, LeaderChangeMessage, Message, SnapshotFooterRecord, SnapshotHeaderRecord,
    VotersRecord, from_bytes, to_bytes,
};

use crate::RecordsError;

/// The version that all values are written in, and read in, whatever version they claim.
/// Kafka: `ControlRecordUtils`.
const VALUE_VERSION: i16 = 0;

/// A control record, whole.
#[derive(Clone, Debug, PartialEq)]
pub enum ControlRecord {
    /// A transaction ends.
    EndTxn(EndTxnMarker),
    /// A quorum has a new leader.
    LeaderChange(LeaderChangeMessage),
    /// A snapshot begins.
    SnapshotHeader(SnapshotHeaderRecord),
    /// A snapshot is whole.
    SnapshotFooter(SnapshotFooterRecord),
    /// The `kraft.version` of the quorum.
    KraftVersion(KRaftVersionRecord),
    /// The voters of the quorum.
    KraftVoters(VotersRecord),
    /// A record of a later release, to be ignored.
    Unknown(i16),
}

impl ControlRecord {
    /// Returns the type that stands in the key.
    pub fn control_type(&self) -> ControlType {
        match self {
            Self::EndTxn(marker) => marker.control_type(),
            Self::LeaderChange(_) => ControlType::LeaderChange,
            Self::SnapshotHeader(_) => ControlType::SnapshotHeader,
            Self::SnapshotFooter(_) => ControlType::SnapshotFooter,
            Self::KraftVersion(_) => ControlType::KraftVersion,
            Self::KraftVoters(_) => ControlType::KraftVoters,
            Self::Unknown(id) => ControlType::Unknown(*id),
        }
    }

    /// Returns the value. Fails for an unknown record, and where the message cannot be written.
    pub fn value(&self) -> Result<Bytes, RecordsError> {
        match self {
            Self::EndTxn(marker) => Ok(Bytes::copy_from_slice(&marker.value())),
            Self::LeaderChange(message) => encode(message),
            Self::SnapshotHeader(message) => encode(message),
            Self::SnapshotFooter(message) => encode(message),
            Self::KraftVersion(message) => encode(message),
            Self::KraftVoters(message) => encode(message),
            Self::Unknown(_) => Err(RecordsError::Unwritable("Cannot serialize UNKNOWN control record type")),
        }
    }

    /// Reads a control record's key and value. Fails with a malformed one of either.
    pub fn parse(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Self, RecordsError> {
        Ok(match ControlType::from_key(key)? {
            ControlType::Abort => Self::EndTxn(EndTxnMarker::from_value(false, value)?),
            ControlType::Commit => Self::EndTxn(EndTxnMarker::from_value(true, value)?),
            ControlType::LeaderChange => Self::LeaderChange(decode(value)?),
            ControlType::SnapshotHeader => Self::SnapshotHeader(decode(value)?),
            ControlType::SnapshotFooter => Self::SnapshotFooter(decode(value)?),
            ControlType::KraftVersion => Self::KraftVersion(decode(value)?),
            ControlType::KraftVoters => Self::KraftVoters(decode(value)?),
            ControlType::Unknown(id) => Self::Unknown(id),
        })
    }
}

fn encode<T: Message>(message: &T) -> Result<Bytes, RecordsError> {
    to_bytes(message, VALUE_VERSION).map_err(|error| RecordsError::ControlValue(error.to_string()))
}

fn decode<T: Message>(value: Option<&[u8]>) -> Result<T, RecordsError> {
    let value = Bytes::copy_from_slice(value.unwrap_or_default());
    from_bytes(value, VALUE_VERSION).map_err(|error| RecordsError::ControlValue(error.to_string()))
}

/// What a control record is about. Kafka: `ControlRecordType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlType {
    /// A transaction was aborted.
    Abort,
    /// A transaction was committed.
    Commit,
    /// A quorum has a new leader.
    LeaderChange,
    /// A snapshot begins.
    SnapshotHeader,
    /// A snapshot is whole.
    SnapshotFooter,
    /// The `kraft.version` of the quorum.
    KraftVersion,
    /// The voters of the quorum.
    KraftVoters,
    /// A type of a later release, to be ignored.
    Unknown(i16),
}

impl ControlType {
    /// Returns the number in the key.
    pub fn id(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::LeaderChange => 2,
            Self::SnapshotHeader => 3,
            Self::SnapshotFooter => 4,
            Self::KraftVersion => 5,
            Self::KraftVoters => 6,
            Self::Unknown(id) => id,
        }
    }

    /// Finds the type with number `id`.
    pub fn from_id(id: i16) -> Self {
        match id {
            0 => Self::Abort,
            1 => Self::Commit,
            2 => Self::LeaderChange,
            3 => Self::SnapshotHeader,
            4 => Self::SnapshotFooter,
            5 => Self::KraftVersion,
            6 => Self::KraftVoters,
            other => Self::Unknown(other),
        }
    }

    /// Reads a control record's key: a version, then the type. Later versions may have more.
    ///
    /// Fails with fewer than 4 bytes and with a negative version.
    pub fn from_key(key: Option<&[u8]>) -> Result<Self, RecordsError> {
        let key = key.unwrap_or_default();
        let [v0, v1, t0, t1, ..] = *key else { return Err(RecordsError::ControlKey(key.len())) };
        if i16::from_be_bytes([v0, v1]) < 0 {
            return Err(RecordsError::ControlKey(key.len()));
        }
        Ok(Self::from_id(i16::from_be_bytes([t0, t1])))
    }

    /// Returns the key of version 0.
    pub fn key(self) -> [u8; 4] {
        let [t0, t1] = self.id().to_be_bytes();
        [0, 0, t0, t1]
    }
}

/// The end of a transaction in a partition. Kafka: `EndTransactionMarker`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTxnMarker {
    /// Whether it was committed, else aborted.
    pub commit: bool,
    /// The epoch of the coordinator that wrote the marker.
    pub coordinator_epoch: i32,
}

impl EndTxnMarker {
    /// Returns the type that stands in the key.
    pub fn control_type(&self) -> ControlType {
        if self.commit { ControlType::Commit } else { ControlType::Abort }
    }

    /// Returns the value of version 0: the version and the epoch.
    pub fn value(&self) -> [u8; 6] {
        let [a, b, c, d] = self.coordinator_epoch.to_be_bytes();
        [0, 0, a, b, c, d]
    }

    /// Reads a marker from a control record's key and value; `None` if the record is no marker.
    ///
    /// Fails with a malformed key, with fewer than 6 bytes of value, and with a negative version.
    pub fn parse(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Option<Self>, RecordsError> {
        let commit = match ControlType::from_key(key)? {
            ControlType::Commit => true,
            ControlType::Abort => false,
            _ => return Ok(None),
        };
        Self::from_value(commit, value).map(Some)
    }

    fn from_value(commit: bool, value: Option<&[u8]>) -> Result<Self, RecordsError> {
        let value = value.unwrap_or_default();
        let [v0, v1, a, b, c, d, ..] = *value else {
            return Err(RecordsError::ControlValue(format!("{} bytes, not 6", value.len())));
        };
        if i16::from_be_bytes([v0, v1]) < 0 {
            return Err(RecordsError::ControlValue("negative version".to_owned()));
        }
        Ok(Self { commit, coordinator_epoch: i32::from_be_bytes([a, b, c, d]) })
    }
}
