//! What is known of a request beside its body: who asks, where, and in which version.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::SecurityProtocol;
use protocol::ApiKey;
use security::Principal;

/// A listener as its connections see it.
#[derive(Clone, Debug)]
pub struct ListenerContext {
    /// The listener's name, e.g. `PLAINTEXT`.
    pub name: String,
    /// What it speaks.
    pub security_protocol: SecurityProtocol,
    /// Which APIs it serves.
    pub role: ListenerRole,
}

/// Which APIs a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerRole {
    /// The broker's APIs; `inter_broker` where other brokers also come in (`inter.broker.listener.name`).
    Broker {
        /// Whether replicas may fetch here.
        inter_broker: bool,
    },
    /// The controller's APIs.
    Controller,
}

/// Names a connection for as long as the node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// Names a new connection.
    pub fn fresh() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

/// What a client is made with, as it says in ApiVersions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSoftware {
    /// E.g. `apache-kafka-java`.
    pub name: String,
    /// E.g. `4.3.1`.
    pub version: String,
}

/// What is known of a request beside its body.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The API.
    pub api: ApiKey,
    /// The API's version.
    pub version: i16,
    /// The number that the response carries back.
    pub correlation_id: i32,
    /// The client's name for itself (`client.id`).
    pub client_id: Option<String>,
    /// Where the client connects from.
    pub peer: SocketAddr,
    /// Where it came in.
    pub listener: Arc<ListenerContext>,
    /// On which connection.
    pub connection: ConnectionId,
    /// Who it is: `User:ANONYMOUS` unless it logged in.
    pub principal: Arc<str>,
    /// Whether it logged in with a delegation token.
    pub token_authenticated: bool,
    /// What the client says that it is made with, if it has said.
    pub software: Option<Arc<ClientSoftware>>,
    /// When the request was whole, on the node's monotonic clock.
    pub received_at: Duration,
}

impl RequestContext {
    /// Returns the client's name for itself; empty for none.
    pub fn client_id(&self) -> &str {
        self.client_id.as_deref().unwrap_or_default()
    }

    /// Returns who it is, type and name apart.
    pub fn to_principal(&self) -> Principal {
        let principal = self.principal.parse().unwrap_or_else(|_| Principal::user(self.principal.clone()));
        Principal { token_authenticated: self.token_authenticated, ..principal }
    }

    /// Returns the name of who it is, without the type before it.
    pub fn user(&self) -> &str {
        self.principal.split_once(':').map_or(&*self.principal, |(_, name)| name)
    }

    /// Returns the client as coordinators know it.
    pub fn client(&self) -> coordinator::ClientContext {
        coordinator::ClientContext {
            api_version: self.version,
            client_id: self.client_id().to_owned(),
            client_address: self.peer.ip().to_canonical(),
            topic_gate: None,
        }
    }

    /// Tells whether other brokers come in here.
    pub fn is_inter_broker(&self) -> bool {
        self.listener.role == ListenerRole::Broker { inter_broker: true }
    }
}
