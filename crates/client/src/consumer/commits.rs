//! Committing positions and reading what was committed. Kafka: the offset part of `ConsumerCoordinator`.
//!
//! Invariants: a commit carries the generation that the partitions were had in, so that one that comes too late is
//! refused; commits reach the coordinator in the order in which they were made.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use model::TopicPartition;
use protocol::{ErrorCode, OffsetCommitRequest, OffsetFetchRequest};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::heartbeat::Identity;
use super::membership::no_group;
use super::{Consumer, Event};
use crate::admin::{
    COMMIT_NAMED_VERSION, Committed, FETCH_NAMED_VERSION, commit_topics, committed_request, read_committed,
};
use crate::cluster::CoordinatorClient;
use crate::error::{Error, Result};
use crate::offsets::OffsetAndMetadata;

/// What is committed, by partition.
pub type Offsets = BTreeMap<TopicPartition, OffsetAndMetadata>;

impl Consumer {
    /// Commits every position, and waits; `default.api.timeout.ms` at most.
    pub async fn commit_sync(&mut self) -> Result<()> {
        let offsets = self.subscriptions.consumed();
        self.commit_offsets_sync(&offsets).await
    }

    /// Commits these offsets (each that of the next record to read), and waits; `default.api.timeout.ms` at most.
    pub async fn commit_offsets_sync(&mut self, offsets: &Offsets) -> Result<()> {
        let deadline = Instant::now() + self.config.default_api_timeout;
        self.commit_until(offsets, deadline, false).await.map_err(commit_failed)
    }

    /// `ours`: the user did not ask for it, so that no wakeup ends it, and with an epoch that is a little old it is made
    /// again with the one that has come since.
    async fn commit_until(&mut self, offsets: &Offsets, deadline: Instant, ours: bool) -> Result<()> {
        let client = self.group_client.clone().ok_or_else(no_group)?;
        if offsets.is_empty() {
            return Ok(());
        }
        let wake = self.wake.clone();
        let woken = async { if ours { std::future::pending().await } else { wake.woken().await } };
        let turn = self.commit_turn();
        let committing = async {
            let _turn = turn.await;
            self.commit_with_retries(&client, offsets, ours).await
        };
        let result = tokio::select! {
            result = tokio::time::timeout_at(deadline, committing) => result.unwrap_or_else(|_| Err(timed_out())),
            () = woken => return Err(Error::Wakeup),
        };
        if let Err(error) = &result {
            self.note_commit_error(error);
        }
        result
    }

    async fn commit_with_retries(
        &mut self,
        client: &Arc<CoordinatorClient>,
        offsets: &Offsets,
        ours: bool,
    ) -> Result<()> {
        let mut tries = 0;
        loop {
            let result = commit_once(Arc::clone(client), self.commit_identity()?, offsets.clone()).await;
            let again =
                |error: &Error| error.is_retriable() || ours && error.is(ErrorCode::STALE_MEMBER_EPOCH);
            if !result.as_ref().is_err_and(again) {
                return result;
            }
            tokio::time::sleep(client.cluster.retry_delay(tries)).await;
            tries += 1;
        }
    }

    /// The turn of a commit that is made now: it comes when those before it have ended, so that none of them is
    /// written after it. The place in line is taken at once, not when the turn is first awaited.
    pub(super) fn commit_turn(&self) -> impl Future<Output = OwnedMutexGuard<()>> + Send + 'static + use<> {
        let mut turn = Box::pin(tokio::task::unconstrained(Arc::clone(&self.commit_turns).lock_owned()));
        let mut taken = match turn.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(taken) => Some(taken),
            Poll::Pending => None,
        };
        async move {
            match taken.take() {
                Some(taken) => taken,
                None => turn.await,
            }
        }
    }

    /// Starts committing every position; the future tells how that went, and need not be awaited.
    pub fn commit_async(&mut self) -> Result<impl Future<Output = Result<()>> + Send + 'static + use<>> {
        let offsets = self.subscriptions.consumed();
        self.commit_offsets_async(offsets)
    }

    /// Starts committing these offsets; the future tells how that went, and need not be awaited.
    pub fn commit_offsets_async(
        &mut self,
        offsets: Offsets,
    ) -> Result<impl Future<Output = Result<()>> + Send + 'static + use<>> {
        let client = self.group_client.clone().ok_or_else(no_group)?;
        let identity = self.commit_identity()?;
        let turn = self.commit_turn();
        let task = tokio::spawn(async move {
            if offsets.is_empty() {
                return Ok(());
            }
            let _turn = turn.await;
            commit_once(client, identity, offsets).await.map_err(commit_failed)
        });
        Ok(async move { task.await.unwrap_or_else(|error| Err(Error::Other(error.to_string().into()))) })
    }

    /// Commits every position if that is due. Kafka: `maybeAutoCommitOffsetsAsync`.
    pub(super) fn auto_commit(&mut self) {
        let now = Instant::now();
        if !self.config.enable_auto_commit || now < self.next_auto_commit || self.group_client.is_none() {
            return;
        }
        self.next_auto_commit = now + self.config.auto_commit_interval;
        let (Some(client), Ok(identity)) = (self.group_client.clone(), self.commit_identity()) else {
            return;
        };
        let offsets = self.subscriptions.consumed();
        if !offsets.is_empty() {
            let turn = self.commit_turn();
            self.tasks.spawn(async move {
                let _turn = turn.await;
                Event::AutoCommitted(commit_once(client, identity, offsets).await)
            });
        }
    }

    pub(super) fn take_auto_commit(&mut self, result: Result<()>) {
        if let Err(error) = result {
            if error.is_retriable() {
                self.next_auto_commit = Instant::now() + self.cluster.retry_delay(0);
            }
            tracing::warn!(%error, "the positions could not be committed automatically");
            self.note_commit_error(&error);
        }
    }

    /// Commits every position before partitions are given up; a failure is only logged.
    pub(super) async fn commit_before_rebalance(&mut self) {
        let patience = self.config.client.request_timeout.min(self.config.max_poll_interval);
        self.commit_within(patience).await;
    }

    pub(super) async fn commit_within(&mut self, patience: Duration) {
        let offsets = self.subscriptions.consumed();
        if let Err(error) = self.commit_until(&offsets, Instant::now() + patience, true).await {
            tracing::warn!(%error, "the positions could not be committed");
        }
    }

    /// Who commits: a member of its generation, or, where partitions were chosen, nobody.
    fn commit_identity(&self) -> Result<Identity> {
        if !self.subscriptions.is_subscribed() {
            let instance = self.config.group_instance_id.clone();
            return Ok(Identity { member_id: String::new(), generation: -1, instance });
        }
        if let Some(reconciler) = &self.reconciler {
            let (member_id, epoch) = reconciler.identity();
            let instance = self.config.group_instance_id.clone();
            let identity = |generation| Identity { member_id, generation, instance };
            return epoch.map(identity).ok_or_else(not_a_member);
        }
        match &self.group {
            // Our generation ends with the join, behind which the coordinator would read the commit.
            Some(group) if group.is_joining() => Err(rebalancing()),
            Some(group) if group.generation >= 0 => Ok(group.identity(&self.config)),
            _ => Err(not_a_member()),
        }
    }

    fn note_commit_error(&mut self, error: &Error) {
        let Some(group) = self.group.as_mut() else { return };
        match error {
            Error::CommitFailed(_) => group.reset(true),
            Error::RebalanceInProgress(_) if !group.is_joining() => {
                group.request_rejoin("a commit found the group rebalancing")
            }
            _ => {}
        }
    }

    /// What the group has committed for `partitions`; `None` where nothing was.
    pub async fn committed(
        &mut self,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Option<OffsetAndMetadata>>> {
        let client = self.group_client.clone().ok_or_else(no_group)?;
        let deadline = Instant::now() + self.config.default_api_timeout;
        let mut tries = 0;
        loop {
            let read =
                tokio::time::timeout_at(deadline, fetch_committed(Arc::clone(&client), partitions.to_vec()))
                    .await;
            match read
                .unwrap_or_else(|_| Err(timed_out()))
                .and_then(|read| read.into_iter().map(|(name, result)| Ok((name, result?))).collect())
            {
                Err(error) if error.is_retriable() && !matches!(error, Error::Timeout(_)) => {
                    tokio::time::sleep_until(
                        (Instant::now() + client.cluster.retry_delay(tries)).min(deadline),
                    )
                    .await;
                    tries += 1;
                }
                other => return other,
            }
        }
    }
}

fn timed_out() -> Error {
    Error::Timeout("Timeout of the operation expired before the offsets could be committed or read".into())
}

/// Kafka: `CommitRequestManager.commitSyncExceptionForError`.
fn commit_failed(error: Error) -> Error {
    match error.code() {
        Some(code @ ErrorCode::STALE_MEMBER_EPOCH) => {
            Error::CommitFailed(format!("OffsetCommit failed with stale member epoch.{}", code.message()))
        }
        _ => error,
    }
}

fn rebalancing() -> Error {
    Error::RebalanceInProgress("Offset commit cannot be completed since the consumer is undergoing a rebalance for auto partition assignment. You can try completing the rebalance by calling poll() and then retry the operation.".into())
}

fn not_a_member() -> Error {
    Error::CommitFailed("Offset commit cannot be completed since the consumer is not part of an active group for auto partition assignment; it is likely that the consumer was kicked out of the group.".into())
}

async fn commit_once(client: Arc<CoordinatorClient>, identity: Identity, offsets: Offsets) -> Result<()> {
    let topics = commit_topics(&offsets);
    let response = client
        .send(COMMIT_NAMED_VERSION, client.request_timeout(), |version| OffsetCommitRequest {
            group_id: client.key.clone(),
            generation_id_or_member_epoch: identity.generation,
            member_id: identity.member_id,
            group_instance_id: identity.instance.filter(|_| version >= 7),
            topics,
            ..Default::default()
        })
        .await?;
    for partition in response.topics.iter().flat_map(|topic| &topic.partitions) {
        client.note(partition.error_code);
        match partition.error_code {
            ErrorCode::NONE => {}
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION => {
                return Err(Error::CommitFailed("Offset commit cannot be completed since the group has already rebalanced and assigned the partitions to another member. This means that the time between subsequent calls to poll() was longer than the configured max.poll.interval.ms, which typically implies that the poll loop is spending too much time message processing.".into()));
            }
            ErrorCode::REBALANCE_IN_PROGRESS => {
                return Err(rebalancing());
            }
            code => return Err(Error::broker(code)),
        }
    }
    Ok(())
}

pub(super) async fn fetch_committed(
    client: Arc<CoordinatorClient>,
    partitions: Vec<TopicPartition>,
) -> Result<Committed> {
    let response = client
        .send(FETCH_NAMED_VERSION, client.request_timeout(), |version| -> OffsetFetchRequest {
            committed_request(&client.key, Some(&partitions), true, version)
        })
        .await?;
    let read = read_committed(response);
    if let Err(Error::Broker { code, .. }) = &read {
        client.note(*code);
    }
    read
}
