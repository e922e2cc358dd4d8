//! A byte stream to a broker: TCP, or TLS over it.
//!
//! Invariant: every address that a name resolves to is tried before the connection is given up.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, lookup_host};

use crate::error::{Error, Result};
use crate::settings::{Address, ClientSettings};

pub(super) struct Stream {
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
}

pub(super) async fn connect(address: &Address, settings: &ClientSettings) -> Result<Stream> {
    let tcp = connect_tcp(address, settings).await?;
    let Some(tls) = &settings.security.tls else {
        let (reader, writer) = tcp.into_split();
        return Ok(Stream { reader: Box::new(reader), writer: Box::new(writer) });
    };
    let encrypted = tls.connect(&address.host, tcp).await?;
    let (reader, writer) = tokio::io::split(encrypted);
    Ok(Stream { reader: Box::new(reader), writer: Box::new(writer) })
}

async fn connect_tcp(address: &Address, settings: &ClientSettings) -> Result<TcpStream> {
    let lost = |error: std::io::Error| {
        Error::Disconnected(format!("Connection to node at {address} could not be established: {error}"))
    };
    let mut last = std::io::Error::other("the name resolves to no address");
    for resolved in lookup_host((address.host.as_str(), address.port)).await.map_err(lost)? {
        match connect_socket(resolved, settings).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(lost(last))
}

async fn connect_socket(
    address: std::net::SocketAddr,
    settings: &ClientSettings,
) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(bytes) = settings.send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = settings.receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
