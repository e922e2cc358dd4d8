//! A consumer's part in its group: when it joins, what it gives up before, what it gets after.
//! Kafka: `AbstractCoordinator`, `ConsumerCoordinator`.
//!
//! Invariants: with an eager protocol nothing is kept through a rebalance; with the cooperative one only what was
//! taken is given up; partitions that were lost are never committed.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::TopicPartition;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Consumer;
use super::assignors::{Assignor, Topics};
use super::heartbeat::{self, Identity, Signals, Verdict};
use super::join::{self, JoinFailed, JoinParameters, Joined, Outcome};
use crate::cluster::ClusterMetadata;
use crate::cluster::CoordinatorClient;
use crate::config::ConsumerConfig;
use crate::error::{Error, Result};

pub(super) struct Membership {
    pub client: Arc<CoordinatorClient>,
    pub signals: Arc<Signals>,
    pub member_id: String,
    pub generation: i32,
    assignors: Vec<Assignor>,
    cooperative: bool,
    /// Why to join, if so.
    rejoin: Option<String>,
    /// What was to be given up before joining was given up.
    prepared: bool,
    /// The join that is under way, one at most.
    joins: JoinSet<Outcome>,
    /// The member id by which the coordinator knows that join; empty while it has given none.
    joins_as: watch::Receiver<String>,
    /// How the last join ended, until that is taken in.
    outcome: Option<Outcome>,
    /// What we had is not ours any more.
    lost: bool,
    had: Vec<TopicPartition>,
    joined_topics: BTreeSet<Arc<str>>,
    led: Option<Topics>,
    /// The task that tells the coordinator that we live, one at most.
    heartbeat: JoinSet<()>,
    failures: u32,
    pub not_before: Option<Instant>,
}

impl Membership {
    pub(super) fn new(client: Arc<CoordinatorClient>, config: &ConsumerConfig) -> Self {
        let assignors: Vec<Assignor> =
            config.assignors.iter().filter_map(|name| Assignor::from_name(name)).collect();
        Self {
            client,
            signals: Arc::new(Signals::new()),
            member_id: String::new(),
            generation: -1,
            cooperative: assignors.iter().all(|assignor| assignor.is_cooperative()),
            assignors,
            rejoin: Some(String::new()),
            prepared: false,
            joins: JoinSet::new(),
            joins_as: watch::channel(String::new()).1,
            outcome: None,
            lost: false,
            had: Vec::new(),
            joined_topics: BTreeSet::new(),
            led: None,
            heartbeat: JoinSet::new(),
            failures: 0,
            not_before: None,
        }
    }

    /// Asks for a rebalance.
    pub(super) fn request_rejoin(&mut self, why: impl Into<String>) {
        self.rejoin.get_or_insert_with(|| why.into());
    }

    pub(super) fn identity(&self, config: &ConsumerConfig) -> Identity {
        Identity {
            member_id: self.member_id.clone(),
            generation: self.generation,
            instance: config.group_instance_id.clone(),
        }
    }

    pub(super) fn is_joining(&self) -> bool {
        !self.joins.is_empty() || self.outcome.is_some()
    }

    /// Waits until the join that is under way has ended.
    pub(super) async fn join_ended(&mut self) {
        match self.joins.join_next().await {
            Some(ended) => self.outcome = ended.ok(),
            None => std::future::pending().await,
        }
    }

    fn take_outcome(&mut self) -> Option<Outcome> {
        if let Some(ended) = self.joins.try_join_next() {
            self.outcome = ended.ok();
        }
        self.outcome.take()
    }

    /// Leaves the group. A join that is under way makes us a member whether or not we wait for it: then we leave as the
    /// member that it knows, and where it has no id yet, the first answer gives it.
    pub(super) async fn leave(mut self, reason: &str) {
        self.stop_heartbeat();
        let joining = self.is_joining();
        if joining {
            if let Ok(member_id) = self.joins_as.wait_for(|member_id| !member_id.is_empty()).await {
                self.member_id = member_id.clone();
            }
            self.joins.abort_all();
        }
        if self.member_id.is_empty() {
            return;
        }
        let (member_id, generation) = (self.member_id.clone(), self.generation);
        let identity = Identity { member_id, generation, instance: None };
        if let Err(error) = heartbeat::leave(&self.client, &identity, reason, joining).await {
            tracing::debug!(%error, "leaving the group failed");
        }
    }

    fn stop_heartbeat(&mut self) {
        self.heartbeat = JoinSet::new();
    }

    /// We are no member any more. The id is kept if the group may still know it.
    pub(super) fn reset(&mut self, keep_id: bool) {
        self.stop_heartbeat();
        self.generation = -1;
        self.lost = true;
        if !keep_id {
            self.member_id = String::new();
        }
        self.request_rejoin("the generation was reset");
    }

    /// The leader looks whether topics have grown, come or gone.
    fn topics_changed(&self, metadata: &ClusterMetadata) -> bool {
        self.led.as_ref().is_some_and(|led| {
            led.iter().any(|(topic, count)| metadata.partition_count(topic).is_some_and(|now| now != *count))
        })
    }
}

impl Consumer {
    /// Does what the group asks for, and joins it where that is due.
    pub(super) async fn step_group(&mut self) -> Result<()> {
        if !self.subscriptions.is_subscribed() {
            return Ok(());
        }
        if self.reconciler.is_some() {
            return self.step_member().await;
        }
        if let Some(verdict) = self.group()?.signals.take() {
            self.take_verdict(verdict)?;
        }
        let topics = self.subscriptions.topics.clone();
        let group = self.group()?;
        if group.generation >= 0 && topics != group.joined_topics {
            group.request_rejoin("the subscription has changed");
        }
        let due = group.rejoin.is_some() && !group.is_joining();
        if !due || group.not_before.is_some_and(|at| Instant::now() < at) {
            return Ok(());
        }
        if !group.prepared {
            self.group()?.prepared = true;
            self.prepare_join().await?;
        }
        self.start_join()
    }

    fn take_verdict(&mut self, verdict: Verdict) -> Result<()> {
        let group = self.group()?;
        match verdict {
            Verdict::Rebalance => group.request_rejoin("the group is rebalancing"),
            Verdict::Lost(why) => {
                tracing::info!(group = group.client.key, why, "the membership was lost");
                let keep_id = why != "the coordinator does not know the member";
                group.reset(keep_id);
            }
            Verdict::Fatal(error) => {
                group.reset(true);
                return Err(error);
            }
        }
        Ok(())
    }

    pub(super) fn notice_topics(&mut self, metadata: &ClusterMetadata) {
        if let Some(group) = self.group.as_mut()
            && group.topics_changed(metadata)
        {
            group.request_rejoin("the topics have changed");
        }
    }

    /// Gives up what must not be kept through the rebalance. Kafka: `ConsumerCoordinator.onJoinPrepare`.
    async fn prepare_join(&mut self) -> Result<()> {
        let assigned = self.subscriptions.assigned();
        let topics = self.subscriptions.topics.clone();
        let group = self.group()?;
        let (lost, cooperative) = (std::mem::take(&mut group.lost), group.cooperative);
        group.had = assigned.clone();
        if lost {
            self.give_up(&assigned, true).await?;
            return Ok(());
        }
        if self.config.enable_auto_commit {
            self.commit_before_rebalance().await;
        }
        let revoked: Vec<TopicPartition> =
            assigned.into_iter().filter(|name| !cooperative || !topics.contains(&name.topic)).collect();
        self.give_up(&revoked, false).await
    }

    /// Tells the listener and drops `partitions`.
    pub(super) async fn give_up(&mut self, partitions: &[TopicPartition], lost: bool) -> Result<()> {
        for name in partitions {
            if let Ok(partition) = self.subscriptions.get_mut(name) {
                partition.leaving = true;
            }
        }
        let told = if partitions.is_empty() {
            Ok(())
        } else if let Some(mut listener) = self.listener.take() {
            let told = if lost {
                listener.on_partitions_lost(self, partitions).await
            } else {
                listener.on_partitions_revoked(self, partitions).await
            };
            self.listener.get_or_insert(listener);
            told
        } else {
            Ok(())
        };
        let kept = self.subscriptions.assigned().into_iter().filter(|name| !partitions.contains(name));
        let kept: Vec<TopicPartition> = kept.collect();
        self.subscriptions.assign(kept);
        self.drop_stale_fetches();
        told
    }

    fn start_join(&mut self) -> Result<()> {
        let owned = self.subscriptions.assigned();
        let topics = self.subscriptions.topics.clone();
        let config = self.config.clone();
        let group = self.group()?;
        group.stop_heartbeat();
        let parameters = JoinParameters {
            client: Arc::clone(&group.client),
            member_id: group.member_id.clone(),
            generation: group.generation,
            instance: config.group_instance_id.clone(),
            session_timeout: config.session_timeout,
            rebalance_timeout: config.max_poll_interval,
            topics: topics.iter().map(ToString::to_string).collect(),
            owned: if group.cooperative { owned } else { Vec::new() },
            had: group.had.clone(),
            rack: Some(config.client_rack.clone()),
            assignors: group.assignors.clone(),
            reason: group.rejoin.clone().unwrap_or_default(),
        };
        group.joined_topics = topics;
        group.rejoin = None;
        let (known_as, joins_as) = watch::channel(group.member_id.clone());
        group.joins_as = joins_as;
        let (interval, max_poll) = (config.heartbeat_interval, config.max_poll_interval);
        let (client, signals) = (Arc::clone(&group.client), Arc::clone(&group.signals));
        group.joins.spawn(async move {
            let instance = parameters.instance.clone();
            let mut joined = join::join(parameters, known_as).await?;
            // Its user may poll much later.
            let identity =
                Identity { member_id: joined.member_id.clone(), generation: joined.generation, instance };
            joined.heartbeat.spawn(heartbeat::run(client, identity, interval, max_poll, signals));
            Ok(joined)
        });
        Ok(())
    }

    /// Takes in how a join ended, if one did. Kafka: `ConsumerCoordinator.onJoinComplete`.
    pub(super) async fn take_join(&mut self) -> Result<()> {
        match self.group.as_mut().and_then(Membership::take_outcome) {
            Some(Ok(joined)) => self.joined(joined).await,
            Some(Err(failure)) => self.join_failed(failure),
            None => Ok(()),
        }
    }

    fn join_failed(&mut self, failure: JoinFailed) -> Result<()> {
        let group = self.group()?;
        tracing::debug!(group = group.client.key, error = %failure.error, "joining failed");
        match failure.member_id {
            Some(member_id) => group.member_id = member_id,
            None => {
                group.reset(false);
                group.prepared = false;
            }
        }
        if failure.error.is(protocol::ErrorCode::ILLEGAL_GENERATION) {
            group.reset(true);
            group.prepared = false;
        }
        group.request_rejoin(format!("rejoining after {}", failure.error.kafka_name()));
        if !failure.again {
            return Err(failure.error);
        }
        let wait = group.client.cluster.retry_delay(group.failures);
        group.failures += 1;
        group.not_before = Some(Instant::now() + wait);
        Ok(())
    }

    async fn joined(&mut self, joined: Joined) -> Result<()> {
        let owned = self.subscriptions.assigned();
        let group = self.group()?;
        group.member_id = joined.member_id;
        group.generation = joined.generation;
        group.led = joined.led;
        group.prepared = false;
        group.failures = 0;
        group.not_before = None;
        group.heartbeat = joined.heartbeat;
        let cooperative = group.cooperative;
        tracing::info!(
            group = group.client.key,
            generation = group.generation,
            assignor = joined.assignor.name(),
            partitions = joined.partitions.len(),
            "joined"
        );

        let added: Vec<TopicPartition> =
            joined.partitions.iter().filter(|name| !owned.contains(name)).cloned().collect();
        let revoked: Vec<TopicPartition> =
            owned.into_iter().filter(|name| !joined.partitions.contains(name)).collect();
        let mut told = Ok(());
        if cooperative && !revoked.is_empty() {
            if self.config.enable_auto_commit {
                self.commit_before_rebalance().await;
            }
            told = self.give_up(&revoked, false).await;
            self.group()?.request_rejoin("need to revoke partitions and re-join");
        }
        self.subscriptions.assign(joined.partitions);
        self.note_leaders();
        self.next_auto_commit = Instant::now() + self.config.auto_commit_interval;
        let Some(mut listener) = self.listener.take() else { return told };
        let told_more = listener.on_partitions_assigned(self, &added).await;
        self.listener.get_or_insert(listener);
        told.and(told_more)
    }

    pub(super) fn group(&mut self) -> Result<&mut Membership> {
        self.group.as_mut().ok_or_else(no_group)
    }
}

/// Kafka: `ClassicKafkaConsumer.throwIfGroupIdNotDefined`.
pub(super) fn no_group() -> Error {
    Error::broker(protocol::ErrorCode::INVALID_GROUP_ID)
}
