//! How a consumer leaves its group: it unsubscribes, is closed, or dropped.
//!
//! Invariants: whoever is a member, or will be by a request that is under way, says that it leaves, unless it is a static
//! member of a classic group, which may come back; that is said to its end even where nobody waits for it any more, and
//! after every commit that was made before.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::Consumer;
use crate::error::Result;

impl Consumer {
    /// Gives everything up and leaves the group; waits for that for `request.timeout.ms` at most.
    pub async fn unsubscribe(&mut self) {
        if self.subscriptions.is_subscribed() {
            let assigned = self.subscriptions.assigned();
            if let Err(error) = self.give_up(&assigned, false).await {
                tracing::warn!(%error, "the rebalance listener failed");
            }
            let left = tokio::spawn(self.leave("the consumer unsubscribed from all topics"));
            _ = tokio::time::timeout(self.config.client.request_timeout, left).await;
        }
        self.subscriptions.forget_all();
        self.drop_stale_fetches();
    }

    /// Commits if that is automatic, leaves the group and closes the connections; takes `timeout` at most. What the group
    /// must hear is still sent after that.
    pub async fn close(mut self, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        if self.config.enable_auto_commit && self.group_client.is_some() {
            self.commit_within(timeout).await;
        }
        let assigned = self.subscriptions.assigned();
        let told = if self.subscriptions.is_subscribed() {
            tokio::time::timeout_at(deadline, self.give_up(&assigned, false)).await.unwrap_or(Ok(()))
        } else {
            Ok(())
        };
        let (leaving, cluster) = (self.leave("the consumer is being closed"), self.cluster.clone());
        let left = tokio::spawn(async move {
            leaving.await;
            cluster.close();
        });
        _ = tokio::time::timeout_at(deadline, left).await;
        told
    }

    /// Leaves the group, from when the future is first polled. Kafka: `AbstractCoordinator.maybeLeaveGroup`.
    fn leave(&mut self, reason: &'static str) -> impl Future<Output = ()> + Send + 'static + use<> {
        let commits = self.commit_turn();
        let member = self.reconciler.take();
        let group = self.group.take().filter(|_| self.config.group_instance_id.is_none());
        async move {
            drop(commits.await);
            if let Some(member) = member {
                member.leave().await;
            }
            if let Some(group) = group {
                group.leave(reason).await;
            }
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let member = self.group.is_some() || self.reconciler.is_some();
        if let Ok(runtime) = tokio::runtime::Handle::try_current()
            && member
        {
            runtime.spawn(self.leave("the consumer was dropped"));
        }
    }
}

#[cfg(test)]
mod tests;
