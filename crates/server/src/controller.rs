//! The controller role: the machine of crate `controller` over `__cluster_metadata-0`, as a quorum of one.
//!
//! One thread owns the machine and the log. It takes all requests that wait, decides on each, appends what was decided,
//! syncs once, publishes the new image, and only then answers.
//!
//! Invariants:
//! - an answer is sent after the records it rests on are on disk
//! - an image is published after the records in it are on disk, and never in the midst of a metadata transaction
//! - after the disk failed, nothing is answered any more: the node must stop
//!
//! Not yet: forwarding between nodes; more than one voter (see crate `raft`).
//!
//! Kafka: `ControllerServer`, `QuorumController`, `KafkaRaftManager`.

mod event_queue;
mod loader;
mod metadata_log;
mod options;
mod quorum;
mod raft_requests;
mod registration;
mod snapshots;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::controller::ControllerRequest;
use metadata::MetadataImage;
use model::{NodeId, Offset, Uuid};
use protocol::ResponseBody;
use storage::{LogDir, LogEnvironment, StorageError};
use tokio::sync::{mpsc, oneshot, watch};

pub use event_queue::EventQueueMetrics;
pub use options::ControllerOptions;

use metadata_log::MetadataLog;

/// Why the controller cannot start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// The log cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A file beside the log cannot be read or written.
    #[error("{0}: {1}")]
    File(std::path::PathBuf, std::io::Error),
    /// The quorum-state file is malformed.
    #[error("{0}: {1}")]
    QuorumState(std::path::PathBuf, raft::QuorumStateError),
    /// A snapshot is malformed.
    #[error("{0}: {1}")]
    Snapshot(std::path::PathBuf, raft::SnapshotError),
    /// A batch of the log is malformed.
    #[error("the metadata log cannot be read: {0}")]
    Batch(#[from] raft::BatchError),
    /// The log begins after the newest snapshot ends.
    #[error("the metadata log begins at offset {0}, but there is no snapshot of what stood before")]
    Gap(Offset),
    /// A record contradicts those before it.
    #[error("the metadata log contradicts itself before offset {0}: {1}")]
    Replay(Offset, metadata::ReplayError),
    /// The node cannot lead the quorum.
    #[error(transparent)]
    Quorum(#[from] raft::QuorumError),
    /// The thread could not be made.
    #[error("the controller's thread could not be started: {0}")]
    Thread(std::io::Error),
}

/// The controller has stopped, or failed, and does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the controller has stopped")]
pub struct ControllerStopped;

/// What the thread is asked.
struct Command {
    request: ControllerRequest,
    asked: Duration,
    answer: oneshot::Sender<ResponseBody>,
}

/// The active controller of this node: the handle that the rest of the node holds.
#[derive(Debug)]
pub struct ControllerService {
    commands: mpsc::UnboundedSender<Command>,
    image: watch::Receiver<Arc<MetadataImage>>,
    log_end: watch::Receiver<Offset>,
    failure: watch::Receiver<Option<String>>,
    quorum: Arc<Mutex<raft::Quorum>>,
    metrics: Arc<EventQueueMetrics>,
    log: Arc<MetadataLog>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    stop: watch::Sender<bool>,
    directory_id: Uuid,
    contacts: Mutex<BTreeMap<NodeId, Duration>>,
    started: Duration,
}

impl ControllerService {
    /// Loads the metadata log in `dir`, makes this node the leader of a new epoch, writes the bootstrap records of a new
    /// cluster, and starts the thread. Blocks while it reads and syncs.
    ///
    /// # Errors
    /// If the log is damaged, or this node is not the only voter.
    pub fn start(
        options: ControllerOptions,
        environment: &Arc<LogEnvironment>,
        dir: Arc<LogDir>,
    ) -> Result<Arc<Self>, ControllerError> {
        let options = Arc::new(options);
        let log = Arc::new(MetadataLog::open(&options, environment, dir)?);
        let loaded = loader::load(&options, &log)?;
        quorum::start(options, log, loaded)
    }

    /// Decides on a request; returns once what was decided is on disk.
    ///
    /// # Errors
    /// If the controller has stopped.
    pub async fn handle(
        &self,
        request: impl Into<ControllerRequest>,
    ) -> Result<ResponseBody, ControllerStopped> {
        let (answer, answered) = oneshot::channel();
        let (request, asked): (ControllerRequest, _) = (request.into(), self.now());
        if let ControllerRequest::BrokerHeartbeat(heartbeat) = &request {
            self.note_contact(NodeId(heartbeat.broker_id), asked);
        }
        let command = Command { request, asked, answer };
        self.commands.send(command).map_err(|_| ControllerStopped)?;
        answered.await.map_err(|_| ControllerStopped)
    }

    fn note_contact(&self, broker: NodeId, now: Duration) {
        if self.image.borrow().cluster().broker(broker).is_some() {
            self.contacts.lock().expect("no holder panics").insert(broker, now);
        }
    }

    /// Returns when each registered broker was last heard of, on the clock of [`ControllerService::now`]; when this controller
    /// started, if it was not since. Kafka: `QuorumControllerMetrics.updateBrokerContactTime`.
    pub fn contacts(&self) -> Vec<(NodeId, Duration)> {
        let (image, contacts) = (self.image(), self.contacts.lock().expect("no holder panics"));
        let contact = |broker: NodeId| contacts.get(&broker).copied().unwrap_or(self.started);
        image.cluster().brokers().map(|broker| (broker.id, contact(broker.id))).collect()
    }

    /// Returns the id of the log dir that the metadata log is in.
    pub fn directory_id(&self) -> Uuid {
        self.directory_id
    }

    /// What is measured of the thread.
    pub fn metrics(&self) -> &EventQueueMetrics {
        &self.metrics
    }

    /// The time on the clock that the thread goes by.
    pub fn now(&self) -> Duration {
        self.log.clock().monotonic()
    }

    /// The newest committed metadata.
    pub fn image(&self) -> Arc<MetadataImage> {
        self.image.borrow().clone()
    }

    /// Tells of each new image; images in between may be missed.
    pub fn subscribe(&self) -> watch::Receiver<Arc<MetadataImage>> {
        self.image.clone()
    }

    /// Tells when the controller fails, and why; the node must stop then.
    pub fn failure(&self) -> watch::Receiver<Option<String>> {
        self.failure.clone()
    }

    /// Waits until an image with the record at `offset` was published.
    pub async fn wait_for(&self, offset: Offset) -> Result<Arc<MetadataImage>, ControllerStopped> {
        let mut images = self.image.clone();
        let reached = images.wait_for(|image| image.provenance().last_contained_offset >= offset).await;
        reached.map(|image| image.clone()).map_err(|_| ControllerStopped)
    }

    /// Stops the thread after what waits was answered, and closes the log.
    pub fn stop(&self) {
        self.stop.send_replace(true);
        let thread = self.thread.lock().expect("no holder panics").take();
        if let Some(thread) = thread {
            // A thread that panicked has said so itself; there is nothing left to stop.
            let _ = thread.join();
        }
        self.log.log().dir().unlock();
    }
}

#[cfg(test)]
mod tests;
