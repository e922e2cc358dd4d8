//! A listening socket of one named listener.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

use crate::limits::Refusal;
use crate::{ConnectionPermit, ConnectionQuotas, ListenerMetrics};

/// Sizes of a connection's socket buffers in bytes; none leaves one to the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SocketBuffers {
    /// `socket.send.buffer.bytes`.
    pub send: Option<usize>,
    /// `socket.receive.buffer.bytes`.
    pub receive: Option<usize>,
}

/// A bound listener.
#[derive(Debug)]
pub struct Listener {
    name: String,
    socket: TcpListener,
    buffers: SocketBuffers,
    quotas: Arc<ConnectionQuotas>,
    metrics: Arc<ListenerMetrics>,
    /// The connection that came last and has to wait; it stays here if nobody waits for it for a while.
    held: Mutex<Option<Held>>,
}

/// A connection over a rate, or over the number of connections.
#[derive(Debug)]
struct Held {
    socket: TcpStream,
    peer: SocketAddr,
    until: Instant,
}

/// A connection that was accepted and counted, but not yet spoken with.
#[derive(Debug)]
pub struct Incoming {
    /// The socket.
    pub socket: TcpStream,
    /// Who connected.
    pub peer: SocketAddr,
    /// Its place in the connection counts.
    pub permit: ConnectionPermit,
}

impl Listener {
    /// Binds `address`, with `socket.listen.backlog.size` as `backlog`. Port 0 takes a free one.
    ///
    /// # Errors
    /// The address is in use or not this machine's.
    pub fn bind(
        name: &str,
        address: SocketAddr,
        backlog: i32,
        buffers: SocketBuffers,
        quotas: Arc<ConnectionQuotas>,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        if let Some(size) = buffers.receive {
            // Set before a connection is there, since its window scale is agreed on with the first packet.
            socket.set_recv_buffer_size(size)?;
        }
        socket.bind(&address.into())?;
        socket.listen(backlog)?;
        Ok(Self {
            name: name.to_owned(),
            socket: TcpListener::from_std(socket.into())?,
            buffers,
            metrics: quotas.metrics(name),
            quotas,
            held: Mutex::default(),
        })
    }

    /// Returns the listener's name, e.g. `PLAINTEXT`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the bound address.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Waits for the next connection, and until the rates let it in.
    async fn next(&self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            let until = self.held().as_ref().map(|held| held.until);
            if let Some(until) = until {
                sleep_until(until).await;
                if let Some(held) = self.held().take() {
                    return Ok((held.socket, held.peer));
                }
            }
            let (socket, peer) = self.socket.accept().await?;
            self.metrics.accepted.add(1);
            let wait = self.quotas.wait_on_listener(&self.name);
            if wait.is_zero() {
                return Ok((socket, peer));
            }
            self.metrics.accept_throttles.observe(wait);
            self.hold(socket, peer, Instant::now() + wait);
        }
    }

    fn hold(&self, socket: TcpStream, peer: SocketAddr, until: Instant) {
        *self.held() = Some(Held { socket, peer, until });
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next connection within the limits; refused ones are closed and logged. One task at a time may wait.
    ///
    /// # Errors
    /// The system cannot accept now, e.g. since all file descriptors are in use; wait a little and go on.
    pub async fn accept(&self) -> io::Result<Incoming> {
        loop {
            self.quotas.wait_for_room(&self.name).await;
            let (socket, peer) = self.next().await?;
            match self.quotas.admit(&self.name, peer.ip().to_canonical()) {
                Ok(permit) => {
                    socket.set_nodelay(true)?;
                    // Who vanished without a word is found out also where connections may be idle for ever.
                    SockRef::from(&socket).set_keepalive(true)?;
                    if let Some(size) = self.buffers.send {
                        SockRef::from(&socket).set_send_buffer_size(size)?;
                    }
                    return Ok(Incoming { socket, peer, permit });
                }
                // Another listener's connection was faster than this one.
                Err(Refusal::NoRoom) => self.hold(socket, peer, Instant::now()),
                Err(Refusal::TooFast(wait)) => {
                    self.metrics.ip_accept_throttles.observe(wait);
                    tracing::debug!(listener = self.name, %peer, ?wait, "the address makes connections too fast");
                    // It is closed later, so that who comes again at once is held back.
                    tokio::spawn(async move {
                        tokio::time::sleep(wait).await;
                        drop(socket);
                    });
                }
                Err(refusal @ Refusal::TooMany { .. }) => tracing::info!(listener = self.name, "{refusal}"),
            }
        }
    }
}
