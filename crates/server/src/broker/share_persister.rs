//! Reaches the share coordinator of each partition of a share group: has its topic made, and tries again while it loads.
//!
//! Not yet: a coordinator on another broker, which is answered with `NOT_COORDINATOR`.
//! Kafka: `DefaultStatePersister`, `PersisterStateManager`.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use coordinator::{Later, Persister};
use coordinators::share::{
    SharePartitionKey, ShareState, ShareStateError, ShareStateSummary, ShareStateWrite,
};
use model::{Offset, topic_name};
use protocol::ErrorCode;

use super::Broker;

/// How long a coordinator that cannot be reached is tried.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the first wait between two tries is; each is twice as long as the one before.
const FIRST_BACKOFF: Duration = Duration::from_millis(20);
/// How long the longest wait is.
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// The persister of a broker.
#[derive(Clone, Debug)]
pub struct SharePersister {
    broker: Weak<Broker>,
}

impl SharePersister {
    /// Asks the coordinators that `broker` knows of.
    pub fn new(broker: Weak<Broker>) -> Self {
        Self { broker }
    }

    /// Tries until a coordinator answers, or patience is over.
    async fn ask<T, F>(&self, one: impl Fn(Arc<Broker>) -> F) -> Result<T, ShareStateError>
    where
        F: Future<Output = Result<T, ShareStateError>>,
    {
        let clock = self.broker()?.clock.clone();
        let give_up = clock.monotonic() + PATIENCE;
        let mut backoff = FIRST_BACKOFF;
        loop {
            let broker = self.broker()?;
            let answer = match has_topic(&broker) {
                true => one(broker).await,
                false => Err(ErrorCode::COORDINATOR_NOT_AVAILABLE.into()),
            };
            match answer {
                Err(error) if may_pass(error.code) && clock.monotonic() < give_up => {}
                answer => return answer,
            }
            tokio::time::sleep(backoff).await;
            backoff = (2 * backoff).min(LONGEST_BACKOFF);
        }
    }

    fn broker(&self) -> Result<Arc<Broker>, ShareStateError> {
        self.broker.upgrade().ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE.into())
    }
}

/// Tells whether the coordinator's topic is there, and else has it made.
fn has_topic(broker: &Arc<Broker>) -> bool {
    let is_there = broker.metadata.image().topics().by_name(topic_name::SHARE_GROUP_STATE).is_some();
    if !is_there {
        broker.topic_creation.create(broker, [topic_name::SHARE_GROUP_STATE.to_owned()], None);
    }
    is_there
}

/// Tells whether it may help to try again.
fn may_pass(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            | ErrorCode::NOT_COORDINATOR
    )
}

impl Persister for SharePersister {
    fn initialize_state(
        &self,
        key: SharePartitionKey,
        state_epoch: i32,
        start_offset: Offset,
    ) -> Later<'_, Result<(), ShareStateError>> {
        Box::pin(async move {
            let key = &key;
            let one = move |broker: Arc<Broker>| async move {
                broker.share.initialize(key.clone(), state_epoch, start_offset).await
            };
            self.ask(one).await
        })
    }

    fn read_state(
        &self,
        key: SharePartitionKey,
        leader_epoch: i32,
    ) -> Later<'_, Result<ShareState, ShareStateError>> {
        Box::pin(async move {
            let key = &key;
            self.ask(move |broker| async move { broker.share.read(key.clone(), leader_epoch).await }).await
        })
    }

    fn write_state(
        &self,
        key: SharePartitionKey,
        write: ShareStateWrite,
    ) -> Later<'_, Result<(), ShareStateError>> {
        Box::pin(async move {
            let (key, write) = (&key, &write);
            let one = move |broker: Arc<Broker>| async move {
                let begun = broker.clock.monotonic();
                let written = broker.share.write(key.clone(), write.clone()).await;
                let took = broker.clock.monotonic().saturating_sub(begun);
                broker.metrics.share_coordinator.written(took);
                written
            };
            self.ask(one).await
        })
    }

    fn delete_state(&self, key: SharePartitionKey) -> Later<'_, Result<(), ShareStateError>> {
        Box::pin(async move {
            let key = &key;
            self.ask(move |broker| async move { broker.share.delete(key.clone()).await }).await
        })
    }

    fn read_summary(&self, key: SharePartitionKey) -> Later<'_, Result<ShareStateSummary, ShareStateError>> {
        Box::pin(async move {
            let key = &key;
            self.ask(move |broker| async move { broker.share.summarize(key.clone()).await }).await
        })
    }
}
