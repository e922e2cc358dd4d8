//! Loading the logs at a start, and taking up partitions as their logs are loaded.
//!
//! Invariants:
//! - the coordinators' logs come first: who asks for groups or transactions is never told of some only
//! - what the metadata does not place here is put aside
//! - a partition is taken up by the newest image that was acted on, after the first was
//!
//! Kafka: `LogManager.startup`, `LogManager.isStrayReplica`.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use config::LogConfig;
use metadata::MetadataImage;
use model::{TopicPartition, Uuid, topic_name};
use storage::FoundLogs;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;

use super::start::StartError;
use super::{Broker, publisher};

/// How long a start waits for the logs before it begins to answer: most nodes need no longer, and no client of theirs meets a
/// partition that is not there yet.
const PATIENCE: Duration = Duration::from_millis(75);
/// How many partitions are taken up at once.
const AT_ONCE: usize = 256;

/// Logs on their way.
pub(super) struct Loading {
    thread: JoinHandle<()>,
    loaded: UnboundedReceiver<TopicPartition>,
}

impl Loading {
    /// Loads the coordinators' logs, and begins to load the others.
    pub(super) fn start(broker: &Arc<Broker>, image: Arc<MetadataImage>) -> Result<Self, StartError> {
        let logs = broker.replicas.logs();
        let mut found = logs.find_logs();
        let first = found.take(|partition| topic_name::is_internal(&partition.topic));
        logs.load_found(first, &|partition, id| config_for(broker, &image, partition, id), &|_| {})?;
        broker.replicas.await_logs(found.partitions().cloned());
        let (tell, loaded) = mpsc::unbounded_channel();
        let loader = broker.clone();
        let work = move || load(&loader, &image, found, &tell);
        let name = "monedula-loader".to_owned();
        let thread = broker.essential.spawn("the thread that loads logs", name, work);
        Ok(Self { thread: thread.map_err(StartError::Thread)?, loaded })
    }

    /// Takes up partitions as their logs are loaded, until all are or `stop` says so; returns the thread that loads. Waits a
    /// moment for all of them. The first image must have been acted on.
    pub(super) async fn serve(self, broker: &Arc<Broker>, stop: watch::Receiver<bool>) -> JoinHandle<()> {
        let taking_up = tokio::spawn(take_up(broker.clone(), self.loaded, stop));
        let taking_up = broker.essential.watch("the task that takes up partitions", taking_up);
        // Who is not served yet is told so.
        let _ = tokio::time::timeout(PATIENCE, taking_up).await;
        self.thread
    }
}

async fn take_up(
    broker: Arc<Broker>,
    mut loaded: UnboundedReceiver<TopicPartition>,
    mut stop: watch::Receiver<bool>,
) {
    let mut partitions = Vec::new();
    loop {
        let count = tokio::select! {
            count = loaded.recv_many(&mut partitions, AT_ONCE) => count,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if count == 0 {
            return;
        }
        publisher::take_up(&broker, &partitions).await;
        partitions.clear();
    }
}

fn load(broker: &Broker, image: &MetadataImage, found: FoundLogs, tell: &UnboundedSender<TopicPartition>) {
    let config_for = |partition: &TopicPartition, id| config_for(broker, image, partition, id);
    // Nobody listens any more when the node stops.
    let loaded = |partition: &TopicPartition| drop(tell.send(partition.clone()));
    if let Err(error) = broker.replicas.logs().load_found(found, &config_for, &loaded) {
        tracing::error!("not all logs can be loaded: {error}");
    }
}

/// Returns a log's configuration, if the metadata places it here.
fn config_for(
    broker: &Broker,
    image: &MetadataImage,
    partition: &TopicPartition,
    id: Option<Uuid>,
) -> Option<Arc<LogConfig>> {
    let topic = image.topics().by_name(&partition.topic)?;
    let is_here = topic.partition(partition.partition)?.replicas.contains(&broker.node_id);
    let is_same = id.is_none_or(|id| id == topic.id());
    (is_here && is_same).then(|| broker.dynamic_config.topic(image, &partition.topic))
}
