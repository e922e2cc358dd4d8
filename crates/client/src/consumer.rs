//! The consumer: records of topics, alone or as a member of a group. Kafka: `KafkaConsumer`.
//!
//! Everything happens within [`Consumer::poll`] and the other calls, but for heartbeats and requests under way.
//!
//! Not yet: interceptors, assignment by racks.

pub mod assignors;
mod commits;
mod completed_fetch;
mod fetch_session;
mod fetcher;
mod heartbeat;
mod join;
mod leave;
mod listener;
mod measures;
mod member;
mod membership;
mod poll;
mod positions;
mod reconciliation;
mod record;
mod resets;
mod subscription;
mod waker;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use model::{NodeId, Offset, TopicPartition};
use regex::Regex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::admin::Committed;
use crate::cluster::{Cluster, CoordinatorClient, CoordinatorKind, Interest, LeaderAndEpoch, View};
use crate::config::{AutoOffsetReset, ConfigMap, ConsumerConfig, GroupProtocol, IsolationLevel};
use crate::error::{Error, Result};
use crate::metrics::ClientMetric;
use crate::offsets::OffsetAndMetadata;

pub use commits::Offsets;
pub use listener::{ListenerFuture, RebalanceListener};
pub use record::{ConsumerRecord, ConsumerRecords};
pub use waker::Waker;

use fetcher::{Fetched, Fetcher};
use measures::Measures;
use membership::Membership;
use reconciliation::Reconciler;
use resets::Resets;
use subscription::{Position, Subscriptions, Wanted};

/// A consumer. Dropping it without [`Consumer::close`] commits nothing; the group is left in the background where that is
/// within a tokio runtime, and finds out by the session's timeout elsewhere.
pub struct Consumer {
    config: ConsumerConfig,
    cluster: Cluster,
    view: watch::Receiver<View>,
    seen_updates: u64,
    seen_tries: u64,
    subscriptions: Subscriptions,
    group_client: Option<Arc<CoordinatorClient>>,
    /// Our part in a classic group.
    group: Option<Membership>,
    /// Our part in a group of the consumer protocol.
    reconciler: Option<Reconciler>,
    listener: Option<Box<dyn RebalanceListener>>,
    fetcher: Fetcher,
    tasks: JoinSet<Event>,
    events: VecDeque<Event>,
    next_auto_commit: Instant,
    /// Held by the commit that is under way.
    commit_turns: Arc<tokio::sync::Mutex<()>>,
    wake: Waker,
    /// To be told by the next poll.
    failure: Option<Error>,
    measures: Measures,
}

/// Something that was under way has ended.
enum Event {
    Connected(NodeId, Result<()>),
    Fetched(Fetched),
    Committed(Vec<TopicPartition>, Result<Committed>),
    Reset(Resets),
    Validated(Vec<(TopicPartition, Position)>, Result<protocol::OffsetForLeaderEpochResponse>),
    AutoCommitted(Result<()>),
}

/// Who a consumer is in its group. Kafka: `ConsumerGroupMetadata`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMetadata {
    /// The group.
    pub group_id: String,
    /// The generation, or the member's epoch; -1 while not a member.
    pub generation: i32,
    /// The member; empty while not a member.
    pub member_id: String,
    /// The name as a static member.
    pub group_instance_id: Option<String>,
}

impl Consumer {
    /// Makes a consumer. Must be called within a tokio runtime.
    pub fn new(config: ConsumerConfig) -> Self {
        let cluster = Cluster::new(config.client.clone(), Interest::Brokers);
        let group_client = config
            .group_id
            .clone()
            .map(|group| Arc::new(CoordinatorClient::new(cluster.clone(), CoordinatorKind::Group, group)));
        Self {
            view: cluster.subscribe(),
            seen_updates: 0,
            seen_tries: 0,
            subscriptions: Subscriptions::new(config.auto_offset_reset),
            group_client,
            group: None,
            reconciler: None,
            listener: None,
            fetcher: Fetcher::default(),
            tasks: JoinSet::new(),
            events: VecDeque::new(),
            next_auto_commit: Instant::now() + config.auto_commit_interval,
            commit_turns: Arc::default(),
            wake: Waker::default(),
            failure: None,
            measures: Measures::new(),
            cluster,
            config,
        }
    }

    /// Returns what the consumer measured of its fetches and connections, by group and name. Kafka: `KafkaConsumer.metrics`.
    pub fn metrics(&self) -> Vec<ClientMetric> {
        let partitions = self.subscriptions.partitions.values();
        let lag = partitions.filter_map(|partition| {
            Some(partition.high_watermark?.0.saturating_sub(partition.position()?.offset.0))
        });
        [self.measures.metrics(lag.max()), self.cluster.traffic().metrics("consumer-metrics")].concat()
    }

    /// Makes a consumer from Kafka's keys.
    pub fn from_map(map: &ConfigMap) -> Result<Self> {
        ConsumerConfig::from_map(map).map(Self::new)
    }

    /// Joins the group for `topics`, in place of what was subscribed to before; no topics unsubscribe.
    pub async fn subscribe<T: AsRef<str>>(&mut self, topics: &[T]) -> Result<()> {
        if topics.is_empty() {
            self.unsubscribe().await;
            return Ok(());
        }
        if topics.iter().any(|topic| topic.as_ref().trim().is_empty()) {
            return Err(Error::IllegalArgument(
                "Topic collection to subscribe to cannot contain null or empty topic".into(),
            ));
        }
        let topics: BTreeSet<Arc<str>> = topics.iter().map(|topic| topic.as_ref().into()).collect();
        self.enter_group(Wanted::Topics(topics.clone()))?;
        self.cover(topics);
        Ok(())
    }

    /// Joins the group for all topics, now and later, whose whole name `pattern` matches.
    pub fn subscribe_pattern(&mut self, pattern: Regex) -> Result<()> {
        self.enter_group(Wanted::Pattern(pattern))?;
        self.cluster.interest(|interest| std::mem::replace(interest, Interest::All) != Interest::All);
        let metadata = self.cluster.metadata();
        self.subscriptions.match_pattern(&metadata, self.config.exclude_internal_topics);
        Ok(())
    }

    /// Joins the group for all topics, now and later, that the coordinator finds `pattern` to match, in the syntax of RE2/J.
    /// For `group.protocol=consumer`. Kafka: `subscribe(SubscriptionPattern)`.
    pub fn subscribe_remote_pattern(&mut self, pattern: &str) -> Result<()> {
        if self.config.group_protocol == GroupProtocol::Classic {
            return Err(Error::UnsupportedVersion("Subscribe to RE2/J pattern is not supported when using the CLASSIC protocol defined in config group.protocol".into()));
        }
        if pattern.is_empty() {
            let text = "Topic pattern to subscribe to cannot be empty";
            return Err(Error::IllegalArgument(text.into()));
        }
        self.enter_group(Wanted::RemotePattern(pattern.to_owned()))?;
        // Topics are given by id, and have to be known by name.
        self.cluster.interest(|interest| std::mem::replace(interest, Interest::All) != Interest::All);
        Ok(())
    }

    fn enter_group(&mut self, wanted: Wanted) -> Result<()> {
        let client = self.group_client.clone().ok_or_else(membership::no_group)?;
        if self.config.group_protocol == GroupProtocol::Consumer {
            self.subscriptions.want(wanted)?;
            let config = &self.config;
            self.reconciler.get_or_insert_with(|| Reconciler::new(client, config));
            return Ok(());
        }
        if self.config.assignors.is_empty() {
            return Err(Error::IllegalState(
                "Must configure at least one partition assigner class name to partition.assignment.strategy configuration property".into(),
            ));
        }
        self.subscriptions.want(wanted)?;
        if self.group.is_none() {
            self.group = Some(Membership::new(client, &self.config));
        }
        Ok(())
    }

    /// Tells `listener` from now on when the group gives and takes partitions.
    pub fn set_rebalance_listener(&mut self, listener: impl RebalanceListener + 'static) {
        self.listener = Some(Box::new(listener));
    }

    /// Reads exactly `partitions`, without a group's help; none unsubscribe.
    pub async fn assign(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        if partitions.is_empty() {
            self.unsubscribe().await;
            return Ok(());
        }
        self.subscriptions.want(Wanted::Chosen)?;
        if self.config.enable_auto_commit && self.group_client.is_some() {
            self.next_auto_commit = Instant::now();
            self.auto_commit();
        }
        self.subscriptions.assign(partitions.iter().cloned());
        self.drop_stale_fetches();
        self.cover(partitions.iter().map(|name| Arc::clone(&name.topic)).collect());
        Ok(())
    }

    /// The partitions that are read.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.subscriptions.assigned()
    }

    /// The topics that are subscribed to.
    pub fn subscription(&self) -> Vec<Arc<str>> {
        self.subscriptions.topics.iter().cloned().collect()
    }

    /// Goes on at `offset`.
    pub fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> Result<()> {
        self.seek_to(partition, &OffsetAndMetadata::new(offset))
    }

    /// Goes on at an offset of a known leader epoch, which is checked with the leader.
    pub fn seek_to(&mut self, partition: &TopicPartition, to: &OffsetAndMetadata) -> Result<()> {
        if to.offset.0 < 0 {
            return Err(Error::IllegalArgument("seek offset must not be a negative number".into()));
        }
        let leader: LeaderAndEpoch = self.cluster.metadata().leader_and_epoch(partition);
        self.subscriptions.seek(partition, to, leader)?;
        self.drop_stale_fetches();
        Ok(())
    }

    /// Goes on at the start of each log; of all assigned partitions if none is named.
    pub fn seek_to_beginning(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.seek_by_reset(partitions, AutoOffsetReset::Earliest)
    }

    /// Goes on at the end of each log; of all assigned partitions if none is named.
    pub fn seek_to_end(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        self.seek_by_reset(partitions, AutoOffsetReset::Latest)
    }

    fn seek_by_reset(&mut self, partitions: &[TopicPartition], how: AutoOffsetReset) -> Result<()> {
        let all = self.subscriptions.assigned();
        let partitions = if partitions.is_empty() { &all } else { partitions };
        partitions.iter().try_for_each(|name| self.subscriptions.request_reset(name, how))?;
        self.drop_stale_fetches();
        Ok(())
    }

    /// Gives no records of `partitions` until they are resumed.
    pub fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        partitions
            .iter()
            .try_for_each(|name| self.subscriptions.get_mut(name).map(|partition| partition.paused = true))
    }

    /// Gives records of `partitions` again.
    pub fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()> {
        partitions
            .iter()
            .try_for_each(|name| self.subscriptions.get_mut(name).map(|partition| partition.paused = false))
    }

    /// The partitions that are paused.
    pub fn paused(&self) -> Vec<TopicPartition> {
        self.subscriptions.paused()
    }

    /// The offset of the next record that will be given, if it is known without asking.
    pub fn known_position(&self, partition: &TopicPartition) -> Option<Offset> {
        Some(self.subscriptions.partitions.get(partition)?.position()?.offset)
    }

    /// The offset of the next record that will be given; finds out where that must be, `default.api.timeout.ms` at most.
    pub async fn position(&mut self, partition: &TopicPartition) -> Result<Offset> {
        let deadline = Instant::now() + self.config.default_api_timeout;
        loop {
            self.subscriptions.get_mut(partition)?;
            if let Some(offset) = self.known_position(partition) {
                return Ok(offset);
            }
            self.step_positions()?;
            match tokio::time::timeout_at(deadline, self.tasks.join_next()).await {
                Ok(Some(done)) => self.events.extend(done.ok()),
                Ok(None) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(_) => {
                    return Err(Error::Timeout(format!(
                        "Timeout of {}ms expired before the position for partition {partition} could be determined",
                        self.config.default_api_timeout.as_millis()
                    )));
                }
            }
            self.take_position_events()?;
        }
    }

    /// Takes in what concerns positions; the rest waits for the next poll.
    fn take_position_events(&mut self) -> Result<()> {
        for event in std::mem::take(&mut self.events) {
            match event {
                Event::Committed(asked, result) => self.take_committed(&asked, result)?,
                Event::Reset(resets) => self.take_resets(resets)?,
                Event::Validated(asked, result) => self.take_validation(asked, result)?,
                other => self.events.push_back(other),
            }
        }
        Ok(())
    }

    /// How many records are before the end of the partition, as the last fetch told.
    pub fn current_lag(&self, partition: &TopicPartition) -> Option<i64> {
        let state = self.subscriptions.partitions.get(partition)?;
        let end = match self.config.isolation_level {
            IsolationLevel::ReadCommitted => state.last_stable,
            IsolationLevel::ReadUncommitted => state.high_watermark,
        };
        Some((end?.0 - state.position()?.offset.0).max(0))
    }

    /// Who we are in the group.
    pub fn group_metadata(&self) -> Result<GroupMetadata> {
        let group_id = self.config.group_id.clone().ok_or_else(membership::no_group)?;
        let group_instance_id = self.config.group_instance_id.clone();
        let (member_id, generation) = match (&self.reconciler, &self.group) {
            (Some(reconciler), _) => {
                let (id, epoch) = reconciler.identity();
                (if epoch.is_some() { id } else { String::new() }, epoch.unwrap_or(-1))
            }
            (None, Some(group)) => (group.member_id.clone(), group.generation),
            (None, None) => (String::new(), -1),
        };
        Ok(GroupMetadata { group_id, generation, member_id, group_instance_id })
    }

    /// Has the group rebalance at the next poll; in a group of the consumer protocol nothing, since the coordinator
    /// decides. Kafka: `enforceRebalance`.
    pub fn enforce_rebalance(&mut self, reason: &str) -> Result<()> {
        if self.config.group_protocol == GroupProtocol::Consumer {
            tracing::warn!("Operation not supported in new consumer group protocol");
            return Ok(());
        }
        self.group()?.request_rejoin(reason);
        Ok(())
    }

    /// What wakes this consumer up from other tasks.
    pub fn waker(&self) -> Waker {
        self.wake.clone()
    }

    /// The cluster underneath.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }
}

#[cfg(test)]
mod tests;
