//! A response onto the socket: bytes by vectored writes, file regions by `sendfile` or, under TLS, by reading them.
//!
//! Invariants:
//! - what was announced is what is written: a region that has become shorter ends the connection, since the peer
//!   counts bytes

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::{Piece, Region};
use rustix::fs::sendfile;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stream::Stream;

/// The most that one `sendfile` call moves, so that one reader of a large response does not hold its thread for long.
const SENDFILE_MAX: usize = 1 << 20;
/// The most parts that one vectored write takes.
const PARTS_MAX: usize = 64;
/// The bytes of the length before a frame.
pub(crate) const LENGTH_BYTES: u64 = 4;
/// How much is written at once where there is no `sendfile`.
const CHUNK: usize = 128 * 1024;

/// Writes a frame: its length, then `pieces`; returns how many bytes that was.
pub(crate) async fn write_frame(stream: &mut Stream, pieces: Vec<Piece>, stall: Duration) -> io::Result<u64> {
    let size: u64 = pieces.iter().map(piece_length).sum();
    let size = i32::try_from(size)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a response of more than 2 GiB"))?;
    let mut run = vec![Bytes::copy_from_slice(&size.to_be_bytes())];
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => run.push(bytes),
            Piece::Region(region) => {
                write_run(stream, std::mem::take(&mut run), true, stall).await?;
                write_region(stream, region, stall).await?;
            }
        }
    }
    write_run(stream, run, false, stall).await?;
    if let Stream::Tls(stream) = stream {
        in_time(stall, stream.flush()).await?;
    }
    Ok(LENGTH_BYTES + size.unsigned_abs() as u64)
}

fn piece_length(piece: &Piece) -> u64 {
    match piece {
        Piece::Bytes(bytes) => bytes.len() as u64,
        Piece::Region(region) => region.len() as u64,
    }
}

async fn write_run(stream: &mut Stream, run: Vec<Bytes>, more: bool, stall: Duration) -> io::Result<()> {
    match stream {
        Stream::Plain(socket) => write_vectored(socket, run, more, stall).await,
        Stream::Tls(stream) => {
            for bytes in &run {
                write_chunks(stream.as_mut(), bytes, stall).await?;
            }
            Ok(())
        }
    }
}

/// Writes `bytes` so that the peer's patience is measured by the chunk, not by the whole.
async fn write_chunks(
    stream: &mut (impl AsyncWriteExt + Unpin),
    bytes: &[u8],
    stall: Duration,
) -> io::Result<()> {
    for chunk in bytes.chunks(CHUNK) {
        in_time(stall, stream.write_all(chunk)).await?;
    }
    Ok(())
}

/// Writes `run` in as few calls as the socket takes; `more` holds the last packet back for what follows.
async fn write_vectored(
    socket: &TcpStream,
    mut run: Vec<Bytes>,
    more: bool,
    stall: Duration,
) -> io::Result<()> {
    run.retain(|bytes| !bytes.is_empty());
    let mut rest = run.as_mut_slice();
    let flags = if more { SendFlags::MORE | SendFlags::NOSIGNAL } else { SendFlags::NOSIGNAL };
    while !rest.is_empty() {
        let parts: Vec<IoSlice<'_>> = rest.iter().take(PARTS_MAX).map(|bytes| IoSlice::new(bytes)).collect();
        let send = || {
            let mut nothing = SendAncillaryBuffer::default();
            Ok(sendmsg(socket, &parts, &mut nothing, flags)?)
        };
        let written = when_writable(socket, stall, send).await?;
        drop(parts);
        rest = advance(rest, written);
    }
    Ok(())
}

/// Takes `written` bytes off the front.
fn advance(mut rest: &mut [Bytes], mut written: usize) -> &mut [Bytes] {
    while let Some(first) = rest.first_mut() {
        if written < first.len() {
            bytes::Buf::advance(first, written);
            break;
        }
        written -= first.len();
        rest = &mut rest[1..];
    }
    rest
}

async fn write_region(stream: &mut Stream, region: Arc<dyn Region>, stall: Duration) -> io::Result<()> {
    match (stream, region.descriptor()) {
        (Stream::Plain(socket), Some((file, position))) => {
            send_file(socket, file, position, region.len() as u64, stall).await
        }
        (Stream::Tls(stream), Some((file, position))) => {
            copy_file(stream.as_mut(), file, position, region.len() as u64, stall).await
        }
        (Stream::Plain(socket), None) => write_vectored(socket, vec![whole(&*region)?], false, stall).await,
        (Stream::Tls(stream), None) => write_chunks(stream.as_mut(), &whole(&*region)?, stall).await,
    }
}

/// Reads a region that has no descriptor.
fn whole(region: &dyn Region) -> io::Result<Bytes> {
    let bytes = region.read()?;
    if bytes.len() as u64 == region.len() as u64 { Ok(bytes) } else { Err(cut()) }
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
        let read = rustix::io::pread(file, &mut buffer[..count], position)?;
        if read == 0 {
            return Err(cut());
        }
        in_time(stall, stream.write_all(&buffer[..read])).await?;
        position += read as u64;
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
