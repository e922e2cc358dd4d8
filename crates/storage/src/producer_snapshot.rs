//! `.snapshot`: the producers of a partition as of an offset, so that loading need not read the whole log.
//!
//! Invariants:
//! - the file's name is the offset up to which the log is accounted for
//! - a snapshot whose checksum fails counts as missing; an earlier one, or the log itself, replaces it
//!
//! Kafka: `ProducerStateManager.writeSnapshot`, `SnapshotFile`.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

use model::{Offset, ProducerEpoch, ProducerId, Timestamp};
use protocol::ProducerSnapshot;
use protocol::producer_snapshot::ProducerEntry;
use world::files::{Files, Open};

use crate::names::{Kind, file_name};
use crate::producer_state::{BatchMetadata, ProducerState, ProducerStateEntry};

const VERSION: i16 = 1;
const CRC_AT: usize = 2;
const ENTRIES_AT: usize = 6;

/// The snapshots in one partition's folder.
#[derive(Debug, Default)]
pub(crate) struct ProducerSnapshots {
    offsets: BTreeSet<Offset>,
}

impl ProducerSnapshots {
    pub(crate) fn new(offsets: impl IntoIterator<Item = Offset>) -> Self {
        Self { offsets: offsets.into_iter().collect() }
    }

    pub(crate) fn latest(&self) -> Option<Offset> {
        self.offsets.last().copied()
    }

    /// Writes a snapshot of `state` unless one at its end, or past it, is there, or the log of it begins only at `start`; tells
    /// whether it was written.
    pub(crate) fn take(
        &mut self,
        files: &dyn Files,
        folder: &Path,
        state: &ProducerState,
        start: Offset,
        sync: bool,
    ) -> io::Result<bool> {
        if self.latest().unwrap_or(start) >= state.end() {
            return Ok(false);
        }
        write(files, &path(folder, state.end()), state, sync)?;
        self.offsets.insert(state.end());
        Ok(true)
    }

    /// Loads the latest readable snapshot up to the one at `until`, removing those that are not.
    pub(crate) fn load(
        &mut self,
        files: &dyn Files,
        folder: &Path,
        until: Offset,
        now: Timestamp,
        expiration_ms: i64,
    ) -> io::Result<Option<ProducerState>> {
        while let Some(offset) = self.offsets.range(..=until).next_back().copied() {
            if let Some(entries) = read(files, &path(folder, offset))? {
                return Ok(Some(ProducerState::from_snapshot(offset, entries, now, expiration_ms)));
            }
            tracing::info!(
                offset = offset.0, folder = %folder.display(),
                "removing a corrupt producer snapshot; what it held is read from the log"
            );
            self.remove(files, folder, |other| other == offset)?;
        }
        Ok(None)
    }

    /// Removes the snapshots that `which` names.
    pub(crate) fn remove(
        &mut self,
        files: &dyn Files,
        folder: &Path,
        which: impl Fn(Offset) -> bool,
    ) -> io::Result<()> {
        let doomed: Vec<_> = self.offsets.iter().copied().filter(|offset| which(*offset)).collect();
        for offset in doomed {
            match files.remove_file(&path(folder, offset)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.offsets.remove(&offset),
            };
        }
        Ok(())
    }

    /// Removes snapshots that belong to no segment, but for the latest of them if no segment begins after it.
    /// Kafka: `ProducerStateManager.removeStraySnapshots`.
    pub(crate) fn remove_strays(
        &mut self,
        files: &dyn Files,
        folder: &Path,
        segments: &BTreeSet<Offset>,
    ) -> io::Result<()> {
        let latest = self.latest().filter(|latest| segments.last().is_none_or(|last| latest >= last));
        self.remove(files, folder, |offset| !segments.contains(&offset) && Some(offset) != latest)
    }
}

fn path(folder: &Path, offset: Offset) -> PathBuf {
    folder.join(file_name(offset, Kind::Snapshot))
}

fn write(files: &dyn Files, path: &Path, state: &ProducerState, sync: bool) -> io::Result<()> {
    let snapshot = ProducerSnapshot {
        producer_entries: state.producers().map(encode_entry).collect(),
        ..Default::default()
    };
    let body = protocol::to_bytes(&snapshot, VERSION).map_err(io::Error::other)?;
    let mut bytes = Vec::with_capacity(2 + body.len());
    bytes.extend_from_slice(&VERSION.to_be_bytes());
    bytes.extend_from_slice(&body);
    let crc = crc32c(&bytes[ENTRIES_AT..]);
    bytes[CRC_AT..ENTRIES_AT].copy_from_slice(&crc.to_be_bytes());
    let file = files.open(path, Open::Create)?;
    file.set_len(0)?;
    file.write_at(&[IoSlice::new(&bytes)], 0)?;
    if sync { file.sync() } else { Ok(()) }
}

/// Reads a snapshot; `None` if it is not one.
fn read(files: &dyn Files, path: &Path) -> io::Result<Option<Vec<ProducerStateEntry>>> {
    let bytes = match files.read(path) {
        Ok(bytes) => bytes::Bytes::from(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if bytes.len() < ENTRIES_AT || bytes[..CRC_AT] != VERSION.to_be_bytes() {
        return Ok(None);
    }
    let crc = crc32c(&bytes[ENTRIES_AT..]);
    let Ok(snapshot) = protocol::from_bytes::<ProducerSnapshot>(bytes.slice(CRC_AT..), VERSION) else {
        return Ok(None);
    };
    Ok((snapshot.crc == crc).then(|| snapshot.producer_entries.iter().map(decode_entry).collect()))
}

fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

fn encode_entry(entry: &ProducerStateEntry) -> ProducerEntry {
    ProducerEntry {
        producer_id: entry.producer_id.0,
        epoch: entry.producer_epoch.0,
        last_sequence: entry.last_sequence(),
        last_offset: entry.last_data_offset().0,
        offset_delta: entry.last_batch().map_or(0, |batch| batch.offset_delta),
        timestamp: entry.last_timestamp.0,
        coordinator_epoch: entry.coordinator_epoch,
        current_txn_first_offset: entry.current_txn_first_offset.map_or(-1, |offset| offset.0),
        ..Default::default()
    }
}

fn decode_entry(stored: &ProducerEntry) -> ProducerStateEntry {
    let mut entry = ProducerStateEntry::empty(ProducerId(stored.producer_id));
    entry.producer_epoch = ProducerEpoch(stored.epoch);
    entry.coordinator_epoch = stored.coordinator_epoch;
    entry.last_timestamp = Timestamp(stored.timestamp);
    entry.current_txn_first_offset =
        (stored.current_txn_first_offset >= 0).then_some(Offset(stored.current_txn_first_offset));
    if stored.last_offset >= 0 {
        entry.push(BatchMetadata {
            last_sequence: stored.last_sequence,
            last_offset: Offset(stored.last_offset),
            offset_delta: stored.offset_delta,
            timestamp: Timestamp(stored.timestamp),
        });
    }
    entry
}
