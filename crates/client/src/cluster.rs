//! A client's view of its cluster: which nodes there are, what they lead, and a connection to each.
//!
//! Invariants: metadata only moves forward (an older leader epoch never replaces a newer one); a node that refused
//! is left alone until its backoff has passed; if no node that we know answers, we begin again at the bootstrap
//! servers (`metadata.recovery.strategy=rebootstrap`).
//!
//! Kafka: `Metadata`, `NetworkClient`, `ClusterConnectionStates`.

mod coordinator_client;
mod interest;
mod metadata;
mod nodes;
mod updater;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::NodeId;
use protocol::{ErrorCode, FindCoordinatorRequest, Request};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::chance;
use crate::connection::{Connection, Traffic};
use crate::error::{Error, Result};
use crate::settings::ClientSettings;

pub(crate) use coordinator_client::CoordinatorClient;
pub use interest::Interest;
pub use metadata::{Broker, ClusterMetadata, LeaderAndEpoch, PartitionMetadata, TopicMetadata};
pub use nodes::Purpose;

use nodes::Slot;

/// What a coordinator coordinates. Kafka: `FindCoordinatorRequest.CoordinatorType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CoordinatorKind {
    /// A consumer group.
    Group = 0,
    /// A transactional id.
    Transaction = 1,
    /// A share group's partition.
    Share = 2,
}

/// A client's view of its cluster, shared by cloning. When the last clone is dropped, its connections close.
#[derive(Clone, Debug)]
pub struct Cluster {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) settings: ClientSettings,
    slots: Mutex<HashMap<(NodeId, Purpose), Arc<Slot>>>,
    interest: Mutex<Interest>,
    view: watch::Sender<View>,
    wanted: Notify,
    traffic: Arc<Traffic>,
}

/// The newest metadata, and how many updates there were.
#[derive(Clone, Debug)]
pub struct View {
    /// What is known.
    pub metadata: Arc<ClusterMetadata>,
    /// How many answers were taken in; 0 before the first.
    pub updates: u64,
    /// How many tries have ended, in whichever way.
    pub tries: u64,
    /// Why the last try failed, if it did and another will not help.
    pub failure: Option<Error>,
}

impl Cluster {
    /// Makes a client of the cluster at the bootstrap servers. Nothing is sent before something is asked.
    /// Must be called within a tokio runtime.
    pub fn new(settings: ClientSettings, interest: Interest) -> Self {
        let metadata = Arc::new(ClusterMetadata::bootstrap(settings.bootstrap.addresses()));
        let (view, _) = watch::channel(View { metadata, updates: 0, tries: 0, failure: None });
        let inner = Arc::new(Inner {
            settings,
            slots: Mutex::default(),
            interest: Mutex::new(interest),
            view,
            wanted: Notify::new(),
            traffic: Arc::new(Traffic::new()),
        });
        tokio::spawn(updater::run(Arc::downgrade(&inner)));
        Self { inner }
    }

    /// What the client was configured with.
    pub fn settings(&self) -> &ClientSettings {
        &self.inner.settings
    }

    /// The newest metadata; before the first update, the bootstrap servers with negative ids.
    pub fn metadata(&self) -> Arc<ClusterMetadata> {
        Arc::clone(&self.inner.view.borrow().metadata)
    }

    /// How many updates have come.
    pub fn updates(&self) -> u64 {
        self.inner.view.borrow().updates
    }

    /// Watches updates of the metadata.
    pub fn subscribe(&self) -> watch::Receiver<View> {
        self.inner.view.subscribe()
    }

    /// Changes which topics the metadata covers; asks for an update if that adds any.
    pub fn interest(&self, change: impl FnOnce(&mut Interest) -> bool) {
        let wider = change(&mut self.inner.interest.lock().expect("no holder panics"));
        if wider {
            self.request_update();
        }
    }

    /// Asks for an update, without waiting for it. Kafka: `Metadata.requestUpdate`.
    pub fn request_update(&self) {
        self.inner.wanted.notify_one();
    }

    /// Asks for an update and waits for it, until `deadline` at most.
    pub async fn update(&self, deadline: Instant) -> Result<Arc<ClusterMetadata>> {
        let mut view = self.subscribe();
        let (updates, tries) = {
            let known = view.borrow();
            (known.updates, known.tries)
        };
        self.request_update();
        let failed = |view: &View| view.tries > tries && view.failure.is_some();
        let newer = view.wait_for(|view| view.updates > updates || failed(view));
        match tokio::time::timeout_at(deadline, newer).await {
            Ok(Ok(view)) => match &view.failure {
                Some(failure) if view.updates <= updates => Err(failure.clone()),
                _ => Ok(Arc::clone(&view.metadata)),
            },
            Ok(Err(_)) => Err(Error::Closed("the client was closed".into())),
            Err(_) => Err(Error::Timeout("Timed out waiting for a node assignment. Call: metadata".into())),
        }
    }

    /// Takes a leader that a broker told us of. Kafka: `Metadata.updatePartitionLeadership` (KIP-951).
    pub fn learn_leaders(&self, leaders: &[(model::TopicPartition, LeaderAndEpoch)], brokers: &[Broker]) {
        self.inner.view.send_if_modified(|view| {
            let newer = view.metadata.with_leaders(leaders, brokers);
            let changed = newer.is_some();
            if let Some(newer) = newer {
                view.metadata = Arc::new(newer);
                view.updates += 1;
            }
            changed
        });
    }

    /// Takes brokers that an answer named.
    pub(crate) fn learn_brokers<'a>(&self, brokers: impl IntoIterator<Item = &'a Broker>) {
        for broker in brokers {
            self.inner.learn_broker(broker.clone());
        }
    }

    /// A connection to `node`, made if there is none.
    pub async fn connection(&self, node: NodeId, purpose: Purpose) -> Result<Connection> {
        self.inner.connection(node, purpose).await
    }

    /// Sends `request` to `node` at the highest common version.
    pub async fn send<R: Request + 'static>(&self, node: NodeId, request: &R) -> Result<R::Response> {
        self.connection(node, Purpose::Data).await?.send(request).await
    }

    /// Sends `request` to any node that answers; the least busy first.
    pub async fn send_to_any<R: Request + 'static>(&self, request: &R) -> Result<R::Response> {
        self.inner.send_to_any(request).await
    }

    /// Finds the coordinator of `key`, and remembers where it listens.
    pub async fn find_coordinator(&self, kind: CoordinatorKind, key: &str) -> Result<NodeId> {
        let connection = self.inner.any_connection().await?;
        let version = connection.version_of::<FindCoordinatorRequest>()?;
        let mut request = FindCoordinatorRequest { key_type: kind as i8, ..Default::default() };
        if version >= 4 {
            request.coordinator_keys = vec![key.to_owned()];
        } else {
            request.key = key.to_owned();
        }
        let response = connection.send_version(&request, version).await?;
        let (code, message, node, host, port) = match response.coordinators.into_iter().next() {
            Some(found) => (found.error_code, found.error_message, found.node_id, found.host, found.port),
            None => {
                (response.error_code, response.error_message, response.node_id, response.host, response.port)
            }
        };
        let message = message.filter(|_| code == ErrorCode::GROUP_AUTHORIZATION_FAILED);
        Error::check_with(code, message)?;
        self.inner.learn_broker(Broker {
            id: NodeId(node),
            host,
            port: port as u16,
            rack: None,
            fenced: false,
        });
        Ok(NodeId(node))
    }

    /// The level of a feature that is switched on in the cluster (0 if it is not), with the epoch of that knowledge;
    /// nothing before a broker told.
    pub fn finalized_feature(&self, name: &str) -> Option<(i64, i16)> {
        self.inner.finalized_feature(name)
    }

    /// How long to wait before another try of what failed `attempts` times.
    pub fn retry_delay(&self, attempts: u32) -> Duration {
        self.inner.settings.retry_backoff.delay(attempts, chance::number())
    }

    /// What the connections carry.
    pub(crate) fn traffic(&self) -> &Traffic {
        &self.inner.traffic
    }

    /// Closes every connection.
    pub fn close(&self) {
        self.inner.close_connections();
    }

    /// The open connection to `node`, if there is one; never waits.
    pub fn open_connection(&self, node: NodeId, purpose: Purpose) -> Option<Connection> {
        self.inner.open_connection(node, purpose)
    }
}
