//! Rebuilds a partition's producers, and past the recovery point its transaction indexes, from snapshot and log.
//!
//! Kafka: `UnifiedLog.rebuildProducerState`.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use model::Offset;
use records::RecordBatch;

use crate::producer_snapshot::ProducerSnapshots;
use crate::producer_state::ProducerState;
use crate::scan::ScanError;
use crate::segment::Segment;
use crate::transaction_index::AbortedTxn;
use crate::unified_log::{LogEnvironment, read_marker};

/// Where recovery began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recovered {
    /// The recovery point: from there on aborted transactions are put into the transaction indexes anew.
    pub(crate) from: Offset,
    /// Whether no producer was known there, so that nothing before it has to be read.
    pub(crate) producerless: bool,
}

/// Loads the producers from the latest snapshot and the log after it, up to the end of `range`, the log's offsets.
/// Kafka: `UnifiedLog.rebuildProducerState`.
pub(crate) fn rebuild_producers(
    environment: &LogEnvironment,
    folder: &Path,
    snapshots: &mut ProducerSnapshots,
    segments: &[Arc<Segment>],
    range: Range<Offset>,
    recovered: Option<Recovered>,
) -> io::Result<ProducerState> {
    let Range { start, end } = range;
    // After a kill a producer may still be about to retry what it was not answered, whatever timestamps its records have: it
    // must be known, as it would be had the log been read whole. The next look for expired producers forgets it.
    let expiration_ms = if recovered.is_some() { i64::MAX } else { environment.producer_expiration_ms() };
    let loaded = match recovered {
        Some(Recovered { from, producerless: true }) => Some(ProducerState::empty(from)),
        _ => {
            let until = Offset(i64::MAX);
            snapshots.load(&**environment.files(), folder, until, environment.now(), expiration_ms)?
        }
    };
    let mut producers = loaded.unwrap_or_else(|| ProducerState::empty(start));
    if producers.end() < start {
        producers.set_end(start);
    }
    let recovered_from = recovered.map(|recovered| recovered.from);
    if let Some(from) = recovered_from {
        for segment in segments {
            segment.transaction_index().truncate(from, segment.base_offset())?;
        }
    }
    for (n, segment) in segments.iter().enumerate() {
        let passed = segments.get(n + 1).is_some_and(|next| next.base_offset() <= producers.end());
        if !passed && segment.base_offset() < end && producers.end() < end {
            replay_readable(folder, segment, &mut producers, end, &mut |aborted| {
                let is_new = recovered_from.is_some_and(|from| aborted.last_offset >= from);
                if is_new { segment.transaction_index().append(aborted) } else { Ok(()) }
            })?;
        }
    }
    producers.set_end(end);
    Ok(producers)
}

/// Reads out of the log which transactions were aborted in the segments that begin at `bases`: their indexes are missing, or
/// damaged, until each is replaced as a whole. Kafka: `LogLoader.recoverSegment`.
pub(super) fn rebuild_transaction_indexes(
    environment: &LogEnvironment,
    folder: &Path,
    snapshots: &mut ProducerSnapshots,
    segments: &[Arc<Segment>],
    bases: &BTreeSet<Offset>,
) -> io::Result<()> {
    let (Some(first), Some(last), Some(oldest)) = (bases.first(), bases.last(), segments.first()) else {
        return Ok(());
    };
    let files = environment.files();
    let loaded = snapshots.load(&**files, folder, *first, environment.now(), i64::MAX)?;
    let mut producers = loaded.unwrap_or_else(|| ProducerState::empty(oldest.base_offset()));
    for (n, segment) in segments.iter().enumerate().take_while(|(_, segment)| segment.base_offset() <= *last)
    {
        let passed = segments.get(n + 1).is_some_and(|next| next.base_offset() <= producers.end());
        if passed {
            continue;
        }
        let mut found = Vec::new();
        replay_readable(folder, segment, &mut producers, Offset(i64::MAX), &mut |aborted| {
            found.push(aborted);
            Ok(())
        })?;
        if bases.contains(&segment.base_offset()) {
            segment.transaction_index().replace(&found)?;
        }
    }
    Ok(())
}

/// Replays a segment as far as it can be read. Damage below the recovery point is not for loading to mend; what lies beyond it
/// still counts.
fn replay_readable(
    folder: &Path,
    segment: &Segment,
    producers: &mut ProducerState,
    end: Offset,
    aborted: &mut dyn FnMut(AbortedTxn) -> io::Result<()>,
) -> io::Result<()> {
    match replay_segment(segment, producers, end, aborted) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            tracing::warn!(
                folder = %folder.display(), %error,
                "found damage in a log: reads of it fail there, and producers of that part are not known"
            );
            Ok(())
        }
        replayed => replayed,
    }
}

fn replay_segment(
    segment: &Segment,
    producers: &mut ProducerState,
    end: Offset,
    aborted: &mut dyn FnMut(AbortedTxn) -> io::Result<()>,
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
        if completed.is_aborted {
            aborted(AbortedTxn {
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
