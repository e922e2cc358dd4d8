//! One pass of compaction over a log: reads the last offset of each key out of the part not yet compacted, then writes all
//! segments up to there anew, many small ones into one.
//!
//! Invariants:
//! - batches are read and written one after the other; one batch at a time is in memory, besides the write buffer
//! - groups are replaced in the order of their offsets, so that a pass broken off leaves nothing out of order
//! - a batch that is damaged, or of a format before 2, ends the pass, and its log stays as it is
//!
//! Kafka: `Cleaner`.
//!
//! Not yet: logs with message formats 0 and 1, which Apache Kafka rewrites as format 2.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use model::{Offset, Timestamp};
use records::{RecordBatch, RecordsError};

use super::cleanable::Cleanable;
use super::filter::{Filter, Left, Rules};
use super::offset_map::OffsetMap;
use super::transactions::CleanedTransactions;
use crate::segment::{Piece, Segment};
use crate::unified_log::Shape;
use crate::{StorageError, UnifiedLog};

/// What a pass may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means {
    /// Bytes for the keys.
    pub(crate) map_bytes: u64,
    /// How full the map may get, 0 to 1.
    pub(crate) load_factor: f64,
    /// Bytes read at once, and written at once.
    pub(crate) buffer: usize,
    /// The time of the pass.
    pub(crate) now: Timestamp,
    /// What the map's hashes are made with.
    pub(crate) seed: u64,
}

/// Why a pass ended early.
#[derive(Debug)]
pub(crate) enum Interruption {
    /// The node stops, or the log went away or changed.
    Stopped,
    /// The disk failed, which was told of.
    Disk,
    /// The log cannot be compacted, and why.
    Uncleanable(String),
}

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CleanerStats {
    /// Bytes read for the last offsets of keys.
    pub map_bytes_read: u64,
    /// Keys found.
    pub keys: u64,
    /// Bytes read to be written anew.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Segments before.
    pub segments_read: u64,
    /// Segments after.
    pub segments_written: u64,
    /// How long it took.
    pub took: Duration,
}

/// A pass over a log.
pub(crate) struct Pass<'p> {
    cleanable: &'p Cleanable,
    means: Means,
    /// Counts bytes and rests if they were too many; false says that the pass has to stop.
    go_on: &'p dyn Fn(u64) -> bool,
    shape: Shape,
    segments: Vec<Arc<Segment>>,
    stats: CleanerStats,
}

impl<'p> Pass<'p> {
    pub(crate) fn new(cleanable: &'p Cleanable, means: Means, go_on: &'p dyn Fn(u64) -> bool) -> Self {
        let shape = cleanable.log.present_shape();
        let segments = cleanable.log.segments().to_vec();
        Self { cleanable, means, go_on, shape, segments, stats: CleanerStats::default() }
    }

    fn log(&self) -> &Arc<UnifiedLog> {
        &self.cleanable.log
    }

    /// Compacts; returns the offset from which the next pass goes on.
    pub(crate) fn run(mut self) -> Result<(Offset, CleanerStats), Interruption> {
        let map = self.build_map()?;
        let Some(latest) = map.latest() else { return Ok((self.cleanable.first_dirty, self.stats)) };
        let end = latest.plus(1);
        let config = self.log().config();
        let rules = Rules {
            now: self.means.now,
            delete_retention_ms: config.delete_retention_ms,
            end: self.cleanable.first_uncleanable,
            max_decompressed: config.max_decompressed_message_bytes.max(0) as usize,
        };
        let mut filter = Filter::new(rules, map);
        let count = self.segments.partition_point(|segment| segment.base_offset() < end);
        let limits = (config.segment_bytes.max(0) as u64, config.segment_index_bytes.max(0) as u64);
        for group in self.groups(count, limits)? {
            self.clean_group(group, &mut filter)?;
        }
        self.log().advance_cleaned_to(end, &self.shape);
        Ok((end, self.stats))
    }

    /// Returns where the segment after the `n`th begins, or where compaction must stop.
    fn end_of(&self, n: usize) -> Offset {
        self.segments.get(n + 1).map_or(self.cleanable.first_uncleanable, |next| next.base_offset())
    }

    /// Reads the last offsets of keys, from the first offset not yet compacted until the map is full.
    /// Kafka: `Cleaner.buildOffsetMap`.
    fn build_map(&mut self) -> Result<OffsetMap, Interruption> {
        let (start, end) = (self.cleanable.first_dirty, self.cleanable.first_uncleanable);
        let expected = (end.0 - start.0).max(1) as u64;
        let Means { map_bytes, load_factor, seed, .. } = self.means;
        let mut map = OffsetMap::new(map_bytes, load_factor, expected, seed);
        let mut transactions = CleanedTransactions::default();
        transactions.add_aborted(self.aborted(start, end)?);
        let first = self.segments.partition_point(|segment| segment.base_offset() <= start).saturating_sub(1);
        for n in first..self.segments.len() {
            let segment = self.segments[n].clone();
            if segment.base_offset() >= end
                || !self.map_segment(&segment, start, &mut map, &mut transactions)?
            {
                break;
            }
            map.reach(self.end_of(n).plus(-1));
        }
        self.stats.keys = map.len() as u64;
        Ok(map)
    }

    /// Puts a segment's keys into the map; false if it got full.
    fn map_segment(
        &mut self,
        segment: &Segment,
        start: Offset,
        map: &mut OffsetMap,
        transactions: &mut CleanedTransactions,
    ) -> Result<bool, Interruption> {
        let Some(first) = self.disk(segment.find(start))? else { return Ok(true) };
        let max_bytes = self.log().config().max_decompressed_message_bytes.max(0) as usize;
        let mut read = 0;
        let mut visit = |batch: RecordBatch| -> Result<bool, RecordsError> {
            let header = batch.header();
            read += batch.size() as u64;
            if header.is_control() {
                transactions.on_control_batch(&batch)?;
                transactions.take_ended();
            } else if !transactions.on_batch(header) && !map_batch(&batch, start, max_bytes, map)? {
                return Ok(false);
            }
            if header.last_offset() >= start {
                map.reach(header.last_offset());
            }
            Ok(true)
        };
        let whole = self.each_batch(segment, first.position, |batch| {
            visit(batch).map_err(|error| Interruption::Uncleanable(error.to_string()))
        });
        self.stats.map_bytes_read += read;
        whole
    }

    /// Shows `visit` each batch from `position` on, until it says no; returns whether it never did.
    fn each_batch(
        &self,
        segment: &Segment,
        position: u64,
        mut visit: impl FnMut(RecordBatch) -> Result<bool, Interruption>,
    ) -> Result<bool, Interruption> {
        let mut scanner = self.disk(segment.scan_by(position, self.means.buffer))?;
        while let Some(entry) = self.disk(scanner.next().map_err(io::Error::from))? {
            if !(self.go_on)(entry.size) || self.log().is_gone() {
                return Err(Interruption::Stopped);
            }
            if entry.header.is_none() {
                let at = entry.base_offset;
                return Err(Interruption::Uncleanable(format!(
                    "a message of a format before 2 at offset {at}"
                )));
            }
            let bytes = self.disk(scanner.read(&entry).map_err(io::Error::from))?;
            let batch =
                RecordBatch::parse(&bytes).map_err(|error| Interruption::Uncleanable(error.to_string()))?;
            if !visit(batch)? {
                return Ok(false);
            }
        }
        if scanner.position() < segment.size() {
            return Err(Interruption::Uncleanable(format!(
                "segment {} holds no whole batch at position {}",
                segment.base_offset(),
                scanner.position()
            )));
        }
        Ok(true)
    }

    /// Puts the first `count` segments into groups, each of which fits into one segment.
    /// Kafka: `Cleaner.groupSegmentsBySize`.
    fn groups(
        &self,
        count: usize,
        (max_bytes, max_index_bytes): (u64, u64),
    ) -> Result<Vec<std::ops::Range<usize>>, Interruption> {
        let mut groups: Vec<std::ops::Range<usize>> = Vec::new();
        let mut sum = [0; 3];
        for n in 0..count {
            let segment = &self.segments[n];
            let sizes = [
                segment.size(),
                self.disk(segment.offset_index().file.entries())? * 8,
                self.disk(segment.time_index().file.entries())? * 12,
            ];
            let together = [sum[0] + sizes[0], sum[1] + sizes[1], sum[2] + sizes[2]];
            let joins = groups.last().is_some_and(|group| {
                let span = self.end_of(n).0 - 1 - self.segments[group.start].base_offset().0;
                together[0] <= max_bytes
                    && together[1] <= max_index_bytes
                    && together[2] <= max_index_bytes
                    && (sizes[0] == 0 || span <= i64::from(i32::MAX))
            });
            match groups.last_mut() {
                Some(group) if joins => (group.end, sum) = (n + 1, together),
                _ => {
                    groups.push(n..n + 1);
                    sum = sizes;
                }
            }
        }
        Ok(groups)
    }

    /// Writes a group of segments into one, and puts it in their place. Kafka: `Cleaner.cleanSegments`.
    fn clean_group(
        &mut self,
        group: std::ops::Range<usize>,
        filter: &mut Filter,
    ) -> Result<(), Interruption> {
        let old = self.segments[group.clone()].to_vec();
        let created = self.log().create_cleaned_segment(old[0].base_offset());
        let new = Arc::new(created.map_err(|error| sort(self.log(), error))?);
        let changed = self.fill(group, filter, &new);
        self.stats.segments_read += old.len() as u64;
        self.stats.segments_written += 1;
        let replaced = match changed {
            // Once it has begun, only a start may break an exchange off.
            Ok(true) => self
                .log()
                .replace_segments(&old, &new, &self.shape)
                .map_err(|error| sort(self.log(), error))?,
            Ok(false) => false,
            Err(interruption) => {
                // What is left is removed by the next start at the latest.
                let _ = new.discard();
                return Err(interruption);
            }
        };
        if replaced {
            return Ok(());
        }
        self.disk(new.discard())?;
        if self.is_same(&old) { Ok(()) } else { Err(Interruption::Stopped) }
    }

    /// Tells whether segments that were not replaced are still in the log.
    fn is_same(&self, old: &[Arc<Segment>]) -> bool {
        let segments = self.log().segments();
        old.iter().all(|old| segments.iter().any(|segment| Arc::ptr_eq(segment, old)))
            && self.log().present_shape() == self.shape
    }

    /// Writes what is left of a group into `new` and syncs it; false if that is all that one segment had.
    fn fill(
        &mut self,
        group: std::ops::Range<usize>,
        filter: &mut Filter,
        new: &Segment,
    ) -> Result<bool, Interruption> {
        filter.set_producers(self.log().active_producers());
        let mut changed = group.len() > 1;
        let interval = self.log().config().index_interval_bytes;
        let mut output =
            Output { segment: new, interval, pending: Vec::new(), bytes: 0, limit: self.means.buffer };
        for n in group {
            let segment = self.segments[n].clone();
            filter.transactions.add_aborted(self.aborted(segment.base_offset(), self.end_of(n))?);
            let aborted_before = self.disk(segment.transaction_index().file.entries())?;
            let mut aborted_after = 0;
            self.each_batch(&segment, 0, |batch| {
                let left =
                    filter.filter(batch).map_err(|error| Interruption::Uncleanable(error.to_string()))?;
                changed |= !matches!(left, Left::All(_));
                if let Some(batch) = left.batch() {
                    if !(self.go_on)(batch.size() as u64) {
                        return Err(Interruption::Stopped);
                    }
                    self.disk(output.push(batch))?;
                }
                for aborted in filter.transactions.take_ended() {
                    aborted_after += 1;
                    self.disk(new.transaction_index().append(aborted))?;
                }
                Ok(true)
            })?;
            changed |= aborted_before != aborted_after;
            self.stats.bytes_read += segment.size();
        }
        let finished = output.flush().and_then(|()| new.finish());
        self.disk(finished.and_then(|()| new.sync_log()).and_then(|()| new.sync_indexes()))?;
        self.stats.bytes_written += new.size();
        Ok(changed)
    }

    fn aborted(&self, from: Offset, until: Offset) -> Result<Vec<crate::AbortedTxn>, Interruption> {
        self.log().aborted_transactions(from, until).map_err(|error| sort(self.log(), error))
    }

    fn disk<T>(&self, result: io::Result<T>) -> Result<T, Interruption> {
        result.map_err(|error| match error.kind() {
            // Retention was faster.
            io::ErrorKind::NotFound => Interruption::Stopped,
            _ => sort(self.log(), self.log().disk_failed("Failed to clean up log", error)),
        })
    }
}

fn sort(log: &UnifiedLog, error: StorageError) -> Interruption {
    match error {
        StorageError::Io { .. } | StorageError::OfflineDir(_) => Interruption::Disk,
        StorageError::Closed(_) => Interruption::Stopped,
        _ if log.is_gone() => Interruption::Stopped,
        error => Interruption::Uncleanable(error.to_string()),
    }
}

/// Puts a batch's keys into the map; false if it got full.
fn map_batch(
    batch: &RecordBatch,
    start: Offset,
    max_bytes: usize,
    map: &mut OffsetMap,
) -> Result<bool, RecordsError> {
    for record in batch.decode(max_bytes)?.iter() {
        let record = record?;
        if let Some(key) = record.key.filter(|_| record.offset >= start) {
            if map.is_full() {
                return Ok(false);
            }
            map.put(key, record.offset);
        }
    }
    Ok(true)
}

/// Batches on their way into a compacted segment.
struct Output<'s> {
    segment: &'s Segment,
    interval: i32,
    pending: Vec<Piece>,
    bytes: usize,
    limit: usize,
}

impl Output<'_> {
    fn push(&mut self, batch: &RecordBatch) -> io::Result<()> {
        if self.segment.size() + (self.bytes + batch.size()) as u64 > i32::MAX as u64 {
            let full = "what is left does not fit into one segment";
            return Err(io::Error::new(io::ErrorKind::InvalidData, full));
        }
        let (head, body) = batch.pieces();
        self.bytes += batch.size();
        self.pending.push(Piece { header: *batch.header(), head, body });
        if self.bytes >= self.limit { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.bytes = 0;
        let pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() {
            self.segment.append(&pending, self.interval)?;
        }
        if self.segment.asks_for_room() {
            self.segment.make_room();
        }
        Ok(())
    }
}
