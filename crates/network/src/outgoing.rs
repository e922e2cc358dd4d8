//! Responses on their way to the socket: small pieces are put together, so that one call writes many; large ones are written
//! from where they lie, file regions by `sendfile` or, under TLS, by reading them.
//!
//! Invariants:
//! - what was announced is what is written: a region that has become shorter ends the connection, since the peer
//!   counts bytes
//! - what is held goes before what comes after it, and is never more than [`HELD_MAX`]
//! - a packet is kept back only where more follows at once, or the peer would wait for it
//! - dropping a flush loses nothing of what is held

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use protocol::{Piece, Region};
use rustix::fs::sendfile;
use rustix::net::{SendFlags, send};
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stream::Stream;

/// The largest piece that is copied to those before it; for a larger one a call of its own takes less. (`docs/design/0010`)
const SMALL: usize = 16 * 1024;
/// What would become more than so many bytes is written before.
const HELD_MAX: usize = 64 * 1024;
/// With so many responses, what is held is written: the first of them has waited for the others.
const RESPONSES_MAX: usize = 32;
/// The most that one `sendfile` call moves, so that one reader of a large response does not hold its thread for long.
const SENDFILE_MAX: usize = 1 << 20;
/// The bytes of the length before a frame.
pub(crate) const LENGTH_BYTES: u64 = 4;
/// How much is written at once where there is no `sendfile`.
const CHUNK: usize = 128 * 1024;

/// What of a connection's responses is not written yet.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    held: BytesMut,
    responses: usize,
}

impl Outgoing {
    /// Takes a frame of `pieces`, and writes what is too large or too much to be held. Returns the bytes of the frame, its length
    /// included.
    pub(crate) async fn put(
        &mut self,
        stream: &mut Stream,
        pieces: Vec<Piece>,
        stall: Duration,
    ) -> io::Result<u64> {
        let size: usize = pieces.iter().map(length).sum();
        let announced = i32::try_from(size)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a response of more than 2 GiB"))?;
        let small: usize = pieces.iter().map(length).filter(|length| *length <= SMALL).sum();
        self.held.reserve((LENGTH_BYTES as usize + small).min(HELD_MAX));
        let mut begins_at = self.held.len();
        self.held.extend_from_slice(&announced.to_be_bytes());
        self.responses += 1;
        for piece in pieces.into_iter().filter(|piece| length(piece) > 0) {
            let is_small = length(&piece) <= SMALL;
            if !is_small || self.held.len() + length(&piece) > HELD_MAX {
                self.write_held(stream, true, stall).await?;
                begins_at = 0;
            }
            if is_small {
                // A frame that is not what was announced goes no further; what is held before it is whole.
                self.hold(piece).inspect_err(|_| self.held.truncate(begins_at))?;
            } else {
                write_large(stream, piece, stall).await?;
            }
        }
        if self.responses >= RESPONSES_MAX {
            self.flush(stream, stall).await?;
        }
        Ok(LENGTH_BYTES + size as u64)
    }

    /// Tells whether all responses are written.
    pub(crate) fn is_empty(&self) -> bool {
        self.responses == 0
    }

    /// Writes what is held.
    pub(crate) async fn flush(&mut self, stream: &mut Stream, stall: Duration) -> io::Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        self.write_held(stream, false, stall).await?;
        if let Stream::Tls(stream) = stream {
            in_time(stall, stream.flush()).await?;
        }
        // An idle connection holds no memory.
        *self = Self::default();
        Ok(())
    }

    fn hold(&mut self, piece: Piece) -> io::Result<()> {
        match piece {
            Piece::Bytes(bytes) => self.held.extend_from_slice(&bytes),
            Piece::Region(region) => match region.descriptor() {
                Some((file, position)) => {
                    let begin = self.held.len();
                    self.held.resize(begin + region.len(), 0);
                    read_exact_at(file, position, &mut self.held[begin..])?;
                }
                None => self.held.extend_from_slice(&whole(&*region)?),
            },
        }
        Ok(())
    }

    /// Writes what is held; `more` keeps back the last packet, for what is written next.
    async fn write_held(&mut self, stream: &mut Stream, more: bool, stall: Duration) -> io::Result<()> {
        match stream {
            Stream::Plain(socket) => send_all(socket, &mut self.held, more, stall).await,
            Stream::Tls(stream) => {
                while !self.held.is_empty() {
                    in_time(stall, stream.write_buf(&mut self.held)).await?;
                }
                Ok(())
            }
        }
    }
}

fn length(piece: &Piece) -> usize {
    match piece {
        Piece::Bytes(bytes) => bytes.len(),
        Piece::Region(region) => region.len(),
    }
}

/// Fills `target` with what lies in a file from `position` on.
fn read_exact_at(file: BorrowedFd<'_>, mut position: u64, mut target: &mut [u8]) -> io::Result<()> {
    while !target.is_empty() {
        match rustix::io::pread(file, &mut *target, position) {
            Ok(0) => return Err(cut()),
            Ok(read) => {
                target = &mut target[read..];
                position += read as u64;
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Reads a region that has no descriptor.
fn whole(region: &dyn Region) -> io::Result<bytes::Bytes> {
    let bytes = region.read()?;
    if bytes.len() == region.len() { Ok(bytes) } else { Err(cut()) }
}

async fn write_large(stream: &mut Stream, piece: Piece, stall: Duration) -> io::Result<()> {
    let mut bytes = match piece {
        Piece::Bytes(bytes) => bytes,
        Piece::Region(region) => match (&mut *stream, region.descriptor()) {
            (Stream::Plain(socket), Some((file, position))) => {
                return send_file(socket, file, position, region.len() as u64, stall).await;
            }
            (Stream::Tls(stream), Some((file, position))) => {
                return copy_file(stream.as_mut(), file, position, region.len() as u64, stall).await;
            }
            (_, None) => whole(&*region)?,
        },
    };
    match stream {
        Stream::Plain(socket) => send_all(socket, &mut bytes, false, stall).await,
        Stream::Tls(stream) => {
            // The peer's patience is measured by the chunk, not by the whole.
            for chunk in bytes.chunks(CHUNK) {
                in_time(stall, stream.write_all(chunk)).await?;
            }
            Ok(())
        }
    }
}

/// Writes `bytes` in as few calls as the socket takes, and takes off what was written.
async fn send_all(socket: &TcpStream, bytes: &mut impl Buf, more: bool, stall: Duration) -> io::Result<()> {
    let flags = if more { SendFlags::MORE | SendFlags::NOSIGNAL } else { SendFlags::NOSIGNAL };
    while bytes.has_remaining() {
        let written = when_writable(socket, stall, || Ok(send(socket, bytes.chunk(), flags)?)).await?;
        bytes.advance(written);
    }
    Ok(())
}

async fn send_file(
    socket: &TcpStream,
    file: BorrowedFd<'_>,
    mut position: u64,
    length: u64,
    stall: Duration,
) -> io::Result<()> {
    let end = position + length;
    while position < end {
        let count = (end - position).min(SENDFILE_MAX as u64) as usize;
        let mut offset = position;
        let sent =
            when_writable(socket, stall, || Ok(sendfile(socket, file, Some(&mut offset), count)?)).await?;
        if sent == 0 {
            return Err(cut());
        }
        position += sent as u64;
    }
    Ok(())
}

async fn copy_file(
    stream: &mut (impl AsyncWriteExt + Unpin),
    file: BorrowedFd<'_>,
    mut position: u64,
    length: u64,
    stall: Duration,
) -> io::Result<()> {
    let end = position + length;
    let mut buffer = vec![0; CHUNK.min(length as usize)];
    while position < end {
        let count = buffer.len().min((end - position) as usize);
        read_exact_at(file, position, &mut buffer[..count])?;
        in_time(stall, stream.write_all(&buffer[..count])).await?;
        position += count as u64;
    }
    Ok(())
}

/// Runs a call that writes to the socket as soon as the socket takes something.
async fn when_writable(
    socket: &TcpStream,
    stall: Duration,
    mut call: impl FnMut() -> io::Result<usize>,
) -> io::Result<usize> {
    loop {
        match socket.try_io(Interest::WRITABLE, &mut call) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                in_time(stall, socket.writable()).await?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Waits for `write`, but not longer than the peer may leave its window shut.
async fn in_time<T>(stall: Duration, write: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(stall, write).await.unwrap_or_else(|_| {
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("the peer took nothing of a response for {stall:?}"),
        ))
    })
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "a log file became shorter while it was being sent")
}
