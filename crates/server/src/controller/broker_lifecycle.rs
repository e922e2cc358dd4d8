//! This node's broker towards the controller: registers, sends heartbeats, is unfenced, and says when it stops.
//!
//! The requests are Kafka's; in a combined node they are direct calls.
//!
//! Kafka: `BrokerLifecycleManager`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metadata::VersionRange;
use model::{NodeId, Uuid};
use protocol::broker_registration_request::{Feature, Listener};
use protocol::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest, ErrorCode, ResponseBody,
};
use tokio::sync::{Notify, watch};

use super::{ControllerService, ControllerStopped};

/// What a broker says of itself when it registers.
#[derive(Clone, Debug)]
pub struct BrokerIdentity {
    /// `node.id`.
    pub node_id: NodeId,
    /// The id in `meta.properties`.
    pub cluster_id: String,
    /// The id of this process.
    pub incarnation_id: Uuid,
    /// The listeners that clients are told of.
    pub listeners: Vec<Listener>,
    /// Feature levels this node supports, by name.
    pub features: std::collections::BTreeMap<String, VersionRange>,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// Ids of the log dirs that are online.
    pub log_dirs: Vec<Uuid>,
    /// Ids of the log dirs in `cordoned.log.dirs`.
    pub cordoned_log_dirs: Vec<Uuid>,
    /// The broker epoch that the last clean stop left in the log dirs; -1 if it was not clean.
    pub previous_broker_epoch: i64,
    /// `broker.heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
}

/// Why the broker cannot be part of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LifecycleError {
    /// The controller has stopped.
    #[error(transparent)]
    Stopped(#[from] ControllerStopped),
    /// The controller refused.
    #[error("the controller refused the broker: {0:?}")]
    Refused(ErrorCode),
}

/// A registered broker.
#[derive(Debug)]
pub struct BrokerLifecycle {
    controller: Arc<ControllerService>,
    identity: BrokerIdentity,
    epoch: i64,
    /// Whether the broker is ready to lead.
    ready: AtomicBool,
    stopping: AtomicBool,
    now: Notify,
    offline_log_dirs: watch::Sender<Vec<Uuid>>,
    fenced: watch::Sender<bool>,
}

impl BrokerLifecycle {
    /// Registers the broker, and sends heartbeats from now on until it has stopped.
    ///
    /// # Errors
    /// If the controller refuses, for instance because the broker's id is taken.
    pub async fn register(
        controller: Arc<ControllerService>,
        identity: BrokerIdentity,
    ) -> Result<Arc<Self>, LifecycleError> {
        let body = controller.handle(registration(&identity)).await?;
        let ResponseBody::BrokerRegistration(response) = body else {
            return Err(LifecycleError::Refused(ErrorCode::UNKNOWN_SERVER_ERROR));
        };
        response.error_code.into_result().map_err(LifecycleError::Refused)?;
        let lifecycle = Arc::new(Self {
            controller,
            identity,
            epoch: response.broker_epoch,
            ready: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            now: Notify::new(),
            offline_log_dirs: watch::Sender::new(Vec::new()),
            fenced: watch::Sender::new(true),
        });
        tokio::spawn(lifecycle.clone().send_heartbeats());
        Ok(lifecycle)
    }

    /// The epoch of the registration.
    pub fn broker_epoch(&self) -> i64 {
        self.epoch
    }

    /// Says that the broker can serve its partitions, and waits until it is unfenced.
    ///
    /// # Errors
    /// If the controller stops meanwhile.
    pub async fn unfence(&self) -> Result<(), LifecycleError> {
        self.ready.store(true, Ordering::Release);
        self.now.notify_one();
        let mut fenced = self.fenced.subscribe();
        // The sender lives in `self`, so the wait ends with the broker unfenced or the controller stopped.
        loop {
            if !*fenced.borrow_and_update() {
                return Ok(());
            }
            tokio::select! {
                changed = fenced.changed() => changed.map_err(|_| ControllerStopped)?,
                () = tokio::time::sleep(self.identity.heartbeat_interval) => {
                    if self.controller.failure().borrow().is_some() {
                        return Err(ControllerStopped.into());
                    }
                }
            }
        }
    }

    /// Tells whether the controller has fenced the broker, and when that changes.
    pub fn fenced(&self) -> watch::Receiver<bool> {
        self.fenced.subscribe()
    }

    /// Says which log dirs have failed.
    pub fn set_offline_log_dirs(&self, ids: Vec<Uuid>) {
        self.offline_log_dirs.send_replace(ids);
        self.now.notify_one();
    }

    /// Asks for leave to stop, and returns when the controller has moved the leaderships away and gives it.
    /// Kafka: controlled shutdown.
    ///
    /// # Errors
    /// If the controller stops first.
    pub async fn controlled_shutdown(&self) -> Result<(), LifecycleError> {
        self.stopping.store(true, Ordering::Release);
        loop {
            let response = self.heartbeat().await?;
            if response.should_shut_down {
                return Ok(());
            }
            response.error_code.into_result().map_err(LifecycleError::Refused)?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn send_heartbeats(self: Arc<Self>) {
        while !self.stopping.load(Ordering::Acquire) {
            match self.heartbeat().await {
                Ok(response) if response.error_code.is_error() => {
                    tracing::warn!("the controller refused a heartbeat: {:?}", response.error_code);
                }
                Ok(response) => {
                    let was_fenced = self.fenced.send_replace(response.is_fenced);
                    if was_fenced != response.is_fenced {
                        tracing::info!("broker {} is {}", self.identity.node_id, fencing(response.is_fenced));
                    }
                }
                Err(_) => return,
            }
            tokio::select! {
                () = self.now.notified() => {}
                () = tokio::time::sleep(self.identity.heartbeat_interval) => {}
            }
        }
    }

    async fn heartbeat(&self) -> Result<BrokerHeartbeatResponse, LifecycleError> {
        let image = self.controller.image();
        let stopping = self.stopping.load(Ordering::Acquire);
        let request = BrokerHeartbeatRequest {
            broker_id: self.identity.node_id.0,
            broker_epoch: self.epoch,
            current_metadata_offset: image.provenance().last_contained_offset.0,
            want_fence: !stopping && !self.ready.load(Ordering::Acquire),
            want_shut_down: stopping,
            offline_log_dirs: self.offline_log_dirs.borrow().clone(),
            cordoned_log_dirs: Some(self.identity.cordoned_log_dirs.clone()),
            ..Default::default()
        };
        match self.controller.handle(request).await? {
            ResponseBody::BrokerHeartbeat(response) => Ok(*response),
            _ => Err(LifecycleError::Refused(ErrorCode::UNKNOWN_SERVER_ERROR)),
        }
    }
}

fn fencing(fenced: bool) -> &'static str {
    if fenced { "fenced" } else { "unfenced" }
}

fn registration(identity: &BrokerIdentity) -> BrokerRegistrationRequest {
    let features = identity.features.iter().map(|(name, range)| Feature {
        name: name.clone(),
        min_supported_version: range.min,
        max_supported_version: range.max,
        ..Default::default()
    });
    BrokerRegistrationRequest {
        broker_id: identity.node_id.0,
        cluster_id: identity.cluster_id.clone(),
        incarnation_id: identity.incarnation_id,
        listeners: identity.listeners.clone(),
        features: features.collect(),
        rack: identity.rack.clone(),
        log_dirs: identity.log_dirs.clone(),
        previous_broker_epoch: identity.previous_broker_epoch,
        ..Default::default()
    }
}
