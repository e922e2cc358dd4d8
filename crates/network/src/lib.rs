//! Listeners and connections: bytes to frames and back, TLS, budgets and deadlines.
//!
//! Invariants:
//! - a frame's announced length never allocates: memory grows as bytes arrive, within a listener's [`MemoryBudget`]
//! - a connection yields one frame at a time, and holds answers to be written together until it is told to
//! - whatever a peer sends, the worst it gets is a closed connection with one logged reason

mod budget;
mod connection;
mod connection_rates;
mod error;
mod frame_reader;
mod limits;
mod listener;
mod listener_metrics;
mod outgoing;
mod stream;

pub use budget::{Charge, MemoryBudget};
pub use connection::{Connection, ConnectionOptions, Frame};
pub use connection_rates::{AddressRates, ConnectionRates};
pub use error::ConnectionError;
pub use limits::{ConnectionLimits, ConnectionPermit, ConnectionQuotas};
pub use listener::{Incoming, Listener, SocketBuffers};
pub use listener_metrics::{Count, ListenerMetrics};
pub use rustls::ServerConfig as TlsConfig;
