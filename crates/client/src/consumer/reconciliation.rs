//! A consumer's part in a group of the consumer protocol: it gives up and takes what the coordinator says, step by step.
//! Kafka: `AbstractMembershipManager.maybeReconcile`.
//!
//! Invariants: what stays is not interrupted; partitions are given up, and committed where that is automatic, before the
//! coordinator hears that they are free.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use model::{TopicPartition, Uuid};
use tokio::task::AbortHandle;

use super::Consumer;
use super::member::heartbeat::{self, Shared};
use super::member::{Assignment, Interests, Member, Profile, Stage};
use super::subscription::Wanted;
use crate::chance;
use crate::cluster::{ClusterMetadata, CoordinatorClient};
use crate::config::ConsumerConfig;
use crate::error::Result;

/// The member, and the task that speaks for it.
pub(super) struct Reconciler {
    pub shared: Arc<Shared>,
    client: Arc<CoordinatorClient>,
    max_poll_interval: Duration,
    /// From the first poll on.
    task: Option<AbortHandle>,
}

impl Reconciler {
    pub(super) fn new(client: Arc<CoordinatorClient>, config: &ConsumerConfig) -> Self {
        let profile = Profile {
            group: client.key.clone(),
            instance: config.group_instance_id.clone(),
            rack: Some(config.client_rack.clone()).filter(|rack| !rack.is_empty()),
            assignor: config.remote_assignor.clone(),
            rebalance_timeout_ms: i32::try_from(config.max_poll_interval.as_millis()).unwrap_or(i32::MAX),
        };
        let shared = Arc::new(Shared::new(Member::new(new_id(), profile)));
        Self { shared, client, max_poll_interval: config.max_poll_interval, task: None }
    }

    /// Takes what is subscribed to; joins with that, the first time.
    fn tell(&mut self, interests: Interests) {
        let news = self.shared.with(|member| member.want(interests));
        if self.task.is_none() {
            let (shared, client) = (Arc::clone(&self.shared), Arc::clone(&self.client));
            let running = heartbeat::run(shared, client, self.max_poll_interval);
            self.task = Some(tokio::spawn(running).abort_handle());
        } else if news {
            self.shared.wake.notify_one();
        }
    }

    /// Leaves the group, unless it was never joined.
    pub(super) async fn leave(self) {
        let Some(task) = &self.task else { return };
        task.abort();
        let farewell = self.shared.with(|member| member.is_in().then(|| member.farewell()));
        let Some(farewell) = farewell else { return };
        if let Err(error) = heartbeat::say(&self.client, farewell).await {
            tracing::debug!(%error, "leaving the group failed");
        }
    }

    /// The member's id and its epoch; no epoch while it is no member.
    pub(super) fn identity(&self) -> (String, Option<i32>) {
        self.shared.with(|member| (member.id.clone(), Some(member.epoch).filter(|epoch| *epoch > 0)))
    }
}

impl Drop for Reconciler {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// An id as Kafka's clients make them. Kafka: `Uuid.randomUuid`.
fn new_id() -> String {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&chance::number().to_be_bytes());
    bytes[8..].copy_from_slice(&chance::number().to_be_bytes());
    Uuid::from_random_bytes(bytes).to_string()
}

impl Consumer {
    /// Tells the member what is subscribed to.
    fn tell_subscription(&mut self) {
        let pattern = match &self.subscriptions.wanted {
            Wanted::RemotePattern(pattern) => Some(pattern.clone()),
            _ => None,
        };
        let topics = match pattern {
            Some(_) => BTreeSet::new(),
            None => self.subscriptions.topics.iter().map(ToString::to_string).collect(),
        };
        if let Some(reconciler) = &mut self.reconciler {
            reconciler.tell(Interests { topics, pattern });
        }
    }

    /// Does what the coordinator asks for.
    pub(super) async fn step_member(&mut self) -> Result<()> {
        self.tell_subscription();
        let Some(shared) = self.reconciler.as_ref().map(|reconciler| Arc::clone(&reconciler.shared)) else {
            return Ok(());
        };
        let failure = shared.with(Member::take_failure);
        let stage = shared.with(|member| member.stage());
        match stage {
            Stage::Fenced | Stage::Stale | Stage::Fatal => {
                let assigned = self.subscriptions.assigned();
                if let Err(error) = self.give_up(&assigned, true).await {
                    tracing::error!(%error, "the rebalance listener failed for partitions that were lost");
                }
                shared.with(Member::rejoin);
                shared.wake.notify_one();
            }
            Stage::Reconciling => self.reconcile(&shared).await?,
            Stage::Joining | Stage::Acknowledging | Stage::Stable => {}
        }
        failure.map_or(Ok(()), Err)
    }

    async fn reconcile(&mut self, shared: &Shared) -> Result<()> {
        let Some((joins, target)) = shared.with(|member| member.to_reconcile()) else { return Ok(()) };
        let metadata = self.cluster.metadata();
        let resolved = resolvable(&target, &metadata);
        if resolved.len() < target.len() {
            self.cluster.request_update();
        }
        if resolved == shared.with(|member| member.owned().clone()) {
            return Ok(());
        }
        let assigned = named(&resolved, &metadata);
        let owned = self.subscriptions.assigned();
        let added: Vec<TopicPartition> =
            assigned.iter().filter(|name| !owned.contains(name)).cloned().collect();
        let revoked: Vec<TopicPartition> =
            owned.into_iter().filter(|name| !assigned.contains(name)).collect();
        tracing::info!(?added, ?revoked, "reconciling");
        if self.config.enable_auto_commit {
            self.commit_before_rebalance().await;
        }
        if !revoked.is_empty() && shared.with(|member| member.may_go_on(joins)) {
            self.give_up(&revoked, false).await?;
        }
        if !shared.with(|member| member.may_go_on(joins)) {
            return Ok(());
        }
        self.subscriptions.assign(assigned);
        self.note_leaders();
        self.next_auto_commit = tokio::time::Instant::now() + self.config.auto_commit_interval;
        if let Some(mut listener) = self.listener.take() {
            let told = listener.on_partitions_assigned(self, &added).await;
            self.listener.get_or_insert(listener);
            told?;
        }
        shared.with(|member| member.reconciled(joins, resolved));
        shared.wake.notify_one();
        Ok(())
    }
}

/// The part of `target` whose topics have a name.
fn resolvable(target: &Assignment, metadata: &ClusterMetadata) -> Assignment {
    let known = target.iter().filter(|(topic, _)| metadata.topic_name(**topic).is_some());
    known.map(|(topic, partitions)| (*topic, partitions.clone())).collect()
}

fn named(assignment: &Assignment, metadata: &ClusterMetadata) -> Vec<TopicPartition> {
    let of = |(topic, partitions): (&Uuid, &BTreeSet<i32>)| {
        let name = metadata.topic_name(*topic).cloned();
        let partitions = partitions.clone();
        name.into_iter().flat_map(move |name| {
            partitions.clone().into_iter().map(move |index| TopicPartition::new(Arc::clone(&name), index))
        })
    };
    assignment.iter().flat_map(of).collect()
}
