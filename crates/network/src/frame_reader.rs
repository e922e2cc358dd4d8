//! Frames out of bytes: a 4-byte length, then so many bytes.
//!
//! Invariants:
//! - the buffer's capacity is at most twice what has come (or what this peer's last frame needed), never what was announced
//! - what lies in the buffer beyond the free allowance is charged to the budget before it is allocated; so with a large frame
//!   nothing of the next is read, which would hold on to the memory of both when the charge is gone
//! - bytes of the next frames that came along stay in the buffer: small pipelined requests cost one read together, for which
//!   there is as much room as is free once more came than was asked for
//! - a frame that has begun outlives the future that reads it: whoever stops waiting for it may go on later

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::time::timeout;

use crate::stream::Stream;
use crate::{Charge, ConnectionError, MemoryBudget};

/// What a connection may hold without a charge; most requests are smaller.
const ALLOWANCE: usize = 16 * 1024;
/// What is read for a frame of which nothing is known yet.
const FIRST_READ: usize = 4 * 1024;
/// The most that a peer gets ahead of its bytes because its last frame was as large.
const AHEAD_MAX: usize = 2 * 1024 * 1024;

/// Cuts frames out of a stream.
#[derive(Debug)]
pub(crate) struct FrameReader {
    buffer: BytesMut,
    budget: Arc<MemoryBudget>,
    last_size: usize,
    /// The last read filled its room, so that more may be there.
    flooded: bool,
    begun: Option<Begun>,
}

/// A frame of which some bytes have come.
#[derive(Debug)]
struct Begun {
    /// As announced; none while the length itself is not whole.
    size: Option<usize>,
    charge: Charge,
}

/// Limits of one read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadLimits {
    /// The largest frame, in bytes.
    pub(crate) size_max: usize,
    /// How long to wait for a frame to begin.
    pub(crate) idle: Duration,
    /// How long to wait for the next byte of a frame that has begun.
    pub(crate) stall: Duration,
}

impl FrameReader {
    pub(crate) fn new(budget: Arc<MemoryBudget>) -> Self {
        Self { buffer: BytesMut::new(), budget, last_size: 0, flooded: false, begun: None }
    }

    /// Reads the next frame; none if the peer closed between two frames.
    pub(crate) async fn next(
        &mut self,
        stream: &mut Stream,
        limits: ReadLimits,
    ) -> Result<Option<(Bytes, Charge)>, ConnectionError> {
        if self.begun.is_none() && self.buffer.is_empty() && !self.begin(stream, limits.idle).await? {
            return Ok(None);
        }
        let size = self.read_size(stream, limits).await?;
        while self.buffer.len() < size {
            let room = self.room_for(size);
            self.fill(stream, room, size, limits.stall).await?;
        }
        self.last_size = size;
        let frame = self.buffer.split_to(size).freeze();
        if self.buffer.is_empty() {
            // Let go of the allocation with the frame: an idle connection holds no buffer.
            self.buffer = BytesMut::new();
        }
        let mut charge = self.begun.take().expect("the frame has begun").charge;
        charge.finish();
        Ok(Some((frame, charge)))
    }

    /// Tells whether the next frame has come as a whole.
    pub(crate) fn holds_frame(&self) -> bool {
        match self.begun.as_ref().and_then(|begun| begun.size) {
            Some(size) => self.buffer.len() >= size,
            None => self.buffer.split_first_chunk().is_some_and(|(length, rest)| {
                usize::try_from(i32::from_be_bytes(*length)).is_ok_and(|size| rest.len() >= size)
            }),
        }
    }

    /// Reads the announced length, unless that was done.
    async fn read_size(&mut self, stream: &mut Stream, limits: ReadLimits) -> Result<usize, ConnectionError> {
        if let Some(size) = self.begun().size {
            return Ok(size);
        }
        while self.buffer.len() < 4 {
            self.fill(stream, 4, 4, limits.stall).await?;
        }
        let size = checked_size(&self.buffer, limits.size_max)?;
        self.buffer.advance(4);
        let begun = self.begun();
        begun.charge.announce(size);
        begun.size = Some(size);
        Ok(size)
    }

    fn begun(&mut self) -> &mut Begun {
        let budget = &self.budget;
        self.begun.get_or_insert_with(|| Begun { size: None, charge: budget.open() })
    }

    /// Waits for the first bytes of a frame; false if the peer closed instead.
    async fn begin(&mut self, stream: &mut Stream, idle: Duration) -> Result<bool, ConnectionError> {
        let room = if self.flooded { ALLOWANCE } else { (self.last_size + 4).clamp(FIRST_READ, ALLOWANCE) };
        let first = async {
            stream.wait_readable().await?;
            self.buffer.reserve(room);
            stream.read(&mut self.buffer, usize::MAX).await
        };
        match timeout(idle, first).await {
            Ok(Ok(read)) => {
                self.flooded = self.buffer.len() == self.buffer.capacity();
                Ok(read > 0)
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(ConnectionError::Idle(idle)),
        }
    }

    /// Returns how large the buffer may be for a frame of `size` bytes, by what has come of it.
    fn room_for(&self, size: usize) -> usize {
        let ahead = self.last_size.clamp(FIRST_READ, AHEAD_MAX);
        size.min((self.buffer.len() * 2).max(ahead))
    }

    /// Reads once into a buffer of `room` bytes.
    async fn fill(
        &mut self,
        stream: &mut Stream,
        room: usize,
        size: usize,
        stall: Duration,
    ) -> Result<(), ConnectionError> {
        let charge = &mut self.begun.as_mut().expect("the frame has begun").charge;
        if room > ALLOWANCE && room > charge.bytes() {
            let held = charge.bytes();
            tokio::select! {
                biased;
                () = wait_evicted(charge.evicted_handle()) => return Err(ConnectionError::Evicted(held)),
                () = charge.grow(room) => {}
            }
        }
        let room = if self.flooded { room.max(ALLOWANCE) } else { room };
        let more = room.saturating_sub(self.buffer.len()).max(1);
        self.buffer.reserve(more);
        let limit = if room > ALLOWANCE { more } else { usize::MAX };
        let (received, held) = (self.buffer.len(), charge.bytes());
        let read = async {
            tokio::select! {
                biased;
                read = stream.read(&mut self.buffer, limit) => read.map_err(ConnectionError::from),
                () = charge.evicted() => Err(ConnectionError::Evicted(held)),
            }
        };
        match timeout(stall, read).await {
            Ok(Ok(0)) => Err(ConnectionError::CutShort { received, size }),
            Ok(Ok(_)) => {
                self.flooded = self.buffer.len() == self.buffer.capacity();
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ConnectionError::Stalled { waited: stall, received, size }),
        }
    }
}

async fn wait_evicted(handle: Arc<tokio::sync::Notify>) {
    handle.notified().await;
}

/// Reads the announced length and holds it against `limit`.
fn checked_size(buffer: &[u8], limit: usize) -> Result<usize, ConnectionError> {
    let first = [buffer[0], buffer[1], buffer[2], buffer[3]];
    let size = i32::from_be_bytes(first);
    match usize::try_from(size) {
        Ok(0) | Err(_) => Err(ConnectionError::InvalidSize { size, hint: hint(first) }),
        Ok(length) if length > limit => Err(ConnectionError::TooLarge { size, limit, hint: hint(first) }),
        Ok(length) => Ok(length),
    }
}

/// Says what a peer speaks whose first bytes are no length.
fn hint(first: [u8; 4]) -> &'static str {
    match &first {
        b"GET " | b"POST" | b"PUT " | b"HEAD" | b"OPTI" | b"DELE" | b"PATC" | b"CONN" | b"PRI " => {
            "; this looks like HTTP"
        }
        [0x16, 0x03, ..] => "; this looks like TLS on a plain listener",
        _ => "",
    }
}
