//! Why a connection ends.

use std::io;
use std::time::Duration;

/// Why a connection could not be read or written any further. Its text is the one line that the log shows.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The announced length is not that of any request. Kafka: `InvalidReceiveException`.
    #[error("Invalid receive (size = {size}){hint}")]
    InvalidSize {
        /// The announced length, in bytes.
        size: i32,
        /// What the peer probably speaks, if it can be told.
        hint: &'static str,
    },
    /// The announced length is over the limit. Kafka: `InvalidReceiveException`.
    #[error("Invalid receive (size = {size} larger than {limit}){hint}")]
    TooLarge {
        /// The announced length, in bytes.
        size: i32,
        /// The largest length allowed, in bytes (`socket.request.max.bytes`, or less before login).
        limit: usize,
        /// What the peer probably speaks, if it can be told.
        hint: &'static str,
    },
    /// A frame was begun, and then no byte of it came for too long.
    #[error(
        "a request was begun but nothing more of it came for {waited:?} ({received} of {size} bytes are here)"
    )]
    Stalled {
        /// How long nothing came.
        waited: Duration,
        /// Bytes of the frame that came.
        received: usize,
        /// Bytes that were announced.
        size: usize,
    },
    /// The listener's memory budget ran out, and this unfinished frame held the most of it for the longest.
    #[error("unfinished request gave up {0} bytes to the listener's memory budget")]
    Evicted(usize),
    /// Nothing came or went for `connections.max.idle.ms`.
    #[error("idle for longer than connections.max.idle.ms ({0:?})")]
    Idle(Duration),
    /// `max.connections` was passed by a connection of another broker, and this one was silent for the longest.
    #[error("closed to make room for a connection of another broker: max.connections is reached")]
    MadeRoom,
    /// The peer closed the connection within a frame.
    #[error("the peer closed the connection after {received} of {size} bytes of a request")]
    CutShort {
        /// Bytes of the frame that came.
        received: usize,
        /// Bytes that were announced (4 while the length itself is not whole).
        size: usize,
    },
    /// The TLS handshake failed or took too long.
    #[error("SSL handshake failed: {0}")]
    Handshake(String),
    /// The system refused to read or write.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl ConnectionError {
    /// Tells whether this is an ordinary end (idle, or the peer went away), which needs no warning.
    pub fn is_ordinary(&self) -> bool {
        match self {
            Self::Idle(_) => true,
            Self::Io(error) => matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::NotConnected
            ),
            _ => false,
        }
    }
}
