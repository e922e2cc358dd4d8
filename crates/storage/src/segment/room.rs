//! Room on the disk that is reserved for a segment ahead of its writes, and given back at its end.
//!
//! Kafka: `FileRecords.open` with `preallocate`, which reserves all of a segment at once, and only if the topic says so.

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Segment;

/// Room reserved at first for a segment that is written to, and at most at once. In between it is a quarter of what is there, so
/// that many partitions do not take much more of the disk than their records do.
const RESERVE: std::ops::Range<u64> = 1 << 20..32 << 20;

/// Stands for a disk that had no room to reserve, or a segment that needs none any more.
const NOTHING_TO_SPARE: u64 = u64::MAX;

/// How much room is reserved at once for a segment of `size` bytes.
fn step(size: u64) -> u64 {
    (size / 4).clamp(RESERVE.start, RESERVE.end)
}

/// Room on the disk ahead of the writes.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Up to where it is reserved.
    until: AtomicU64,
    /// Whether somebody was asked for more.
    asked: AtomicBool,
    /// Held while it is reserved or given back.
    changing: Mutex<()>,
}

impl Segment {
    /// Tells, once, that [`Segment::make_room`] should be called: the room ahead comes to its end.
    pub(crate) fn asks_for_room(&self) -> bool {
        self.wants_room(self.size()) && !self.room().asked.swap(true, Ordering::AcqRel)
    }

    fn wants_room(&self, size: u64) -> bool {
        size >= RESERVE.start && size + step(size) / 4 > self.room().until.load(Ordering::Relaxed)
    }

    /// Reserves room on the disk ahead of the writes, more the more is written.
    ///
    /// The file system may make the caller wait until what is being written of the file is on the disk, so no append should.
    pub(crate) fn make_room(&self) {
        let _one = self.room().changing.lock().expect("no holder panics");
        self.room().asked.store(false, Ordering::Release);
        let size = self.size();
        if !self.wants_room(size) {
            return;
        }
        let target = size + step(size);
        // Without room to spare the write itself decides whether the disk is full.
        let made = self.log().get().and_then(|file| file.preallocate(target)).is_ok();
        self.room().until.store(if made { target } else { NOTHING_TO_SPARE }, Ordering::Relaxed);
    }

    /// Gives back the room that is not needed any more.
    pub(super) fn give_room_back(&self) -> io::Result<()> {
        let _one = self.room().changing.lock().expect("no holder panics");
        match self.room().until.swap(NOTHING_TO_SPARE, Ordering::Relaxed) {
            0 | NOTHING_TO_SPARE => Ok(()),
            _ => self.log().set_len(self.size()),
        }
    }

    /// Ends the file at `position`; the room behind it goes too.
    pub(super) fn cut_file(&self, position: u64) -> io::Result<()> {
        let _one = self.room().changing.lock().expect("no holder panics");
        self.size.store(position, Ordering::Release);
        self.log().set_len(position)?;
        self.room().until.store(0, Ordering::Relaxed);
        Ok(())
    }
}
