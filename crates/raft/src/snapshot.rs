//! Snapshots: a file that stands for a prefix of the metadata log, and `bootstrap.checkpoint`, which has its form.
//!
//! A header control batch, batches of metadata records, a footer control batch; offsets count from 0, epochs are the
//! snapshot's.
//!
//! Kafka: `SnapshotPath`, `RecordsSnapshotWriter`, `RecordsSnapshotReader`.

use bytes::Bytes;
use model::{LeaderEpoch, Offset, Timestamp};
use protocol::{KRaftVersionRecord, MetadataRecord, SnapshotFooterRecord, SnapshotHeaderRecord};
use records::batches;

use crate::batches::decode_batch;
use crate::{BatchError, ControlRecord, LogEntry, VoterSet, encode_control_batch, encode_metadata_batches};

/// Names a snapshot: the first offset that is not in it, and the epoch of the last one that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    /// The first offset that is not in the snapshot.
    pub end_offset: Offset,
    /// The epoch of the last offset in the snapshot.
    pub epoch: LeaderEpoch,
}

impl SnapshotId {
    /// The snapshot that `kafka-storage format` makes to hold the first voters.
    pub const BOOTSTRAP: Self = Self { end_offset: Offset(0), epoch: LeaderEpoch(0) };

    /// The name of the snapshot's file.
    pub fn file_name(&self) -> String {
        format!("{:020}-{:010}.checkpoint", self.end_offset.0, self.epoch.0)
    }

    /// Reads a snapshot's id from the name of its file; `None` for other files.
    pub fn from_file_name(name: &str) -> Option<Self> {
        let (offset, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
        let digits =
            |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(offset, 20) || !digits(epoch, 10) {
            return None;
        }
        Some(Self { end_offset: Offset(offset.parse().ok()?), epoch: LeaderEpoch(epoch.parse().ok()?) })
    }
}

/// What stands at the head of a snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SnapshotHeader {
    /// The append time of the last record that the snapshot stands for.
    pub last_contained_log_timestamp: i64,
    /// The level of `kraft.version`; written, with the voters, from 1 on.
    pub kraft_version: i16,
    /// The voters.
    pub voters: Option<VoterSet>,
}

/// What a snapshot holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Its head.
    pub header: SnapshotHeader,
    /// Its metadata records.
    pub records: Vec<MetadataRecord>,
}

/// A snapshot that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A batch is malformed.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// It does not begin with a header.
    #[error("the snapshot has no header")]
    NoHeader,
    /// It was not written to its end.
    #[error("the snapshot has no footer")]
    NoFooter,
}

/// Writes a snapshot of `records`, each with the version to write it at.
///
/// # Errors
/// If a record cannot be written.
pub fn write_snapshot<'a>(
    id: SnapshotId,
    header: &SnapshotHeader,
    records: impl IntoIterator<Item = (&'a MetadataRecord, i16)>,
    now: Timestamp,
) -> Result<Vec<u8>, BatchError> {
    let head = header_records(header);
    let mut file = encode_control_batch(&head, Offset(0), id.epoch, now)?.to_vec();
    let (batches, end) = encode_metadata_batches(records, Offset(head.len() as i64), id.epoch, now)?;
    for batch in batches {
        file.extend_from_slice(&batch);
    }
    let footer = ControlRecord::SnapshotFooter(SnapshotFooterRecord::default());
    file.extend_from_slice(&encode_control_batch(&[footer], end, id.epoch, now)?);
    Ok(file)
}

fn header_records(header: &SnapshotHeader) -> Vec<ControlRecord> {
    let mut records = vec![ControlRecord::SnapshotHeader(SnapshotHeaderRecord {
        last_contained_log_timestamp: header.last_contained_log_timestamp,
        ..Default::default()
    })];
    if header.kraft_version > 0 {
        records.push(ControlRecord::KraftVersion(KRaftVersionRecord {
            kraft_version: header.kraft_version,
            ..Default::default()
        }));
        records.extend(header.voters.as_ref().map(|voters| ControlRecord::KraftVoters(voters.to_record())));
    }
    records
}

/// Reads a whole snapshot.
///
/// # Errors
/// If it is malformed, or lacks its header or its footer.
pub fn read_snapshot(file: Bytes) -> Result<Snapshot, SnapshotError> {
    let mut header: Option<SnapshotHeader> = None;
    let (mut begins_without, mut has_footer) = (false, false);
    let mut records = Vec::new();
    let mut rest = batches(file);
    for batch in rest.by_ref() {
        decode_batch(&batch.map_err(BatchError::from)?, |_, entry| match (entry, &mut header) {
            (LogEntry::Control(ControlRecord::SnapshotHeader(record)), None) => {
                let last_contained_log_timestamp = record.last_contained_log_timestamp;
                header = Some(SnapshotHeader { last_contained_log_timestamp, ..Default::default() });
            }
            (_, None) => begins_without = true,
            (LogEntry::Metadata(record), _) => records.push(record),
            (LogEntry::Control(ControlRecord::KraftVersion(record)), Some(header)) => {
                header.kraft_version = record.kraft_version;
            }
            (LogEntry::Control(ControlRecord::KraftVoters(record)), Some(header)) => {
                header.voters = Some(VoterSet::from_record(&record));
            }
            (LogEntry::Control(ControlRecord::SnapshotFooter(_)), _) => has_footer = true,
            (LogEntry::Control(_), _) => {}
        })?;
        if begins_without {
            return Err(SnapshotError::NoHeader);
        }
    }
    if !rest.rest().is_empty() {
        return Err(BatchError::Trailing(rest.rest().len()).into());
    }
    let header = header.ok_or(SnapshotError::NoHeader)?;
    if has_footer { Ok(Snapshot { header, records }) } else { Err(SnapshotError::NoFooter) }
}

#[cfg(test)]
mod tests;
