//! The two tasks of a connection: one writes frames, the other reads them and hands them to those who wait.
//!
//! Invariant: what waits is registered before its bytes leave, so that no answer can come too early.

use std::io::IoSlice;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use protocol::{Piece, Writer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};

use super::{Call, Queue, Reply, Traffic, Waiting};
use crate::error::{Error, Result};

/// How far a buffer grows ahead of the bytes that came.
const READ_STEP: usize = 1 << 20;

pub(super) type Closed = watch::Sender<Option<Error>>;

/// The frame of what was written: its length in front, record bytes not copied.
pub(super) fn pieces(out: Writer) -> Result<Vec<Bytes>> {
    let mut frame = vec![Bytes::new()];
    for piece in out.into_pieces() {
        frame.push(match piece {
            Piece::Bytes(bytes) => bytes,
            Piece::Region(region) => region.read().map_err(|error| Error::Other(error.to_string().into()))?,
        });
    }
    let length: usize = frame.iter().map(Bytes::len).sum();
    let length = i32::try_from(length)
        .map_err(|_| Error::Protocol(format!("a request of {length} bytes is too large")))?;
    frame[0] = Bytes::copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// Writes what comes from `calls` until the connection is closed, or nobody can send any more, or it was idle too long.
pub(super) async fn write_all(
    mut stream: Box<dyn AsyncWrite + Send + Unpin>,
    mut calls: mpsc::UnboundedReceiver<Call>,
    queue: Queue,
    closed: Closed,
    idle: Option<Duration>,
    traffic: Arc<Traffic>,
) {
    let why = write_until_closed(&mut *stream, &mut calls, &queue, &closed, idle, &traffic).await;
    calls.close();
    let _ = stream.shutdown().await;
    traffic.connection_closed();
    fail_all(&queue, &closed, why);
}

async fn write_until_closed(
    stream: &mut (dyn AsyncWrite + Send + Unpin),
    calls: &mut mpsc::UnboundedReceiver<Call>,
    queue: &Queue,
    closed: &Closed,
    idle: Option<Duration>,
    traffic: &Traffic,
) -> Error {
    let mut closing = closed.subscribe();
    let idle = idle.unwrap_or(Duration::from_secs(u64::from(u32::MAX)));
    loop {
        let call = tokio::select! {
            call = calls.recv() => call,
            _ = closing.wait_for(Option::is_some) => return Error::Disconnected("the connection was closed".into()),
            () = tokio::time::sleep(idle) => {
                if queue.lock().expect("no holder panics").is_empty() {
                    return Error::Disconnected("the connection was idle".into());
                }
                continue;
            }
        };
        let Some(call) = call else {
            return Error::Disconnected("the connection was closed".into());
        };
        let told = match call.reply {
            Reply::Answer(answer) => {
                let waiting = Waiting { correlation: call.correlation, answer };
                queue.lock().expect("no holder panics").push_back(waiting);
                None
            }
            Reply::Written(told) => Some(told),
        };
        let written = tokio::select! {
            written = write_frame(stream, call.frame, traffic) => written,
            _ = closing.wait_for(Option::is_some) => return Error::Disconnected("the connection was closed".into()),
        };
        match (written, told) {
            (Err(error), _) => return Error::Disconnected(format!("the connection was lost: {error}")),
            // Nobody may wait any more.
            (Ok(()), Some(told)) => drop(told.send(())),
            (Ok(()), None) => {}
        }
    }
}

async fn write_frame(
    stream: &mut (dyn AsyncWrite + Send + Unpin),
    frame: Vec<Bytes>,
    traffic: &Traffic,
) -> std::io::Result<()> {
    let mut rest: Vec<Bytes> = frame.into_iter().filter(|piece| !piece.is_empty()).collect();
    let size = rest.iter().map(Bytes::len).sum();
    rest.reverse();
    while !rest.is_empty() {
        let slices: Vec<IoSlice<'_>> = rest.iter().rev().take(64).map(|piece| IoSlice::new(piece)).collect();
        let mut written = stream.write_vectored(&slices).await?;
        if written == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        traffic.wrote(written);
        while let Some(first) = rest.last_mut()
            && written > 0
        {
            let step = written.min(first.len());
            first.advance(step);
            written -= step;
            if first.is_empty() {
                rest.pop();
            }
        }
    }
    traffic.requested(size);
    stream.flush().await
}

/// Reads frames and gives each to the request it answers, until the connection ends.
pub(super) async fn read_all(
    mut stream: Box<dyn AsyncRead + Send + Unpin>,
    queue: Queue,
    closed: Closed,
    traffic: Arc<Traffic>,
) {
    let mut closing = closed.subscribe();
    let why = tokio::select! {
        why = read_until_error(&mut *stream, &queue, &traffic) => why,
        _ = closing.wait_for(Option::is_some) => Error::Disconnected("the connection was closed".into()),
    };
    fail_all(&queue, &closed, why);
}

async fn read_until_error(
    stream: &mut (dyn AsyncRead + Send + Unpin),
    queue: &Queue,
    traffic: &Traffic,
) -> Error {
    let mut buffer = BytesMut::new();
    loop {
        match read_frame(stream, &mut buffer, traffic).await {
            Ok(frame) => {
                traffic.responded();
                if let Err(error) = deliver(frame, queue) {
                    return error;
                }
            }
            Err(error) => return Error::Disconnected(format!("the connection was lost: {error}")),
        }
    }
}

async fn read_frame(
    stream: &mut (dyn AsyncRead + Send + Unpin),
    buffer: &mut BytesMut,
    traffic: &Traffic,
) -> std::io::Result<Bytes> {
    fill(stream, buffer, 4, traffic).await?;
    let length = buffer.get_i32();
    let length = usize::try_from(length)
        .map_err(|_| std::io::Error::other(format!("the broker sent a frame of {length} bytes")))?;
    fill(stream, buffer, length, traffic).await?;
    Ok(buffer.split_to(length).freeze())
}

async fn fill(
    stream: &mut (dyn AsyncRead + Send + Unpin),
    buffer: &mut BytesMut,
    length: usize,
    traffic: &Traffic,
) -> std::io::Result<()> {
    while buffer.len() < length {
        let missing = length - buffer.len();
        buffer.reserve(missing.min(READ_STEP.max(buffer.len())).max(4096));
        let read = stream.read_buf(buffer).await?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        traffic.read(read);
    }
    Ok(())
}

fn deliver(frame: Bytes, queue: &Queue) -> Result<()> {
    let waiting = queue.lock().expect("no holder panics").pop_front();
    let correlation = frame.get(..4).map(|bytes| i32::from_be_bytes(bytes.try_into().expect("four bytes")));
    match (waiting, correlation) {
        (Some(waiting), Some(correlation)) if waiting.correlation == correlation => {
            // Nobody may wait any more: the call was given up.
            let _ = waiting.answer.send(Ok(frame));
            Ok(())
        }
        (waiting, correlation) => Err(Error::Protocol(format!(
            "Correlation id for response ({correlation:?}) does not match request ({:?})",
            waiting.map(|waiting| waiting.correlation)
        ))),
    }
}

fn fail_all(queue: &Queue, closed: &Closed, why: Error) {
    closed.send_if_modified(|closed| {
        let first = closed.is_none();
        if first {
            *closed = Some(why);
        }
        first
    });
    let why = closed.borrow().clone().expect("the connection was closed just now");
    for waiting in queue.lock().expect("no holder panics").drain(..) {
        let _ = waiting.answer.send(Err(why.clone()));
    }
}
