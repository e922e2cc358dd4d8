//! Checks one segment after a kill: what of its log is whole, and which of its index entries may be kept.
//!
//! Kafka: `LogSegment.recover`.

use std::io;

use model::{Offset, Timestamp};

use crate::OffsetPosition;
use crate::scan::{Entry, ScanError};
use crate::segment::Segment;
use crate::time_index::TimestampOffset;

/// Checks a segment's batches from `from` on and rebuilds its indexes there; cuts off what is not whole and returns how
/// many bytes that were. `kept` is shown each batch that was checked. Kafka: `LogSegment.recover`.
pub(super) fn recover_segment(
    segment: &Segment,
    from: Offset,
    index_interval: i32,
    mut kept: impl FnMut(&Entry),
) -> io::Result<u64> {
    let size = segment.size();
    if size == 0 && segment.offset_index().file.has_just(0)? && segment.time_index().file.has_just(0)? {
        return Ok(0);
    }
    let (mut offsets, mut times) = trusted_indexes(segment, from)?;
    let trusted = (offsets.len(), times.len());
    let start = offsets.last().copied().unwrap_or(segment.offset_index().beginning());
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
    if offsets.len() != trusted.0 || !segment.offset_index().file.has_just(trusted.0)? {
        segment.offset_index().replace(&offsets)?;
    }
    if times.len() != trusted.1 || !segment.time_index().file.has_just(trusted.1)? {
        segment.time_index().replace(&times)?;
    }
    if size > whole {
        segment.log().set_len(whole)?;
        // Were it cut in memory only, a later start would take the rest for what the next segment follows.
        segment.sync_log()?;
    }
    segment.recovered(whole, greatest);
    // What the index files have, another process may have left unsynced, whether or not there is anything past `from`.
    segment.mark_indexes_dirty();
    if last >= from {
        segment.log().mark_dirty();
    }
    Ok(size - whole)
}

/// Builds the indexes of a segment anew if they are empty: it was closed, and the power was cut before they were synced.
pub(super) fn rebuild_lost_indexes(segment: &Segment, index_interval: i32) -> io::Result<()> {
    if segment.size() > index_interval.max(0) as u64 && segment.offset_index().file.entries()? == 0 {
        recover_segment(segment, segment.base_offset(), index_interval, |_| {})?;
    }
    Ok(())
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
    let offsets = segment.offset_index().ascending(from, segment.size())?;
    let Some(last) = offsets.last() else { return Ok((Vec::new(), Vec::new())) };
    let before = offsets.len().checked_sub(2).map(|n| offsets[n].offset);
    let found = segment.scan(u64::from(last.position))?.next();
    let agrees = matches!(found, Ok(Some(entry))
        if entry.last_offset <= last.offset && before.is_none_or(|before| entry.base_offset > before));
    if !agrees {
        return Ok((Vec::new(), Vec::new()));
    }
    let times = segment.time_index().ascending(last.offset.plus(1))?;
    Ok((offsets, times))
}
