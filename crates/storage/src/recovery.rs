//! Loading a partition's log, and after a kill finding out what of it is whole.
//!
//! Invariants:
//! - below the recovery point, and below the log's start, nothing is looked at but what finds its end; past them every checksum is
//! - the first batch that is not whole, or missing, ends the log, and what follows it is dropped
//! - indexes below the recovery point are kept as far as they agree with the log; the rest is built anew
//! - a segment without index files, or whose aborted transactions make no sense, has them read out of the log
//! - what recovery kept is synced before anyone can read it
//!
//! Kafka: `LogLoader`, `LogSegment.recover`, `UnifiedLog.rebuildProducerState`.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::LogConfig;
use model::{Offset, TopicPartition, Uuid};

use crate::leader_epochs::LeaderEpochs;
use crate::log_dirs::LogDir;
use crate::names::{CLEANED_SUFFIX, DELETED_SUFFIX, Kind, SWAP_SUFFIX, file_name, parse_file_name};
use crate::producer_snapshot::ProducerSnapshots;
use crate::producer_state::ProducerState;
use crate::segment::Segment;
use crate::unified_log::{LEADER_EPOCH_FILE, Loaded, LogEnvironment};
use crate::{PARTITION_METADATA_FILE, StorageError, UnifiedLog, checkpoint, partition_metadata};

mod producers;
mod segment;

use producers::rebuild_transaction_indexes;
pub(crate) use producers::{Recovered, rebuild_producers};
use segment::{rebuild_lost_indexes, recover_segment};

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
    /// Whether no producer was known at the recovery point.
    pub producerless: bool,
    /// The log start offset in the log dir's checkpoint, or 0.
    pub log_start: Offset,
}

impl UnifiedLog {
    /// Loads a partition's log, recovering it if the last stop was not clean, or makes a new one.
    pub fn load(environment: &Arc<LogEnvironment>, options: LoadOptions) -> Result<Arc<Self>, StorageError> {
        let log = Self::load_unflushed(environment, options)?;
        log.flush_recovered()?;
        Ok(log)
    }

    /// Syncs what recovery kept, so that nobody reads what a power cut would take back.
    pub(crate) fn flush_recovered(&self) -> Result<(), StorageError> {
        if self.recovery_point() < self.log_end_offset() { self.flush().map(drop) } else { Ok(()) }
    }

    /// As [`UnifiedLog::load`]; nobody may read before [`UnifiedLog::flush_recovered`].
    pub(crate) fn load_unflushed(
        environment: &Arc<LogEnvironment>,
        options: LoadOptions,
    ) -> Result<Arc<Self>, StorageError> {
        options.dir.check()?;
        let load = Load { environment, folder: options.folder.as_path().into(), options };
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
        Ok(log)
    }
}

struct Load<'l> {
    environment: &'l Arc<LogEnvironment>,
    options: LoadOptions,
    /// The partition's folder, as the log and its segments share it.
    folder: Arc<Path>,
}

/// What of a log is in its folder.
struct Opened {
    segments: Vec<Arc<Segment>>,
    snapshots: ProducerSnapshots,
    /// Segments without index files that recovery would pass over.
    unindexed: Vec<Arc<Segment>>,
    /// Those of which no index tells which transactions were aborted.
    untold: BTreeSet<Offset>,
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
        let folder = &self.folder;
        let listed = if files.is_dir(folder) {
            self.finish_swaps(files.read_dir(folder)?)?
        } else {
            files.create_dir_all(folder)?;
            Vec::new()
        };
        let is_there = |name: &str| listed.iter().any(|path| path.ends_with(name));
        let topic_id = match is_there(PARTITION_METADATA_FILE) {
            true => partition_metadata::read(&**files, folder)?,
            false => None,
        };
        let Opened { mut segments, mut snapshots, unindexed, untold } = self.open_segments(&listed)?;
        // First: once a segment has its other indexes, nothing shows that this one is missing.
        rebuild_transaction_indexes(self.environment, folder, &mut snapshots, &segments, &untold)?;
        for segment in &unindexed {
            let base = segment.base_offset();
            tracing::info!(partition = %self.options.partition, base = base.0, "rebuilding missing index files");
            recover_segment(segment, base, self.options.config.index_interval_bytes, |_| {})?;
        }
        let mut epochs = LeaderEpochs::default();
        if is_there(LEADER_EPOCH_FILE) {
            epochs = LeaderEpochs::from_entries(checkpoint::read_epochs(
                &**files,
                &folder.join(LEADER_EPOCH_FILE),
            )?);
        }
        let mut recovered = None;
        if !self.options.had_clean_shutdown {
            let from = self.options.recovery_point;
            // Below the log's start nothing is missed, so nobody sees to it that it is synced.
            self.recover(&mut segments, from.max(self.options.log_start), &mut epochs)?;
            snapshots.remove(&**files, folder, |offset| offset > from)?;
            recovered = Some(Recovered { from, producerless: self.options.producerless });
        }
        let log_end = self.end_of(&mut segments)?;
        let first = segments.first().map_or(self.options.log_start, |first| first.base_offset());
        let log_start = self.options.log_start.max(first).min(log_end);
        epochs.truncate_from_end(log_end);
        epochs.truncate_from_start(log_start);
        let bases: BTreeSet<_> = segments.iter().map(|segment| segment.base_offset()).collect();
        snapshots.remove_strays(&**files, folder, &bases)?;
        snapshots.remove(&**files, folder, |offset| offset > log_end)?;
        let producers = self.producers(&mut snapshots, &segments, log_start..log_end, recovered)?;
        let clean = self.options.had_clean_shutdown;
        Ok(Loaded {
            partition: self.options.partition.clone(),
            dir: self.options.dir.clone(),
            folder: folder.clone(),
            topic_id,
            config: self.options.config.clone(),
            segments,
            log_start,
            log_end,
            recovery_point: if clean { log_end } else { self.options.recovery_point.min(log_end) },
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
        range: Range<Offset>,
        recovered: Option<Recovered>,
    ) -> io::Result<ProducerState> {
        if self.options.had_clean_shutdown && snapshots.latest().is_none() {
            return Ok(ProducerState::empty(range.end));
        }
        let folder = &self.folder;
        rebuild_producers(self.environment, folder, snapshots, segments, range, recovered)
    }

    /// Opens the segments in a folder's listing.
    fn open_segments(&self, listed: &[PathBuf]) -> io::Result<Opened> {
        let names: Vec<(Offset, Kind)> =
            listed.iter().filter_map(|path| parse_file_name(path.file_name()?.to_str()?)).collect();
        let of = |wanted: Kind| -> BTreeSet<Offset> {
            names.iter().filter(|(_, kind)| *kind == wanted).map(|(offset, _)| *offset).collect()
        };
        let (logs, snapshots) = (of(Kind::Log), of(Kind::Snapshot));
        for (base, kind) in &names {
            if *kind != Kind::Snapshot && !logs.contains(base) {
                tracing::info!(partition = %self.options.partition, base = base.0, "removing an index without a log file");
                self.environment.files().remove_file(&self.folder.join(file_name(*base, *kind)))?;
            }
        }
        let (offset_indexes, time_indexes) = (of(Kind::OffsetIndex), of(Kind::TimeIndex));
        let transaction_indexes = of(Kind::TransactionIndex);
        let segments: Vec<_> = logs.iter().map(|base| self.open_segment(*base)).collect::<io::Result<_>>()?;
        let (mut unindexed, mut untold) = (Vec::new(), BTreeSet::new());
        for segment in segments.iter().filter(|segment| self.is_trusted(segment.base_offset())) {
            let base = segment.base_offset();
            let has_indexes = offset_indexes.contains(&base) && time_indexes.contains(&base);
            let is_told = match transaction_indexes.contains(&base) {
                true => segment.transaction_index().is_sound(base)?,
                // Without aborted transactions there is no such file, but then the others are there.
                false => has_indexes,
            };
            unindexed.extend((!has_indexes).then(|| segment.clone()));
            untold.extend((!is_told).then_some(base));
        }
        Ok(Opened { segments, snapshots: ProducerSnapshots::new(snapshots), unindexed, untold })
    }

    fn open_segment(&self, base: Offset) -> io::Result<Arc<Segment>> {
        let size = self.environment.files().metadata(&self.folder.join(file_name(base, Kind::Log)))?.len;
        let now_ms = self.environment.clock.wall_ms();
        Ok(Arc::new(Segment::open(&self.environment.open_files, &self.folder, base, size, now_ms)))
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
        if let Some(before) = first.checked_sub(1).filter(|_| segments[first].base_offset() == from) {
            rebuild_lost_indexes(&segments[before], interval)?;
        }
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
                    "found a batch that is not whole, or missing; what follows it in the log is cut off"
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

    /// Finds the log's end, and makes the active segment if there is none and never was one at 0.
    fn end_of(&self, segments: &mut Vec<Arc<Segment>>) -> io::Result<Offset> {
        if let Some(active) = segments.last() {
            let end = self.end_of_active(active)?;
            if end >= self.options.log_start {
                return Ok(end);
            }
            tracing::warn!(
                partition = %self.options.partition, end = end.0, start = self.options.log_start.0,
                "the log ends before its start, so files are missing; going on from its start without records"
            );
            self.drop_all(segments.drain(..))?;
        }
        let (cache, folder) = (&self.environment.open_files, &self.folder);
        let now_ms = self.environment.clock.wall_ms();
        let start = self.options.log_start;
        if start > Offset(0) {
            // It is the file's name that tells where the log goes on.
            segments.push(Arc::new(Segment::create(cache, folder, start, now_ms, 0)?));
        }
        Ok(start)
    }

    /// Finds the active segment's end. After a clean stop it should be whole; if it is not, it is recovered all the same.
    fn end_of_active(&self, active: &Segment) -> io::Result<Offset> {
        match active.end() {
            Ok((end, position)) if position == active.size() => return Ok(end),
            Err(error) if error.kind() != io::ErrorKind::InvalidData => return Err(error),
            _ => {}
        }
        tracing::warn!(partition = %self.options.partition, "the active segment is damaged although the stop was clean: its whole batches are kept; check the disk");
        recover_segment(active, active.base_offset(), self.options.config.index_interval_bytes, |_| {})?;
        active.end().map(|(end, _)| end)
    }

    /// Removes what deletions and a broken-off compaction left, and finishes one that was complete. Takes and returns the
    /// folder's listing.
    fn finish_swaps(&self, listed: Vec<PathBuf>) -> io::Result<Vec<PathBuf>> {
        let files = self.environment.files();
        let suffixes = [DELETED_SUFFIX, CLEANED_SUFFIX, SWAP_SUFFIX];
        let is_left = |path: &PathBuf| suffixes.iter().any(|suffix| path.to_string_lossy().ends_with(suffix));
        if !listed.iter().any(is_left) {
            return Ok(listed);
        }
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
        self.finish_swap(&listed, &swaps)?;
        files.read_dir(&self.folder)
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
            // Were the new names to survive a power cut and this not, two segments would hold the same offsets.
            files.sync_dir(&self.folder)?;
        }
        for (path, _) in swaps {
            let text = path.to_string_lossy();
            files.rename(path, Path::new(text.strip_suffix(SWAP_SUFFIX).unwrap_or(&text)))?;
        }
        if swaps.is_empty() { Ok(()) } else { files.sync_dir(&self.folder) }
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
