//! A connection: frames in, frames out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::Piece;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::frame_reader::{FrameReader, ReadLimits};
use crate::outgoing::{LENGTH_BYTES, Outgoing};
use crate::stream::Stream;
use crate::{Charge, ConnectionError, ConnectionPermit, Incoming, ListenerMetrics, MemoryBudget, TlsConfig};

/// How a listener's connections behave.
#[derive(Clone, Debug)]
pub struct ConnectionOptions {
    /// The largest frame (`socket.request.max.bytes`), in bytes.
    pub frame_size_max: usize,
    /// How long a connection may stay without a request (`connections.max.idle.ms`).
    pub idle_max: Duration,
    /// How long a request that has begun may stay without a further byte.
    pub stall_max: Duration,
    /// How long the TLS handshake may take.
    pub handshake_max: Duration,
    /// How long the peer may take nothing of a response.
    pub write_stall_max: Duration,
    /// Memory for this listener's frames.
    pub budget: Arc<MemoryBudget>,
}

/// A request's bytes, without the length before them.
#[derive(Debug)]
pub struct Frame {
    /// The bytes.
    pub bytes: Bytes,
    /// What they hold of the listener's budget: keep it as long as them.
    pub charge: Charge,
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    reader: FrameReader,
    outgoing: Outgoing,
    options: ConnectionOptions,
    frame_size_max: usize,
    peer: SocketAddr,
    permit: ConnectionPermit,
}

impl Connection {
    /// Takes up a connection; with `tls`, after the handshake.
    ///
    /// # Errors
    /// The handshake failed or took longer than `handshake_max`.
    pub async fn accept(
        incoming: Incoming,
        options: ConnectionOptions,
        tls: Option<Arc<TlsConfig>>,
    ) -> Result<Self, ConnectionError> {
        let Incoming { socket, peer, permit } = incoming;
        let stream = match tls {
            None => Stream::Plain(socket),
            Some(config) => {
                let handshake = TlsAcceptor::from(config).accept(socket);
                match timeout(options.handshake_max, handshake).await {
                    Ok(Ok(stream)) => Stream::Tls(Box::new(stream)),
                    Ok(Err(error)) => return Err(refused(&permit, error.to_string())),
                    Err(_) => return Err(refused(&permit, "timed out".to_owned())),
                }
            }
        };
        let reader = FrameReader::new(options.budget.clone());
        let frame_size_max = options.frame_size_max;
        Ok(Self { stream, reader, outgoing: Outgoing::default(), options, frame_size_max, peer, permit })
    }

    /// Waits for the next request; none when the peer has closed. Dropping the future loses nothing that has come.
    ///
    /// # Errors
    /// Anything after which the connection cannot go on; the error's text says why.
    pub async fn read_frame(&mut self) -> Result<Option<Frame>, ConnectionError> {
        let limits = ReadLimits {
            size_max: self.frame_size_max,
            idle: self.options.idle_max,
            stall: self.options.stall_max,
        };
        self.permit.set_idle(true);
        let next = tokio::select! {
            biased;
            () = self.permit.told_to_leave() => Err(ConnectionError::MadeRoom),
            next = self.reader.next(&mut self.stream, limits) => next,
        };
        self.permit.set_idle(false);
        let metrics = self.permit.metrics();
        match &next {
            Ok(Some((bytes, _))) => {
                metrics.requests.add(1);
                metrics.incoming_bytes.add(bytes.len() as u64 + LENGTH_BYTES);
            }
            Err(ConnectionError::Idle(_)) => metrics.expired.add(1),
            Ok(None) | Err(_) => {}
        }
        Ok(next?.map(|(bytes, charge)| Frame { bytes, charge }))
    }

    /// Tells whether the next request has come as a whole, so that it need not be waited for.
    pub fn holds_frame(&self) -> bool {
        self.reader.holds_frame()
    }

    /// Takes a response: its length, then `pieces`. It may be held, to be written with others, until [`Connection::flush`], which
    /// is due before anything is waited for.
    ///
    /// # Errors
    /// The peer went away or takes nothing, or a file region became shorter than announced.
    pub async fn put_frame(&mut self, pieces: Vec<Piece>) -> Result<(), ConnectionError> {
        let bytes = self.outgoing.put(&mut self.stream, pieces, self.options.write_stall_max).await?;
        let metrics = self.permit.metrics();
        metrics.responses.add(1);
        metrics.outgoing_bytes.add(bytes);
        Ok(())
    }

    /// Comes back with why the connection has to end though its peer waits for a response, or to be read from again: nothing came
    /// or went for `connections.max.idle.ms`, or it has to make room. Kafka: `Selector.maybeCloseOldestConnection`.
    pub async fn given_up(&self) -> ConnectionError {
        tokio::select! {
            () = self.permit.told_to_leave() => ConnectionError::MadeRoom,
            () = sleep(self.options.idle_max) => {
                self.permit.metrics().expired.add(1);
                ConnectionError::Idle(self.options.idle_max)
            }
        }
    }

    /// Tells whether all responses that were put are written.
    pub fn holds_nothing(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Writes the responses that are held. Dropping the future loses nothing of them.
    ///
    /// # Errors
    /// The peer went away or takes nothing.
    pub async fn flush(&mut self) -> Result<(), ConnectionError> {
        Ok(self.outgoing.flush(&mut self.stream, self.options.write_stall_max).await?)
    }

    /// Sets the largest frame that is taken from now on; it is smaller before login.
    pub fn set_frame_size_max(&mut self, size: usize) {
        self.frame_size_max = size.min(self.options.frame_size_max);
    }

    /// Returns where the connection's listener is counted.
    pub fn metrics(&self) -> Arc<ListenerMetrics> {
        self.permit.metrics().clone()
    }

    /// Returns who is at the other end.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Returns this end's address.
    pub fn local(&self) -> Option<SocketAddr> {
        self.stream.socket().local_addr().ok()
    }

    /// Returns the peer's certificates under mutual TLS, its own first.
    pub fn peer_certificates(&self) -> Vec<Vec<u8>> {
        match &self.stream {
            Stream::Plain(_) => Vec::new(),
            Stream::Tls(stream) => {
                let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
                certificates.iter().map(|certificate| certificate.as_ref().to_vec()).collect()
            }
        }
    }

    /// Ends the connection after what was written; what is held is not.
    pub async fn close(mut self) {
        // The peer may be gone already, and there is nothing left to lose.
        let _ = timeout(Duration::from_secs(1), self.stream.shutdown()).await;
    }
}

/// Counts a handshake that failed.
fn refused(permit: &ConnectionPermit, reason: String) -> ConnectionError {
    permit.metrics().failed_authentications.add(1);
    ConnectionError::Handshake(reason)
}
