//! Batches and records of segments and snapshots. Kafka: `DumpLogSegments.dumpLog`.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use bytes::Bytes;
use model::Timestamp;
use records::{
    BATCH_HEADER_LEN, BatchHeader, ControlRecord, EndTxnMarker, EntryPrefix, Record, RecordBatch,
    RecordsError, TimestampType,
};

use super::problems::note;
use super::{Problems, Settings, base_offset};
use crate::Failure;
use crate::schema_json::Schema;

/// The most bytes that a batch's records may have once they are decompressed.
pub(in crate::commands) const MAX_DECOMPRESSED: usize = 1 << 30;

/// Reads batch after batch of a file, no more of it than `limit` bytes.
pub(in crate::commands) struct BatchFile {
    file: File,
    pub(super) size: u64,
    pub(super) position: u64,
    limit: u64,
}

impl BatchFile {
    pub(in crate::commands) fn open(path: &Path, position: u64, limit: u64) -> Result<Self, Failure> {
        let refuse = |error: std::io::Error| Failure::message(format!("{}: {error}", path.display()));
        let file = File::open(path).map_err(refuse)?;
        let size = file.metadata().map_err(refuse)?.len();
        Ok(Self { file, size, position, limit: size.min(position.saturating_add(limit)) })
    }

    /// The next batch and where it is; none at the end, and where the rest is no whole batch.
    pub(in crate::commands) fn next(&mut self) -> Result<Option<(u64, RecordBatch)>, Failure> {
        let start = self.position;
        let mut head = [0; BATCH_HEADER_LEN];
        if start + BATCH_HEADER_LEN as u64 > self.limit {
            return Ok(None);
        }
        self.file.seek(SeekFrom::Start(start))?;
        self.file.read_exact(&mut head)?;
        let prefix = match EntryPrefix::parse(&head) {
            Ok(Some(prefix)) if start + prefix.size as u64 <= self.limit => prefix,
            Ok(_) => return Ok(None),
            Err(error) => return Err(Failure::message(format!("{error} at position {start}"))),
        };
        let mut bytes = vec![0; prefix.size];
        self.file.seek(SeekFrom::Start(start))?;
        self.file.read_exact(&mut bytes)?;
        let batch =
            RecordBatch::parse(&Bytes::from(bytes)).map_err(|error| Failure::message(error.to_string()))?;
        self.position += prefix.size as u64;
        Ok(Some((start, batch)))
    }
}

/// Shows a segment or a snapshot.
pub(super) fn dump(
    path: &Path,
    settings: &Settings,
    problems: &mut Problems,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    show_title(path, out)?;
    let mut file = BatchFile::open(path, 0, settings.max_bytes)?;
    let mut last_offset = None;
    while let Some((position, batch)) = file.next()? {
        show_batch(&batch, position, out)?;
        if settings.is_deep {
            show_records(&batch, settings, path, &mut last_offset, problems, out)?;
        }
    }
    let trailing = file.size.min(settings.max_bytes).saturating_sub(file.position);
    if trailing > 0 && settings.max_bytes == i32::MAX as u64 {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        writeln!(out, "Found {trailing} invalid bytes at the end of {name}")?;
    }
    Ok(())
}

fn show_title(path: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.ends_with(".log") {
        writeln!(out, "Log starting offset: {}", base_offset(path)?)?;
    } else if name == "bootstrap.checkpoint" {
        writeln!(out, "KRaft bootstrap snapshot")?;
    } else if let Some((offset, epoch)) = name.strip_suffix(".checkpoint").and_then(|id| id.split_once('-')) {
        let number =
            |digits: &str| digits.parse::<i64>().map_err(|error| Failure::message(error.to_string()));
        writeln!(out, "Snapshot end offset: {}, epoch: {}", number(offset)?, number(epoch)?)?;
    }
    Ok(())
}

fn show_batch(batch: &RecordBatch, position: u64, out: &mut dyn Write) -> Result<(), Failure> {
    let header: &BatchHeader = batch.header();
    let horizon = match header.delete_horizon() {
        Some(Timestamp(ms)) => format!("OptionalLong[{ms}]"),
        None => "OptionalLong.empty".into(),
    };
    let codec = header.attributes.codec().map_or("unknown", |codec| codec.name());
    Ok(writeln!(
        out,
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
         partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {horizon} position: {position} \
         {}: {} size: {} magic: 2 compresscodec: {codec} crc: {} isvalid: {}",
        header.base_offset,
        header.last_offset(),
        header.record_count,
        header.base_sequence,
        header.last_sequence(),
        header.producer_id,
        header.producer_epoch,
        header.partition_leader_epoch,
        header.is_transactional(),
        header.is_control(),
        time_name(header.timestamp_type()),
        header.max_timestamp,
        header.size(),
        header.crc,
        batch.ensure_valid().is_ok(),
    )?)
}

fn time_name(kind: TimestampType) -> &'static str {
    match kind {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

fn show_records(
    batch: &RecordBatch,
    settings: &Settings,
    path: &Path,
    last_offset: &mut Option<i64>,
    problems: &mut Problems,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let refuse = |error: RecordsError| Failure::message(error.to_string());
    let decoded = batch.decode(MAX_DECOMPRESSED).map_err(refuse)?;
    for record in decoded.iter() {
        let record = record.map_err(refuse)?;
        if let Some(last) = last_offset.filter(|last| record.offset.0 != last + 1) {
            note(&mut problems.gaps, path, (last, record.offset.0));
        }
        *last_offset = Some(record.offset.0);
        show_record(batch.header(), &record, settings, out)?;
    }
    Ok(())
}

fn show_record(
    header: &BatchHeader,
    record: &Record<'_>,
    settings: &Settings,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut line = String::new();
    let mut prefix = "| ";
    if !settings.skips_metadata {
        let size = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| bytes.len() as i64);
        let keys: Vec<_> = record.headers.map(|header| header.key_text().into_owned()).collect();
        line += &format!(
            "| offset: {} {}: {} keySize: {} valueSize: {} sequence: {} headerKeys: [{}]",
            record.offset,
            time_name(header.timestamp_type()),
            record.timestamp,
            size(record.key),
            size(record.value),
            record.sequence,
            keys.join(",")
        );
        prefix = " ";
        if header.is_control() {
            line += &show_control(record)?;
        }
    }
    if settings.prints_data && !header.is_control() {
        let (key, payload) = settings.decoder.show(record)?;
        if let Some(key) = key {
            line += &format!("{prefix}key: {key}");
        }
        if let Some(payload) = payload {
            line += &format!(" payload: {payload}");
        }
    }
    Ok(writeln!(out, "{line}")?)
}

fn show_control(record: &Record<'_>) -> Result<String, Failure> {
    let parsed = ControlRecord::parse(record.key, record.value)
        .map_err(|error| Failure::message(error.to_string()))?;
    let (title, schema) = match parsed {
        ControlRecord::EndTxn(marker) => return Ok(show_marker(&marker)),
        ControlRecord::LeaderChange(_) => {
            (" LeaderChange: ", include_str!("../../../../protocol/schemas/LeaderChangeMessage.txt"))
        }
        ControlRecord::SnapshotHeader(_) => {
            (" SnapshotHeader ", include_str!("../../../../protocol/schemas/SnapshotHeaderRecord.txt"))
        }
        ControlRecord::SnapshotFooter(_) => {
            (" SnapshotFooter ", include_str!("../../../../protocol/schemas/SnapshotFooterRecord.txt"))
        }
        ControlRecord::KraftVersion(_) => {
            (" KRaftVersion ", include_str!("../../../../protocol/schemas/KRaftVersionRecord.txt"))
        }
        ControlRecord::KraftVoters(_) => {
            (" KRaftVoters ", include_str!("../../../../protocol/schemas/VotersRecord.txt"))
        }
        ControlRecord::Unknown(id) => return Ok(format!(" controlType: UNKNOWN({id})")),
    };
    let shown = Schema::parse(schema).to_json(record.value.unwrap_or_default(), 0);
    shown.map(|json| format!("{title}{json}")).map_err(|error| Failure::message(error.to_string()))
}

fn show_marker(marker: &EndTxnMarker) -> String {
    let kind = if marker.commit { "COMMIT" } else { "ABORT" };
    format!(" endTxnMarker: {kind} coordinatorEpoch: {}", marker.coordinator_epoch)
}
