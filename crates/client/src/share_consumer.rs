//! The share consumer: records of topics, shared with the other members of a share group (KIP-932). Kafka:
//! `KafkaShareConsumer`.
//!
//! Each record is locked for this member until it is acknowledged: by itself with the next poll or commit, or, with
//! `share.acknowledgement.mode=explicit`, as the user says. Everything happens within [`ShareConsumer::poll`] and the
//! other calls, but for heartbeats and requests under way.
//!
//! Not yet: interceptors.

mod deliveries;
mod measures;
mod membership;
mod node_session;
mod poll;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::{NodeId, Offset, TopicPartition};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::cluster::{Cluster, CoordinatorClient, CoordinatorKind, Interest, View};
use crate::config::{ConfigMap, ShareConsumerConfig};
use crate::consumer::{ConsumerRecord, Waker};
use crate::error::{Error, Result};
use crate::metrics::ClientMetric;

use deliveries::{Deliveries, ShareKey};
use measures::{Heartbeats, Measures};
use membership::{Assignment, Membership};
use node_session::NodeSession;
use requests::Answered;

/// A record, and how often it was delivered.
#[derive(Clone, Debug, PartialEq)]
pub struct ShareRecord {
    /// The record.
    pub record: ConsumerRecord,
    /// How often it was delivered to the group, this time included.
    pub delivery_count: i16,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcknowledgeType {
    /// It was processed.
    Accept = 1,
    /// It was not, and may be delivered again.
    Release = 2,
    /// It cannot be, and is not to be delivered again.
    Reject = 3,
    /// It still is: its lock is to begin anew. The record comes again with a later poll.
    Renew = 4,
}

/// What the broker said to the acknowledgements of a partition's records.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    /// The partition.
    pub partition: TopicPartition,
    /// The records.
    pub offsets: BTreeSet<Offset>,
    /// Whether they are acknowledged; if not, they may be delivered again.
    pub outcome: Result<()>,
}

/// What is told of acknowledgements. Kafka: `AcknowledgementCommitCallback`.
type AcknowledgementCallback = Box<dyn FnMut(&Acknowledged) + Send>;

/// A member of a share group. Dropping it without [`ShareConsumer::close`] leaves its records locked until their time is
/// up or the connection's end is noticed; the group is left in the background where that is within a tokio runtime, and
/// finds out by the session's timeout elsewhere.
pub struct ShareConsumer {
    config: ShareConsumerConfig,
    cluster: Cluster,
    view: watch::Receiver<View>,
    coordinator: Arc<CoordinatorClient>,
    membership: Option<Membership>,
    assignment: watch::Receiver<Assignment>,
    sessions: BTreeMap<NodeId, NodeSession>,
    deliveries: Deliveries,
    tasks: JoinSet<Answered>,
    outcomes: Vec<Acknowledged>,
    callback: Option<AcknowledgementCallback>,
    lock_timeout: Option<Duration>,
    measures: Measures,
    heartbeats: Arc<Mutex<Heartbeats>>,
    wake: Waker,
    /// To be told by the next poll.
    failure: Option<Error>,
}

impl ShareConsumer {
    /// Makes a share consumer. Must be called within a tokio runtime.
    pub fn new(config: ShareConsumerConfig) -> Self {
        let cluster = Cluster::new(config.client.clone(), Interest::Brokers);
        let coordinator =
            CoordinatorClient::new(cluster.clone(), CoordinatorKind::Group, config.group_id.clone());
        let (_, assignment) = watch::channel(Assignment::new());
        Self {
            view: cluster.subscribe(),
            coordinator: Arc::new(coordinator),
            membership: None,
            assignment,
            sessions: BTreeMap::new(),
            deliveries: Deliveries::default(),
            tasks: JoinSet::new(),
            outcomes: Vec::new(),
            callback: None,
            lock_timeout: None,
            measures: Measures::new(),
            heartbeats: Arc::default(),
            wake: Waker::default(),
            failure: None,
            cluster,
            config,
        }
    }

    /// Makes a share consumer from Kafka's keys.
    pub fn from_map(map: &ConfigMap) -> Result<Self> {
        ShareConsumerConfig::from_map(map).map(Self::new)
    }

    /// Joins the group for `topics`, in place of what was subscribed to before; no topics unsubscribe.
    pub async fn subscribe<T: AsRef<str>>(&mut self, topics: &[T]) -> Result<()> {
        if topics.iter().any(|topic| topic.as_ref().trim().is_empty()) {
            return Err(Error::IllegalArgument(
                "Topic collection to subscribe to cannot contain null or empty topic".into(),
            ));
        }
        if topics.is_empty() {
            self.unsubscribe().await;
            return Ok(());
        }
        let topics: BTreeSet<Arc<str>> = topics.iter().map(|topic| topic.as_ref().into()).collect();
        let create = self.config.allow_auto_create_topics;
        self.cluster.interest(|interest| interest.replace(topics.clone(), create, Instant::now()));
        match &self.membership {
            Some(membership) => membership.subscribe(topics),
            None => {
                let (client, measures) = (self.coordinator.clone(), self.heartbeats.clone());
                let (membership, assignment) =
                    Membership::join(client, &self.config.client_rack, topics, measures);
                (self.membership, self.assignment) = (Some(membership), assignment);
            }
        }
        Ok(())
    }

    /// Leaves the group; what is held goes to other members.
    pub async fn unsubscribe(&mut self) {
        let deadline = Instant::now() + self.config.default_api_timeout;
        let left = tokio::spawn(self.leave(deadline).await);
        _ = tokio::time::timeout_at(deadline, left).await;
        self.deliveries = Deliveries::default();
    }

    /// The topics subscribed to.
    pub fn subscription(&self) -> BTreeSet<Arc<str>> {
        self.membership.as_ref().map(Membership::subscription).unwrap_or_default()
    }

    /// Says that `record` was processed. Only with `share.acknowledgement.mode=explicit`.
    pub fn acknowledge(&mut self, record: &ShareRecord) -> Result<()> {
        self.acknowledge_as(record, AcknowledgeType::Accept)
    }

    /// Says what became of `record`. Only with `share.acknowledgement.mode=explicit`.
    pub fn acknowledge_as(&mut self, record: &ShareRecord, kind: AcknowledgeType) -> Result<()> {
        let record = &record.record;
        self.acknowledge_offset(&record.topic, record.partition, record.offset, kind)
    }

    /// Says what became of a record that was delivered. Only with `share.acknowledgement.mode=explicit`.
    pub fn acknowledge_offset(
        &mut self,
        topic: &str,
        partition: i32,
        offset: Offset,
        kind: AcknowledgeType,
    ) -> Result<()> {
        if !self.config.explicit_acknowledgement {
            return Err(Error::IllegalState("Implicit acknowledgement of delivery is being used.".into()));
        }
        match self.deliveries.acknowledge(topic, partition, offset, kind) {
            true => Ok(()),
            false => Err(Error::IllegalState("The record cannot be acknowledged.".into())),
        }
    }

    /// Has acknowledgements reported to `callback`, from within poll, commit and close.
    pub fn set_acknowledgement_commit_callback(
        &mut self,
        callback: impl FnMut(&Acknowledged) + Send + 'static,
    ) {
        self.callback = Some(Box::new(callback));
    }

    /// How long records are locked for a member; not known before the first answer.
    pub fn acquisition_lock_timeout(&self) -> Option<Duration> {
        self.lock_timeout
    }

    /// Returns what the consumer measured of its polls, heartbeats, fetches, acknowledgements and connections, by group and
    /// name. Kafka: `KafkaShareConsumer.metrics`.
    pub fn metrics(&self) -> Vec<ClientMetric> {
        let own = self.measures.metrics(&self.heartbeats.lock().expect("no holder panics"));
        [own, self.cluster.traffic().metrics("consumer-metrics")].concat()
    }

    /// What ends a poll from another task.
    pub fn waker(&self) -> Waker {
        self.wake.clone()
    }

    /// Sends what is acknowledged, gives back what is not, and leaves the group, within `timeout`. That we leave is still
    /// said after that.
    pub async fn close(mut self, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        self.acknowledge_delivered();
        let (leaving, cluster) = (self.leave(deadline).await, self.cluster.clone());
        let left = tokio::spawn(async move {
            leaving.await;
            cluster.close();
        });
        _ = tokio::time::timeout_at(deadline, left).await;
        self.report();
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Without explicit acknowledgement, what was delivered counts as processed.
    fn acknowledge_delivered(&mut self) {
        if !self.config.explicit_acknowledgement {
            self.deliveries.accept_all();
        }
    }

    /// Tells the callback of what is known by now.
    fn report(&mut self) {
        let outcomes = std::mem::take(&mut self.outcomes);
        if let Some(callback) = &mut self.callback {
            outcomes.iter().for_each(callback);
        }
    }

    fn name_of(&self, key: ShareKey) -> Option<TopicPartition> {
        let metadata = self.cluster.metadata();
        metadata.topic_name(key.topic_id).map(|topic| TopicPartition::new(topic.clone(), key.partition))
    }
}

impl Drop for ShareConsumer {
    fn drop(&mut self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current()
            && let Some(membership) = self.membership.take()
        {
            runtime.spawn(membership.leave());
        }
    }
}

#[cfg(test)]
mod tests;
