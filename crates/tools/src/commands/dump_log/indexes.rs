//! Offset, time and transaction indexes, and producer snapshots. Kafka: `DumpLogSegments.dumpIndex` and its kin.

use std::fs;
use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use protocol::{Message, ProducerSnapshot, Reader};

use super::log::BatchFile;
use super::problems::note;
use super::{Problems, Settings, base_offset, sibling};
use crate::Failure;

const OFFSET_ENTRY: usize = 8;
const TIME_ENTRY: usize = 12;
const TRANSACTION_ENTRY: usize = 34;
/// Where the checksummed part of a producer snapshot begins: behind the version and the checksum.
const SNAPSHOT_BODY: usize = 6;

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::message(format!("{}: {error}", path.display())))
}

fn int32(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn int64(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Entries of an offset index: offset and position.
fn offset_entries(bytes: &[u8], base: i64) -> Vec<(i64, u64)> {
    let entry = |entry: &[u8]| (base + i64::from(int32(entry, 0)), int32(entry, 4).max(0) as u64);
    bytes.chunks_exact(OFFSET_ENTRY).map(entry).collect()
}

/// The length of an index without the zeros behind the last entry of one that was not closed.
fn is_padding(index: usize, offset: i64, base: i64) -> bool {
    index > 0 && offset == base
}

fn check_sanity(path: &Path, size: usize, entry: usize, last: Option<i64>, base: i64) -> Result<(), Failure> {
    let name = path.display();
    if let Some(last) = last.filter(|last| *last < base) {
        return Err(Failure::message(format!(
            "Corrupt index found, index file ({name}) has non-zero size but the last offset is {last} which is less \
             than the base offset {base}"
        )));
    }
    if !size.is_multiple_of(entry) {
        return Err(Failure::message(format!(
            "Index file {name} is corrupt, found {size} bytes which is neither positive nor a multiple of {entry}."
        )));
    }
    Ok(())
}

/// Shows or verifies an offset index.
pub(super) fn dump_offsets(
    path: &Path,
    settings: &Settings,
    problems: &mut Problems,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let base = base_offset(path)?;
    let log = sibling(path, "log");
    let bytes = read(path)?;
    BatchFile::open(&log, 0, 0)?;
    let entries = offset_entries(&bytes, base);
    if entries.is_empty() {
        return Ok(writeln!(out, "{} is empty.", path.display())?);
    }
    if settings.checks_sanity {
        check_sanity(path, bytes.len(), OFFSET_ENTRY, entries.last().map(|(offset, _)| *offset), base)?;
        return Ok(writeln!(out, "{} passed sanity check.", path.display())?);
    }
    for (index, (offset, position)) in entries.into_iter().enumerate() {
        if is_padding(index, offset, base) {
            break;
        }
        let batch = BatchFile::open(&log, position, settings.max_message_size)?.next()?;
        let found = batch.map_or(-1, |(_, batch)| batch.header().last_offset().0);
        if found != offset {
            note(&mut problems.index_mismatches, path, (offset, found));
        }
        if !settings.verifies_only {
            writeln!(out, "offset: {offset} position: {position}")?;
        }
    }
    Ok(())
}

/// Shows or verifies a time index.
pub(super) fn dump_times(
    path: &Path,
    settings: &Settings,
    problems: &mut Problems,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let base = base_offset(path)?;
    let bytes = read(path)?;
    let offsets = offset_entries(&read(&sibling(path, "index")).unwrap_or_default(), base);
    let entry = |entry: &[u8]| (int64(entry, 0), base + i64::from(int32(entry, 8)));
    let entries: Vec<_> = bytes.chunks_exact(TIME_ENTRY).map(entry).collect();
    if settings.checks_sanity {
        check_sanity(path, bytes.len(), TIME_ENTRY, entries.last().map(|(_, offset)| *offset), base)?;
        return Ok(writeln!(out, "{} passed sanity check.", path.display())?);
    }
    let mut previous = -1;
    for (index, (timestamp, offset)) in entries.into_iter().enumerate() {
        if is_padding(index, offset, base) {
            break;
        }
        let at_or_before = |(index, (indexed, _)): &(usize, &(i64, u64))| {
            *indexed <= offset && !is_padding(*index, *indexed, base)
        };
        let position =
            offsets.iter().enumerate().filter(at_or_before).map(|(_, (_, position))| *position).max();
        verify_time(path, position.unwrap_or(0), (timestamp, offset), previous, problems)?;
        if !settings.verifies_only {
            writeln!(out, "timestamp: {timestamp} offset: {offset}")?;
        }
        previous = timestamp;
    }
    Ok(())
}

fn verify_time(
    path: &Path,
    position: u64,
    (timestamp, offset): (i64, i64),
    previous: i64,
    problems: &mut Problems,
) -> Result<(), Failure> {
    let mut file = BatchFile::open(&sibling(path, "log"), position, u64::MAX)?;
    let batch = loop {
        match file.next()? {
            None => break None,
            Some((_, batch)) if batch.header().last_offset().0 >= offset => break Some(batch),
            Some(_) => {}
        }
    };
    let found = batch.as_ref().map_or(-1, |batch| batch.header().last_offset().0);
    let Some(batch) = batch.filter(|_| found == offset) else {
        note(&mut problems.not_found, path, (offset, found));
        return Ok(());
    };
    let max = batch.header().max_timestamp.0;
    if max != timestamp {
        note(&mut problems.time_mismatches, path, (timestamp, max));
    }
    if previous >= timestamp {
        note(&mut problems.out_of_order, path, (timestamp, previous));
    }
    Ok(())
}

/// Shows a transaction index.
pub(super) fn dump_transactions(path: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    for entry in read(path)?.chunks_exact(TRANSACTION_ENTRY) {
        let version = i16::from_be_bytes([entry[0], entry[1]]);
        writeln!(
            out,
            "version: {version} producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
            int64(entry, 2),
            int64(entry, 10),
            int64(entry, 18),
            int64(entry, 26)
        )?;
    }
    Ok(())
}

/// Shows a snapshot of a partition's producers.
pub(super) fn dump_producers(path: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let bytes = read(path)?;
    let Some(snapshot) = parse_producers(&bytes) else {
        complain!("Snapshot failed schema validation: {}", path.display());
        return Ok(());
    };
    let body = &bytes[SNAPSHOT_BODY..];
    let computed = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, body) as u32;
    if snapshot.crc != computed {
        complain!(
            "Snapshot is corrupt (CRC is no longer valid). Stored crc: {}. Computed crc: {computed}",
            snapshot.crc
        );
        return Ok(());
    }
    for entry in snapshot.producer_entries {
        let first = match entry.current_txn_first_offset {
            -1 => "OptionalLong.empty".into(),
            offset => format!("OptionalLong[{offset}]"),
        };
        write!(
            out,
            "producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {first} lastTimestamp: {}",
            entry.producer_id, entry.epoch, entry.coordinator_epoch, entry.timestamp
        )?;
        if entry.last_offset >= 0 {
            write!(
                out,
                " firstSequence: {} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
                first_sequence(entry.last_sequence, entry.offset_delta),
                entry.last_sequence,
                entry.last_offset,
                entry.offset_delta,
                entry.timestamp
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn parse_producers(bytes: &[u8]) -> Option<ProducerSnapshot> {
    let version = i16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]);
    let body = bytes.get(2..)?;
    ProducerSnapshot::decode(&mut Reader::new(Bytes::copy_from_slice(body)), version).ok()
}

/// The sequence `delta` before `last`; before 0 comes 2^31-1.
fn first_sequence(last: i32, delta: i32) -> i32 {
    if last >= delta { last - delta } else { i32::MAX - (delta - last) + 1 }
}
