//! The newest metadata image, and what clients ask of it.
//!
//! Kafka: `KRaftMetadataCache`.

use std::sync::{Arc, RwLock};

use metadata::{BrokerRegistration, MetadataImage, PartitionRegistration};
use model::{NodeId, Uuid};
use tokio::sync::watch;

/// Holds the newest image that this broker has acted on.
#[derive(Debug)]
pub struct MetadataCache {
    image: RwLock<Arc<MetadataImage>>,
    published: watch::Sender<i64>,
}

/// A broker as clients are told of it: its id and its endpoint on one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerNode {
    /// The broker.
    pub id: NodeId,
    /// Its host there.
    pub host: String,
    /// Its port there.
    pub port: i32,
    /// Its rack, where it has one.
    pub rack: Option<String>,
}

impl Default for MetadataCache {
    fn default() -> Self {
        Self { image: RwLock::default(), published: watch::Sender::new(-1) }
    }
}

impl MetadataCache {
    /// Returns the newest image.
    pub fn image(&self) -> Arc<MetadataImage> {
        self.image.read().expect("no holder panics").clone()
    }

    /// Makes `image` the newest.
    pub fn publish(&self, image: Arc<MetadataImage>) {
        let offset = image.provenance().last_contained_offset.0;
        *self.image.write().expect("no holder panics") = image;
        self.published.send_replace(offset);
    }

    /// Waits until an image with the record at `offset` was published.
    pub async fn wait_for(&self, offset: i64) {
        // The sender lives as long as this cache, so the wait cannot fail.
        let _ = self.published.subscribe().wait_for(|published| *published >= offset).await;
    }

    /// Returns the id of the topic called `name`; zero if there is none.
    pub fn topic_id(&self, name: &str) -> Uuid {
        self.image().topics().id_of(name).unwrap_or(Uuid::ZERO)
    }

    /// Returns the name of the topic with `id`.
    pub fn topic_name(&self, id: Uuid) -> Option<Arc<str>> {
        self.image().topics().by_id(id).map(|topic| topic.name().clone())
    }
}

/// Returns a broker's endpoint on `listener`, fenced or not.
pub fn node(image: &MetadataImage, id: NodeId, listener: &str) -> Option<BrokerNode> {
    image.cluster().broker(id).and_then(|broker| node_of(broker, listener))
}

/// Returns the brokers that are not fenced and have `listener`.
pub fn alive_nodes(image: &MetadataImage, listener: &str) -> Vec<BrokerNode> {
    image
        .cluster()
        .brokers()
        .filter(|broker| !broker.fenced)
        .filter_map(|broker| node_of(broker, listener))
        .collect()
}

fn node_of(broker: &BrokerRegistration, listener: &str) -> Option<BrokerNode> {
    let endpoint = broker.listeners.get(listener)?;
    let (host, port) = (endpoint.host.clone(), endpoint.port.into());
    Some(BrokerNode { id: broker.id, host, port, rack: broker.rack.clone() })
}

/// Returns a node of which clients may ask what a controller does: any broker that is alive, since all of them forward.
/// Kafka: `KRaftMetadataCache.getRandomAliveBrokerId`.
pub fn controller_id_for_clients(image: &MetadataImage) -> NodeId {
    image.cluster().brokers().find(|broker| !broker.fenced).map_or(NodeId(-1), |broker| broker.id)
}

/// Returns the replicas that clients on `listener` cannot reach, or whose log dir is offline.
pub fn offline_replicas(
    image: &MetadataImage,
    partition: &PartitionRegistration,
    listener: &str,
) -> Vec<i32> {
    let is_online = |id: &NodeId| {
        image.cluster().broker(*id).is_some_and(|broker| {
            let directory = partition.directory(*id).unwrap_or(Uuid::DIRECTORY_MIGRATING);
            !broker.fenced && broker.listeners.contains_key(listener) && broker.has_online_dir(directory)
        })
    };
    partition.replicas.iter().filter(|id| !is_online(id)).map(|id| id.0).collect()
}
