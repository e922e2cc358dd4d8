//! A connection's bytes: plain TCP, or TLS over it.

use std::io;

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// Plain TCP, or TLS over it.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Plain TCP, where file regions go by `sendfile`.
    Plain(TcpStream),
    /// TLS; boxed since its state is large.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Waits until there is something to read, where that can be told without a buffer.
    pub(crate) async fn wait_readable(&self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.readable().await,
            Self::Tls(_) => Ok(()),
        }
    }

    /// Reads once into the spare room of `target`, not more than `limit` bytes; 0 at the end.
    pub(crate) async fn read(&mut self, target: &mut BytesMut, limit: usize) -> io::Result<usize> {
        let mut target = target.limit(limit);
        match self {
            Self::Plain(stream) => stream.read_buf(&mut target).await,
            Self::Tls(stream) => stream.read_buf(&mut target).await,
        }
    }

    /// Sends what is buffered and says that nothing more follows.
    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.shutdown().await,
            Self::Tls(stream) => stream.shutdown().await,
        }
    }

    /// Returns the TCP socket.
    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}
