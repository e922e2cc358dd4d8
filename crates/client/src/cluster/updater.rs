//! The task that keeps a cluster's metadata fresh: when asked, and when it is older than `metadata.max.age.ms`.
//!
//! Invariant: between two tries lies at least the retry backoff.

use std::sync::{Arc, Weak};
use std::time::Duration;

use model::NodeId;
use protocol::metadata_request::MetadataRequestTopic;
use protocol::{DescribeClusterRequest, ErrorCode, MetadataRequest};
use tokio::time::Instant;

use super::{Broker, ClusterMetadata, Inner, Interest};
use crate::chance;
use crate::error::{Error, Result};
use crate::settings::Bootstrap;

/// Runs until the cluster's last handle is gone.
pub(super) async fn run(inner: Weak<Inner>) {
    let mut schedule = Schedule::default();
    loop {
        let Some(max_age) = inner.upgrade().map(|strong| strong.settings.metadata_max_age) else { return };
        if !wanted(&inner, schedule.due(max_age)).await {
            return;
        }
        let Some(strong) = inner.upgrade() else { return };
        tokio::time::sleep_until(schedule.not_before(&strong)).await;
        let result = strong.refresh().await;
        schedule.note(&strong, &result);
        let again = result.as_ref().is_err_and(Error::is_retriable);
        strong.publish(result, &schedule);
        if again {
            strong.wanted.notify_one();
        }
    }
}

/// Waits until an update is wanted or due; false if the client is gone, which is looked at every second.
async fn wanted(inner: &Weak<Inner>, due: Option<Instant>) -> bool {
    loop {
        let Some(strong) = inner.upgrade() else { return false };
        let look_again = Duration::from_secs(1);
        let notified = tokio::time::timeout(look_again, strong.wanted.notified()).await.is_ok();
        if notified || due.is_some_and(|due| Instant::now() >= due) {
            return true;
        }
        if Arc::strong_count(&strong) == 1 {
            return false;
        }
    }
}

#[derive(Default)]
struct Schedule {
    failures: u32,
    last_try: Option<Instant>,
    last_success: Option<Instant>,
    failing_since: Option<Instant>,
}

impl Schedule {
    fn due(&self, max_age: Duration) -> Option<Instant> {
        self.last_success.map(|at| at + max_age)
    }

    fn not_before(&self, inner: &Inner) -> Instant {
        let backoff = inner.settings.retry_backoff.delay(self.failures, chance::number());
        self.last_try.map_or_else(Instant::now, |at| at + backoff)
    }

    fn note(&mut self, inner: &Inner, result: &Result<ClusterMetadata>) {
        let now = Instant::now();
        self.last_try = Some(now);
        match result {
            Ok(_) => *self = Self { last_try: Some(now), last_success: Some(now), ..Self::default() },
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                let since = *self.failing_since.get_or_insert(now);
                let unreachable = error.wants_metadata() || error.is(ErrorCode::REBOOTSTRAP_REQUIRED);
                let overdue = now.duration_since(since) >= inner.settings.rebootstrap_trigger;
                if inner.settings.rebootstrap && (unreachable || overdue) {
                    inner.rebootstrap();
                    self.failing_since = None;
                }
            }
        }
    }
}

impl Inner {
    async fn refresh(&self) -> Result<ClusterMetadata> {
        match self.settings.bootstrap {
            Bootstrap::Servers(_) => self.refresh_from_brokers().await,
            Bootstrap::Controllers(_) => self.refresh_from_controllers().await,
        }
    }

    async fn refresh_from_brokers(&self) -> Result<ClusterMetadata> {
        let request = self.request();
        let response = self.send_to_any(&request).await?;
        Error::check(response.error_code)?;
        if response.brokers.is_empty() {
            return Err(Error::Disconnected("the broker does not know of any broker".into()));
        }
        let known = Arc::clone(&self.view.borrow().metadata);
        Ok(known.updated(response, false))
    }

    async fn refresh_from_controllers(&self) -> Result<ClusterMetadata> {
        let request = DescribeClusterRequest { endpoint_type: 2, ..Default::default() };
        let response = self.send_to_any(&request).await?;
        Error::check_with(response.error_code, response.error_message)?;
        let brokers = response.brokers.into_iter().map(|broker| Broker {
            id: NodeId(broker.broker_id),
            host: broker.host,
            port: broker.port as u16,
            rack: broker.rack,
            fenced: broker.is_fenced,
        });
        Ok(ClusterMetadata::of_controllers(response.cluster_id, response.controller_id, brokers.collect()))
    }

    fn request(&self) -> MetadataRequest {
        let mut interest = self.interest.lock().expect("no holder panics");
        interest.expire(Instant::now());
        let (topics, create) = match &*interest {
            Interest::All => (None, false),
            Interest::Brokers => (Some(Vec::new()), false),
            Interest::Topics { names, create, .. } => {
                let topic = |name: &Arc<str>| MetadataRequestTopic {
                    name: Some(name.to_string()),
                    ..Default::default()
                };
                (Some(names.keys().map(topic).collect()), *create)
            }
        };
        MetadataRequest { topics, allow_auto_topic_creation: create, ..Default::default() }
    }

    fn publish(&self, result: Result<ClusterMetadata>, schedule: &Schedule) {
        match result {
            Ok(metadata) => self.view.send_modify(|view| {
                view.metadata = Arc::new(metadata);
                view.updates += 1;
                view.tries += 1;
                view.failure = None;
            }),
            Err(error) => {
                let final_ = !error.is_retriable();
                if schedule.failures == 1 {
                    tracing::warn!(%error, "the cluster's metadata cannot be fetched; trying again");
                }
                self.view.send_modify(|view| {
                    view.tries += 1;
                    view.failure = Some(error).filter(|_| final_);
                });
            }
        }
    }

    fn rebootstrap(&self) {
        let known = self.view.borrow().metadata.is_bootstrap();
        if known {
            return;
        }
        tracing::info!("no known node answers; starting again from the bootstrap servers");
        self.forget_connections();
        let addresses = self.settings.bootstrap.addresses();
        self.view.send_modify(|view| view.metadata = Arc::new(view.metadata.rebootstrapped(addresses)));
    }
}
