//! How a consumer leaves its group: it unsubscribes, is closed, or dropped.
//!
//! Brokers are told too that their fetch sessions are over.
//!
//! Invariants: whoever is a member, or will be by a request that is under way, says that it leaves, unless it is a static
//! member of a classic group, which may come back; that is said to its end even where nobody waits for it any more, and
//! after every commit that was made before.

use std::future::Future;
use std::time::Duration;

use protocol::FetchRequest;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Consumer;
use crate::cluster::Purpose;
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
        let (leaving, ending) = (self.leave("the consumer is being closed"), self.end_sessions());
        let cluster = self.cluster.clone();
        let left = tokio::spawn(async move {
            tokio::join!(leaving, ending);
            cluster.close();
        });
        _ = tokio::time::timeout_at(deadline, left).await;
        told
    }

    /// Ends the fetch sessions of the nodes that are connected; the future waits for their answers, which may come behind
    /// that to a fetch under way. Kafka: `Fetcher.maybeCloseFetchSessions`.
    fn end_sessions(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut answers = JoinSet::new();
        for (node, request) in self.fetcher.farewells() {
            let Some(connection) = self.cluster.open_connection(node, Purpose::Data) else { continue };
            let version = connection.version_of::<FetchRequest>();
            let timeout = self.config.client.request_timeout;
            if let Ok(answer) = version.and_then(|version| connection.begin(&request, version, timeout)) {
                answers.spawn(answer);
            }
        }
        async move { while answers.join_next().await.is_some() {} }
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
