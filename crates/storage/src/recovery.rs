//! Loading a partition's log, and after a kill finding out what of it is whole.
//!
//! Invariants:
//! - below the recovery point nothing is looked at but what finds its end; past it every checksum is
//! - the first batch that is not whole, or missing, ends the log, and what follows it is dropped
//! - indexes below the recovery point are kept as far as they agree with the log; the rest is built anew
//! - what recovery kept is synced before anyone can read it
//!
//! Kafka: `LogLoader`, `LogSegment.recover`, `UnifiedLog.rebuildProducerState`.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::LogConfig;
use model::{Offset, Timestamp, TopicPartition, Uuid};
use records::RecordBatch;

use crate::leader_epochs::LeaderEpochs;
use crate::log_dirs::LogDir;
use crate::names::{
    CLEANED_SUFFIX, DELETED_SUFFIX, FolderKind, Kind, SWAP_SUFFIX, file_name, parse_file_name,
};
use crate::producer_snapshot::ProducerSnapshots;
use crate::producer_state::ProducerState;
use crate::scan::{Entry, ScanError};
use crate::segment::Segment;
use crate::time_index::TimestampOffset;
use crate::transaction_index::AbortedTxn;
use crate::unified_log::{LEADER_EPOCH_FILE, Loaded, LogEnvironment, read_marker};
use crate::{OffsetPosition, StorageError, UnifiedLog, checkpoint, names, partition_metadata};

/// What is known of a log before it is loaded.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The partition.
    pub partition: TopicPartition,
    /// The log dir.
    pub dir: Arc<LogDir>,
    /// The partition's folder; it is made if it is not there.
    pub folder: PathBuf,
    /// The configuration.
    pub config: Arc<LogConfig>,
    /// The topic's id, if it is known; the folder's must agree.
    pub topic_id: Option<Uuid>,
    /// Whether the last stop of this log dir was clean.
    pub had_clean_shutdown: bool,
    /// The recovery point in the log dir's checkpoint, or 0.
    pub recovery_point: Offset,
    /// The log start offset in the log dir's checkpoint, or 0.
    pub log_start: Offset,
}

impl UnifiedLog {
    /// Loads a partition's log, recovering it if the last stop was not clean, or makes a new one.
    pub fn load(environment: &Arc<LogEnvironment>, options: LoadOptions) -> Result<Arc<Self>, StorageError> {
        options.dir.check()?;
        let load = Load { environment, options };
        let loaded = load.run().map_err(|failure| match failure {
            Failure::Storage(error) => error,
            Failure::Io(error) => load
                .options
                .dir
                .fail(&format!("Error while loading log of {}", load.options.partition), error),
        })?;
        let log = Self::from_loaded(environment.clone(), loaded);
        if let Some(topic_id) = load.options.topic_id {
            log.assign_topic_id(topic_id)?;
        }
        if !load.options.had_clean_shutdown && log.recovery_point() < log.log_end_offset() {
            log.flush()?;
        }
        Ok(log)
    }
}

struct Load<'l> {
    environment: &'l Arc<LogEnvironment>,
    options: LoadOptions,
}

enum Failure {
    Io(io::Error),
    Storage(StorageError),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl Load<'_> {
    fn run(&self) -> Result<Loaded, Failure> {
        let files = self.environment.files();
        let folder = &self.options.folder;
        files.create_dir_all(folder)?;
        let topic_id = partition_metadata::read(&**files, folder)?;
        self.finish_swaps()?;
        let (mut segments, snapshots) = self.list()?;
        let mut snapshots = ProducerSnapshots::new(snapshots);
        let mut epochs =
            LeaderEpochs::from_entries(checkpoint::read_epochs(&**files, &folder.join(LEADER_EPOCH_FILE))?);
        let mut recovered_from = None;
        if !self.options.had_clean_shutdown {
            let from = self.options.recovery_point;
            self.recover(&mut segments, from, &mut epochs)?;
            snapshots.remove(&**files, folder, |offset| offset > from)?;
            recovered_from = Some(from);
        }
        let log_end = self.end_of(&mut segments)?;
        let first = segments.first().map_or(self.options.log_start, |first| first.base_offset());
        let log_start = self.options.log_start.max(first).min(log_end);
        epochs.truncate_from_end(log_end);
        epochs.truncate_from_start(log_start);
        let bases: BTreeSet<_> = segments.iter().map(|segment| segment.base_offset()).collect();
        snapshots.remove_strays(&**files, folder, &bases)?;
        snapshots.remove(&**files, folder, |offset| offset > log_end)?;
        let producers = self.producers(&mut snapshots, &segments, log_start, log_end, recovered_from)?;
        let clean = self.options.had_clean_shutdown;
        Ok(Loaded {
            partition: self.options.partition.clone(),
            dir: self.options.dir.clone(),
            folder: folder.clone(),
            kind: names::parse_folder(folder).map_or(FolderKind::Current, |(_, kind)| kind),
            topic_id,
            config: self.options.config.clone(),
            segments,
            log_start,
            log_end,
            recovery_point: if clean {
                log_end
            } else {
                self.options.recovery_point.min(log_end).max(log_start)
            },
            producers,
            snapshots,
            epochs,
        })
    }

    /// Loads the producers. A log that was stopped cleanly without a snapshot has none: Kafka reads it from its start
    /// only if its end came as a surprise.
    fn producers(
        &self,
        snapshots: &mut ProducerSnapshots,
        segments: &[Arc<Segment>],
        log_start: Offset,
        log_end: Offset,
        recovered_from: Option<Offset>,
    ) -> io::Result<ProducerState> {
        if self.options.had_clean_shutdown && snapshots.latest().is_none() {
            return Ok(ProducerState::empty(log_end));
        }
        let folder = &self.options.folder;
        let environment = self.environment;
        rebuild_producers(environment, folder, snapshots, segments, log_start, log_end, recovered_from)
    }

    fn list(&self) -> io::Result<(Vec<Arc<Segment>>, Vec<Offset>)> {
        let files = self.environment.files();
        let (mut logs, mut indexes, mut snapshots) = (BTreeSet::new(), Vec::new(), Vec::new());
        for path in files.read_dir(&self.options.folder)? {
            match path.file_name().and_then(|name| name.to_str()).and_then(parse_file_name) {
                Some((base, Kind::Log)) => drop(logs.insert(base)),
                Some((offset, Kind::Snapshot)) => snapshots.push(offset),
                Some((base, _)) => indexes.push((base, path)),
                None => {}
            }
        }
        for (base, path) in indexes {
            if !logs.contains(&base) {
                tracing::warn!(path = %path.display(), "removing an index without a log file");
                files.remove_file(&path)?;
            }
        }
        let segments = logs.into_iter().map(|base| self.open_segment(base)).collect::<io::Result<_>>()?;
        Ok((segments, snapshots))
    }

    fn open_segment(&self, base: Offset) -> io::Result<Arc<Segment>> {
        let (files, folder) = (self.environment.files(), &self.options.folder);
        let size = files.metadata(&folder.join(file_name(base, Kind::Log)))?.len;
        let now_ms = self.environment.clock.wall_ms();
        let segment = Segment::open(&self.environment.open_files, folder, base, size, now_ms);
        let lacks = |kind| !files.exists(&folder.join(file_name(base, kind)));
        if (lacks(Kind::OffsetIndex) || lacks(Kind::TimeIndex)) && self.is_trusted(base) {
            tracing::warn!(partition = %self.options.partition, base = base.0, "rebuilding missing index files");
            recover_segment(&segment, base, self.options.config.index_interval_bytes, |_| {})?;
        }
        Ok(Arc::new(segment))
    }

    /// Tells whether recovery would pass a segment over.
    fn is_trusted(&self, base: Offset) -> bool {
        self.options.had_clean_shutdown || base < self.options.recovery_point
    }

    /// Recovers all segments that reach past the recovery point; the first that is not whole is the last.
    fn recover(
        &self,
        segments: &mut Vec<Arc<Segment>>,
        from: Offset,
        epochs: &mut LeaderEpochs,
    ) -> Result<(), Failure> {
        let first = segments.partition_point(|segment| segment.base_offset() <= from).saturating_sub(1);
        let interval = self.options.config.index_interval_bytes;
        for n in first..segments.len() {
            let segment = segments[n].clone();
            let cut = recover_segment(&segment, from, interval, |entry| {
                if let Some(epoch) = entry.leader_epoch()
                    && epochs.latest().is_none_or(|latest| epoch > latest)
                {
                    epochs.assign(epoch, entry.base_offset);
                }
            })?;
            let (end, _) = segment.end()?;
            if cut > 0 || self.is_gap(end, segments.get(n + 1)) {
                tracing::warn!(
                    partition = %self.options.partition, segment = segment.base_offset().0, bytes = cut, end = end.0,
                    "found a batch that is not whole, or missing; truncated"
                );
                self.drop_all(segments.drain(n + 1..))?;
                break;
            }
        }
        Ok(())
    }

    /// Tells whether what a segment lost shows only by the next one's name. Compaction leaves such gaps rightly.
    fn is_gap(&self, end: Offset, next: Option<&Arc<Segment>>) -> bool {
        !self.options.config.cleanup_policy.compact && next.is_some_and(|next| next.base_offset() > end)
    }

    fn drop_all(&self, doomed: impl Iterator<Item = Arc<Segment>>) -> io::Result<()> {
        for segment in doomed {
            let delay =
                std::time::Duration::from_millis(self.options.config.file_delete_delay_ms.max(0) as u64);
            let due = self.environment.clock.monotonic() + delay;
            self.environment.deletions.plan(due, segment.mark_deleted()?);
        }
        Ok(())
    }

    /// Finds the log's end, and makes the active segment if there is none.
    fn end_of(&self, segments: &mut Vec<Arc<Segment>>) -> io::Result<Offset> {
        if let Some(active) = segments.last() {
            let end = self.end_of_active(active)?;
            if end >= self.options.log_start {
                return Ok(end);
            }
            tracing::warn!(
                partition = %self.options.partition, end = end.0, start = self.options.log_start.0,
                "the log ends before its start; deleting all segments"
            );
            self.drop_all(segments.drain(..))?;
        }
        let (cache, folder) = (&self.environment.open_files, &self.options.folder);
        let now_ms = self.environment.clock.wall_ms();
        segments.push(Arc::new(Segment::create(cache, folder, self.options.log_start, now_ms, 0)?));
        Ok(self.options.log_start)
    }

    /// Finds the active segment's end. After a clean stop it should be whole; if it is not, it is recovered all the same.
    fn end_of_active(&self, active: &Segment) -> io::Result<Offset> {
        match active.end() {
            Ok((end, position)) if position == active.size() => return Ok(end),
            Err(error) if error.kind() != io::ErrorKind::InvalidData => return Err(error),
            _ => {}
        }
        tracing::warn!(partition = %self.options.partition, "the active segment is damaged; recovering it");
        recover_segment(active, active.base_offset(), self.options.config.index_interval_bytes, |_| {})?;
        active.end().map(|(end, _)| end)
    }

    /// Removes what deletions and a broken-off compaction left, and finishes one that was complete.
    fn finish_swaps(&self) -> io::Result<()> {
        let files = self.environment.files();
        let listed = files.read_dir(&self.options.folder)?;
        let with = |suffix: &str| -> Vec<(&PathBuf, Option<(Offset, Kind)>)> {
            let stem = |path: &PathBuf| path.file_name()?.to_str()?.strip_suffix(suffix).map(str::to_owned);
            listed.iter().filter_map(|path| Some((path, parse_file_name(&stem(path)?)))).collect()
        };
        for (path, _) in with(DELETED_SUFFIX) {
            // Snapshots of the metadata log are looked after by their owner.
            if !path.to_string_lossy().ends_with(".checkpoint.deleted") {
                files.remove_file(path)?;
            }
        }
        let cleaned = with(CLEANED_SUFFIX);
        let first_cleaned = cleaned.iter().filter_map(|(_, name)| name.map(|(base, _)| base)).min();
        for (path, _) in &cleaned {
            files.remove_file(path)?;
        }
        let mut swaps = with(SWAP_SUFFIX);
        for (path, name) in &swaps {
            if name.is_some_and(|(base, _)| first_cleaned.is_some_and(|first| base >= first)) {
                files.remove_file(path)?;
            }
        }
        swaps.retain(|(path, _)| files.exists(path));
        self.finish_swap(&listed, &swaps)
    }

    fn finish_swap(
        &self,
        listed: &[PathBuf],
        swaps: &[(&PathBuf, Option<(Offset, Kind)>)],
    ) -> io::Result<()> {
        let files = self.environment.files();
        let mut replaced: Option<(Offset, Offset)> = None;
        for (path, name) in swaps {
            let Some((base, Kind::Log)) = *name else { continue };
            let end = self.end_of_swap(path, base)?;
            replaced = Some(replaced.map_or((base, end), |(from, to)| (from.min(base), to.max(end))));
        }
        if let Some((from, to)) = replaced {
            for path in listed {
                let name = path.file_name().and_then(|name| name.to_str()).and_then(parse_file_name);
                if name.is_some_and(|(base, _)| base >= from && base < to) {
                    files.remove_file(path)?;
                }
            }
        }
        for (path, _) in swaps {
            let text = path.to_string_lossy();
            files.rename(path, Path::new(text.strip_suffix(SWAP_SUFFIX).unwrap_or(&text)))?;
        }
        Ok(())
    }

    fn end_of_swap(&self, path: &Path, base: Offset) -> io::Result<Offset> {
        let file = self.environment.files().open(path, world::files::Open::Read)?;
        let end = file.len()?;
        let mut scanner = crate::scan::Scanner::far(file, 0, end);
        let mut next = base;
        while let Ok(Some(entry)) = scanner.next() {
            next = entry.last_offset.plus(1);
        }
        Ok(next)
    }
}

/// Checks a segment's batches from `from` on and rebuilds its indexes there; cuts off what is not whole and returns how
/// many bytes that were. `kept` is shown each batch that was checked. Kafka: `LogSegment.recover`.
fn recover_segment(
    segment: &Segment,
    from: Offset,
    index_interval: i32,
    mut kept: impl FnMut(&Entry),
) -> io::Result<u64> {
    let size = segment.size();
    let (mut offsets, mut times) = trusted_indexes(segment, from)?;
    let trusted = (offsets.len(), times.len());
    let start = offsets.last().copied().unwrap_or(segment.offset_index.beginning());
    let none = TimestampOffset { timestamp: Timestamp::NONE, offset: segment.base_offset() };
    let mut greatest = times.last().copied().unwrap_or(none);
    let mut indexed_at = u64::from(start.position);
    let mut whole = indexed_at;
    let mut last = offsets.len().checked_sub(2).map_or(segment.base_offset().plus(-1), |n| offsets[n].offset);
    let mut scanner = segment.scan(whole)?;
    loop {
        let entry = match scanner.next().and_then(|entry| match entry {
            Some(entry) => scanner.read(&entry).map(|_| Some(entry)),
            None => Ok(None),
        }) {
            Ok(Some(entry)) => entry,
            Ok(None) | Err(ScanError::Corrupt(_)) => break,
            Err(ScanError::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(ScanError::Io(error)) => return Err(error),
        };
        let relative = entry.last_offset.0.wrapping_sub(segment.base_offset().0);
        if entry.last_offset <= last
            || entry.base_offset < segment.base_offset()
            || relative > i64::from(i32::MAX)
        {
            break;
        }
        last = entry.last_offset;
        if entry.max_timestamp > greatest.timestamp {
            greatest = TimestampOffset { timestamp: entry.max_timestamp, offset: entry.last_offset };
        }
        if whole - indexed_at > index_interval.max(0) as u64 {
            offsets.push(OffsetPosition { offset: entry.last_offset, position: whole as u32 });
            push_time(&mut times, greatest);
            indexed_at = whole;
        }
        kept(&entry);
        whole = entry.end();
    }
    push_time(&mut times, greatest);
    // An idle partition's indexes are not written again at each start.
    if offsets.len() != trusted.0 || !segment.offset_index.file.has_just(trusted.0)? {
        segment.offset_index.replace(&offsets)?;
    }
    if times.len() != trusted.1 || !segment.time_index.file.has_just(trusted.1)? {
        segment.time_index.replace(&times)?;
    }
    if size > whole {
        segment.log().set_len(whole)?;
        // Were it cut in memory only, a later start would take the rest for what the next segment follows.
        segment.sync_log()?;
    }
    segment.recovered(whole, greatest);
    if last >= from {
        segment.mark_dirty();
    }
    Ok(size - whole)
}

fn push_time(times: &mut Vec<TimestampOffset>, at: TimestampOffset) {
    let news = times.last().map_or(at.timestamp > Timestamp::NONE, |last| at.timestamp > last.timestamp);
    if news {
        times.push(at);
    }
}

/// Returns the index entries that recovery builds upon: those below `from`, if the log agrees with the last of them.
fn trusted_indexes(
    segment: &Segment,
    from: Offset,
) -> io::Result<(Vec<OffsetPosition>, Vec<TimestampOffset>)> {
    if from <= segment.base_offset() {
        return Ok((Vec::new(), Vec::new()));
    }
    let offsets = segment.offset_index.ascending(from, segment.size())?;
    let Some(last) = offsets.last() else { return Ok((Vec::new(), Vec::new())) };
    let before = offsets.len().checked_sub(2).map(|n| offsets[n].offset);
    let found = segment.scan(u64::from(last.position))?.next();
    let agrees = matches!(found, Ok(Some(entry))
        if entry.last_offset <= last.offset && before.is_none_or(|before| entry.base_offset > before));
    if !agrees {
        return Ok((Vec::new(), Vec::new()));
    }
    let times = segment.time_index.ascending(last.offset.plus(1))?;
    Ok((offsets, times))
}

/// Loads the producers from the latest snapshot and the log after it, up to `end`. From `recovered_from` on aborted
/// transactions are put into the transaction indexes anew. Kafka: `UnifiedLog.rebuildProducerState`.
pub(crate) fn rebuild_producers(
    environment: &LogEnvironment,
    folder: &Path,
    snapshots: &mut ProducerSnapshots,
    segments: &[Arc<Segment>],
    start: Offset,
    end: Offset,
    recovered_from: Option<Offset>,
) -> io::Result<ProducerState> {
    let expiration_ms = environment.producer_expiration_ms();
    let loaded = snapshots.load(&**environment.files(), folder, environment.now(), expiration_ms)?;
    let mut producers = loaded.unwrap_or_else(|| ProducerState::empty(start));
    if producers.end() < start {
        producers.set_end(start);
    }
    if let Some(from) = recovered_from {
        for segment in segments {
            segment.transaction_index.truncate(from)?;
        }
    }
    for (n, segment) in segments.iter().enumerate() {
        let passed = segments.get(n + 1).is_some_and(|next| next.base_offset() <= producers.end());
        if !passed && segment.base_offset() < end && producers.end() < end {
            match replay_segment(segment, &mut producers, end, recovered_from) {
                // Damage below the recovery point is not for loading to mend; what lies beyond it still counts.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    tracing::warn!(folder = %folder.display(), %error, "found damage while loading producers");
                }
                replayed => replayed?,
            }
        }
    }
    producers.set_end(end);
    Ok(producers)
}

fn replay_segment(
    segment: &Segment,
    producers: &mut ProducerState,
    end: Offset,
    recovered_from: Option<Offset>,
) -> io::Result<()> {
    let Some(first) = segment.find(producers.end())? else { return Ok(()) };
    let mut scanner = segment.scan(first.position)?;
    while let Some(entry) = scanner.next().map_err(io::Error::from)? {
        if entry.base_offset >= end {
            break;
        }
        let Some(header) = entry.header.filter(|_| entry.last_offset >= producers.end()) else { continue };
        let marker = if header.is_control() && header.has_producer_id() {
            let bytes = scanner.read(&entry).map_err(io::Error::from)?;
            let batch =
                RecordBatch::parse(&bytes).map_err(|error| io::Error::from(ScanError::from(error)))?;
            read_marker(&batch).ok().flatten()
        } else {
            None
        };
        let Some(completed) = producers.replay(&header, marker) else { continue };
        let last_stable_offset = producers.last_stable_offset_after(&completed);
        if completed.is_aborted && recovered_from.is_some_and(|from| completed.last_offset >= from) {
            segment.transaction_index.append(AbortedTxn {
                producer_id: completed.producer_id,
                first_offset: completed.first_offset,
                last_offset: completed.last_offset,
                last_stable_offset,
            })?;
        }
        producers.complete(&completed);
    }
    Ok(())
}
