//! A listening socket of one named listener.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::{ConnectionPermit, ConnectionQuotas};

/// A bound listener.
#[derive(Debug)]
pub struct Listener {
    name: String,
    socket: TcpListener,
    quotas: Arc<ConnectionQuotas>,
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
        quotas: Arc<ConnectionQuotas>,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(backlog)?;
        Ok(Self { name: name.to_owned(), socket: TcpListener::from_std(socket.into())?, quotas })
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

    /// Waits for the next connection within the limits; refused ones are closed and logged.
    ///
    /// # Errors
    /// The system cannot accept now, e.g. since all file descriptors are in use; wait a little and go on.
    pub async fn accept(&self) -> io::Result<Incoming> {
        loop {
            self.quotas.wait_for_room(&self.name).await;
            let (socket, peer) = self.socket.accept().await?;
            match self.quotas.admit(&self.name, peer.ip().to_canonical()) {
                Ok(permit) => {
                    socket.set_nodelay(true)?;
                    return Ok(Incoming { socket, peer, permit });
                }
                Err(refusal) => tracing::info!(listener = self.name, "{refusal}"),
            }
        }
    }
}
