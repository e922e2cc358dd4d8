//! Appending: what is checked, which offsets are given, and what is remembered of it.
//!
//! Kafka: `UnifiedLog.append`, `analyzeAndValidateRecords`, `analyzeAndValidateProducerState`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use config::{BrokerCompression, LogConfig};
use model::{LeaderEpoch, Offset, Timestamp};
use records::{
    AppendRules, Codec, Compression, EndTxnMarker, RecordBatch, RecordsError, TargetCompression,
    TimestampType, ValidatedBatch,
};

use super::{State, UnifiedLog};
use crate::StorageError;
use crate::producer_state::{BatchMetadata, CompletedTxn, ProducerAppend};
use crate::segment::{Piece, Segment};
use crate::transaction_index::AbortedTxn;
use crate::waiters::Interest;

/// Who appends; it tells what is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AppendOrigin {
    /// A producer, by a Produce request.
    #[default]
    Client,
    /// A coordinator that runs on this broker.
    Coordinator,
    /// The leader of a quorum, which gave the offsets itself.
    RaftLeader,
    /// A leader elsewhere, which has checked everything.
    Replication,
}

/// How an append as leader is to be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AppendOptions {
    /// Who appends.
    pub origin: AppendOrigin,
    /// Whether the transaction coordinator was asked, and knows of the batch's transaction here.
    pub transaction_verified: bool,
    /// The version of the Produce request; `None` for the broker's own records.
    pub produce_version: Option<i16>,
}

/// What came of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogAppendInfo {
    /// The offset of the first record; of the batch already there for a duplicate.
    pub first_offset: Offset,
    /// The offset of the last record.
    pub last_offset: Offset,
    /// The greatest timestamp.
    pub max_timestamp: Timestamp,
    /// The broker's time under `LogAppendTime`, or of a duplicate; else [`Timestamp::NONE`].
    pub log_append_time: Timestamp,
    /// The log's first offset.
    pub log_start_offset: Offset,
    /// How many records were appended; 0 for a duplicate.
    pub records: i64,
    /// How many bytes were appended; 0 for a duplicate.
    pub bytes: u64,
    /// Whether nothing was appended, because it was there already.
    pub duplicate: bool,
    /// How long it took to check the records and write them anew; none if they stayed as they came.
    pub recompressed: Option<Duration>,
}

/// Batches that are well-formed, with their offsets to be given or as given.
enum Checked {
    Produced(Box<ValidatedBatch>, Option<Duration>),
    Given(Vec<RecordBatch>),
}

/// Batches with their offsets.
struct Placed {
    batches: Vec<RecordBatch>,
    log_append_time: Timestamp,
    recompressed: Option<Duration>,
}

impl UnifiedLog {
    /// Appends a leader's batches: validates them and gives them offsets and the leader's epoch.
    ///
    /// The bytes come from the wire and are not trusted. Returns once the write is done; wait with
    /// [`UnifiedLog::wait_synced`] until it would survive a power cut. Kafka: `UnifiedLog.appendAsLeader`.
    pub fn append_as_leader(
        self: &Arc<Self>,
        records: Bytes,
        leader_epoch: LeaderEpoch,
        options: AppendOptions,
    ) -> Result<LogAppendInfo, StorageError> {
        let checked = match options.origin {
            AppendOrigin::Client => self.check_produced(&records, records::AppendOrigin::Client, options)?,
            AppendOrigin::Coordinator => {
                self.check_produced(&records, records::AppendOrigin::Coordinator, options)?
            }
            AppendOrigin::RaftLeader => self.check_given(records, Some(leader_epoch))?,
            AppendOrigin::Replication => self.check_given(records, None)?,
        };
        self.append(checked, leader_epoch, options)
    }

    fn check_produced(
        &self,
        records: &Bytes,
        origin: records::AppendOrigin,
        options: AppendOptions,
    ) -> Result<Checked, StorageError> {
        let config = self.config();
        let rules = AppendRules {
            topic_partition: &self.partition,
            origin,
            compression: target_compression(&config)?,
            compacted: config.cleanup_policy.compact,
            timestamp_type: match config.message_timestamp_type {
                config::TimestampType::CreateTime => TimestampType::CreateTime,
                config::TimestampType::LogAppendTime => TimestampType::LogAppendTime,
            },
            timestamp_before_max_ms: config.message_timestamp_before_max_ms,
            timestamp_after_max_ms: config.message_timestamp_after_max_ms,
            max_message_bytes: config.max_message_bytes.max(0) as usize,
            max_decompressed_bytes: config.max_decompressed_message_bytes.max(0) as usize,
            now: self.environment.now(),
        };
        let began = self.environment.clock.monotonic();
        let batch = records::validate(records, options.produce_version, &rules)?;
        let took = || self.environment.clock.monotonic().saturating_sub(began);
        let recompressed = batch.recompressed().then(took);
        Ok(Checked::Produced(Box::new(batch), recompressed))
    }

    /// Appends batches as a leader elsewhere has them. Kafka: `UnifiedLog.appendAsFollower`.
    pub fn append_as_follower(self: &Arc<Self>, records: Bytes) -> Result<LogAppendInfo, StorageError> {
        let options = AppendOptions { origin: AppendOrigin::Replication, ..AppendOptions::default() };
        let checked = self.check_given(records, None)?;
        self.append(checked, LeaderEpoch::NONE, options)
    }

    /// Checks batches whose offsets were given elsewhere; `epoch` is the one that they must have.
    fn check_given(&self, records: Bytes, epoch: Option<LeaderEpoch>) -> Result<Checked, StorageError> {
        let mut batches: Vec<RecordBatch> = Vec::new();
        for batch in records::batches(records) {
            let batch = batch.map_err(|error| StorageError::CorruptRecord(error.to_string()))?;
            batch.ensure_valid().map_err(|error| StorageError::CorruptRecord(error.to_string()))?;
            if epoch.is_some_and(|epoch| batch.header().partition_leader_epoch != epoch) {
                let text = "Append from Raft leader did not set the batch epoch correctly";
                return Err(StorageError::InvalidRecord(text.to_owned()));
            }
            let last = batches.last().map(|last| last.header().last_offset());
            if last.is_some_and(|last| batch.header().base_offset <= last) {
                return Err(StorageError::OffsetsOutOfOrder(self.partition.clone()));
            }
            batches.push(batch);
        }
        Ok(Checked::Given(batches))
    }

    fn append(
        self: &Arc<Self>,
        checked: Checked,
        leader_epoch: LeaderEpoch,
        options: AppendOptions,
    ) -> Result<LogAppendInfo, StorageError> {
        let info = {
            let mut state = self.state();
            self.check_writable(&state)?;
            self.append_locked(&mut state, checked, leader_epoch, options)?
        };
        if info.bytes > 0 {
            self.mark_dirty();
            self.waiters.wake(Interest::LOG_END);
            self.environment.note_appended(info.bytes);
            self.write_back_if_much_is_unsynced(info.bytes);
            self.flush_if_many_are_unflushed()?;
        }
        Ok(info)
    }

    fn append_locked(
        self: &Arc<Self>,
        state: &mut State,
        checked: Checked,
        leader_epoch: LeaderEpoch,
        options: AppendOptions,
    ) -> Result<LogAppendInfo, StorageError> {
        let (start, end) = (self.log_start_offset(), self.log_end_offset());
        let placed = self.place(checked, end, leader_epoch)?;
        let Some(mut info) = summary(&placed, start) else { return Ok(nothing(start, end)) };
        let limit = self.config().segment_bytes;
        if info.bytes > limit.max(0) as u64 {
            return Err(StorageError::RecordBatchTooLarge {
                partition: self.partition.clone(),
                size: info.bytes as usize,
                maximum: limit,
            });
        }
        let producers = match self.check_producers(state, &placed.batches, options)? {
            Ok(producers) => producers,
            Err(duplicate) => {
                info.first_offset = duplicate.first_offset();
                info.last_offset = duplicate.last_offset;
                info.log_append_time = duplicate.timestamp;
                (info.records, info.bytes, info.duplicate) = (0, 0, true);
                return Ok(info);
            }
        };
        let segment =
            self.maybe_roll(state, info.bytes, info.first_offset, info.last_offset, info.max_timestamp)?;
        self.write(&segment, &placed.batches)?;
        if segment.asks_for_room() {
            self.environment.group_commit.ask_room(&segment);
        }
        self.take_over(state, &segment, &placed.batches, producers, info.last_offset)?;
        Ok(info)
    }

    fn place(&self, checked: Checked, end: Offset, epoch: LeaderEpoch) -> Result<Placed, StorageError> {
        match checked {
            Checked::Produced(batch, recompressed) => {
                let log_append_time = batch.append_time().unwrap_or(Timestamp::NONE);
                Ok(Placed { batches: vec![batch.assign(end, epoch)], log_append_time, recompressed })
            }
            Checked::Given(batches) => {
                self.check_first_offset(&batches, end)?;
                Ok(Placed { batches, log_append_time: Timestamp::NONE, recompressed: None })
            }
        }
    }

    fn check_first_offset(&self, batches: &[RecordBatch], end: Offset) -> Result<(), StorageError> {
        match batches.first().map(|batch| batch.header().base_offset) {
            Some(first) if first < end => Err(StorageError::UnexpectedAppendOffset {
                partition: self.partition.clone(),
                first,
                next: end,
            }),
            _ => Ok(()),
        }
    }

    fn write(&self, segment: &Segment, batches: &[RecordBatch]) -> Result<(), StorageError> {
        let pieces: Vec<Piece> = batches
            .iter()
            .map(|batch| {
                let (head, body) = batch.pieces();
                Piece { header: *batch.header(), head, body }
            })
            .collect();
        let written = segment.append(&pieces, self.config().index_interval_bytes);
        // Whatever failed, the batches may be in the file: behind them nothing may be appended at the offsets that they have.
        written.map_err(|error| {
            self.fail_dir(&format!("Error while appending records for {}", self.partition), error)
        })
    }

    /// Remembers what was written: the log's end, the epochs, the producers, the transactions.
    fn take_over(
        &self,
        state: &mut State,
        segment: &Segment,
        batches: &[RecordBatch],
        producers: Producers,
        last: Offset,
    ) -> Result<(), StorageError> {
        let end = last.plus(1);
        {
            let mut marks = self.marks();
            marks.end.offset = end;
            marks.end.segment_base = segment.base_offset();
            marks.end.position = segment.size();
        }
        for batch in batches {
            state.epochs.assign(batch.header().partition_leader_epoch, batch.header().base_offset);
        }
        for append in producers.appends {
            state.producers.update(append);
        }
        for completed in producers.completed {
            let last_stable_offset = state.producers.last_stable_offset_after(&completed);
            if completed.is_aborted {
                self.index_aborted(segment, &completed, last_stable_offset)?;
            }
            state.producers.complete(&completed);
        }
        state.producers.set_end(end);
        let mut marks = self.marks();
        marks.first_unstable = state.producers.first_unstable_offset().map(|first| first.max(marks.start));
        Ok(())
    }

    fn index_aborted(
        &self,
        segment: &Segment,
        aborted: &CompletedTxn,
        last_stable_offset: Offset,
    ) -> Result<(), StorageError> {
        let index = segment.transaction_index();
        let written = index.file.entries().and_then(|entries| {
            index.append(AbortedTxn {
                producer_id: aborted.producer_id,
                first_offset: aborted.first_offset,
                last_offset: aborted.last_offset,
                last_stable_offset,
            })?;
            Ok(entries == 0)
        });
        if self.guard("Error while appending to the transaction index", written)? {
            self.names_dirty.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Validates all batches against their producers' state; the inner error is the batch of which they are a retry.
    fn check_producers(
        &self,
        state: &State,
        batches: &[RecordBatch],
        options: AppendOptions,
    ) -> Result<Result<Producers, BatchMetadata>, StorageError> {
        let mut producers = Producers::default();
        for batch in batches {
            let header = batch.header();
            if !header.has_producer_id() {
                continue;
            }
            if options.origin == AppendOrigin::Client
                && let Some(duplicate) = state.producers.find_duplicate(header)
            {
                return Ok(Err(duplicate));
            }
            if matches!(options.origin, AppendOrigin::Client | AppendOrigin::Coordinator) {
                state.producers.check_transaction(header, options.transaction_verified)?;
            }
            let known =
                producers.appends.iter_mut().position(|other| other.producer_id() == header.producer_id);
            let n = known.unwrap_or_else(|| {
                producers.appends.push(state.producers.prepare(header.producer_id, options.origin));
                producers.appends.len() - 1
            });
            let marker = read_marker(batch)?;
            let completed = producers.appends[n].append(header, marker, &self.partition)?;
            producers.completed.extend(completed);
        }
        Ok(Ok(producers))
    }
}

/// What an append changes of the producers.
#[derive(Default)]
struct Producers {
    appends: Vec<ProducerAppend>,
    completed: Vec<CompletedTxn>,
}

/// A marker's one record is small, compressed or not.
const MARKER_BYTES: usize = 1 << 16;

/// Reads the marker in a control batch of a transaction; `None` if the batch is another.
pub(crate) fn read_marker(batch: &RecordBatch) -> Result<Option<EndTxnMarker>, StorageError> {
    if !batch.header().is_control() {
        return Ok(None);
    }
    let invalid = |error: RecordsError| StorageError::InvalidRecord(error.to_string());
    let decoded = batch.decode(MARKER_BYTES).map_err(invalid)?;
    match decoded.iter().next() {
        None => Ok(None),
        Some(record) => {
            let record = record.map_err(invalid)?;
            EndTxnMarker::parse(record.key, record.value).map_err(invalid)
        }
    }
}

fn target_compression(config: &LogConfig) -> Result<TargetCompression, RecordsError> {
    let (codec, level) = match config.compression {
        BrokerCompression::Producer => return Ok(TargetCompression::Producer),
        BrokerCompression::Uncompressed => (Codec::None, 0),
        BrokerCompression::Gzip(level) => (Codec::Gzip, level),
        BrokerCompression::Snappy => (Codec::Snappy, 0),
        BrokerCompression::Lz4(level) => (Codec::Lz4, level),
        BrokerCompression::Zstd(level) => (Codec::Zstd, level),
    };
    Compression::with_level(codec, level).map(TargetCompression::Fixed)
}

fn summary(placed: &Placed, log_start_offset: Offset) -> Option<LogAppendInfo> {
    let (first, last) = (placed.batches.first()?.header(), placed.batches.last()?.header());
    let headers = || placed.batches.iter().map(RecordBatch::header);
    Some(LogAppendInfo {
        first_offset: first.base_offset,
        last_offset: last.last_offset(),
        max_timestamp: headers().map(|header| header.max_timestamp).max().unwrap_or(Timestamp::NONE),
        log_append_time: placed.log_append_time,
        log_start_offset,
        records: headers().map(|header| i64::from(header.record_count)).sum(),
        bytes: placed.batches.iter().map(|batch| batch.size() as u64).sum(),
        duplicate: false,
        recompressed: placed.recompressed,
    })
}

/// What came of an append of no batches.
fn nothing(log_start_offset: Offset, end: Offset) -> LogAppendInfo {
    LogAppendInfo {
        first_offset: end,
        last_offset: end.plus(-1),
        max_timestamp: Timestamp::NONE,
        log_append_time: Timestamp::NONE,
        log_start_offset,
        records: 0,
        bytes: 0,
        duplicate: false,
        recompressed: None,
    }
}
