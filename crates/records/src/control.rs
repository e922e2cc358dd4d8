//! Control records: what stands in their keys, and the markers that end transactions.

use crate::RecordsError;

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
        let value = value.unwrap_or_default();
        let [v0, v1, a, b, c, d, ..] = *value else {
            return Err(RecordsError::ControlValue(format!("{} bytes, not 6", value.len())));
        };
        if i16::from_be_bytes([v0, v1]) < 0 {
            return Err(RecordsError::ControlValue("negative version".to_owned()));
        }
        Ok(Some(Self { commit, coordinator_epoch: i32::from_be_bytes([a, b, c, d]) }))
    }
}
