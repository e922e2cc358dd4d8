//! Requests to a group's coordinator, wherever it is.
//!
//! Invariant: a coordinator that cannot be reached or says that it is none is looked up again before the next request.

use std::sync::Mutex;
use std::time::Duration;

use model::NodeId;
use protocol::{ErrorCode, Request};

use crate::cluster::{Cluster, CoordinatorKind, Purpose};
use crate::error::{Error, Result};

#[derive(Debug)]
pub(super) struct GroupClient {
    pub cluster: Cluster,
    pub group_id: String,
    coordinator: Mutex<Option<NodeId>>,
}

impl GroupClient {
    pub(super) fn new(cluster: Cluster, group_id: String) -> Self {
        Self { cluster, group_id, coordinator: Mutex::new(None) }
    }

    async fn coordinator(&self) -> Result<NodeId> {
        let known = *self.coordinator.lock().expect("no holder panics");
        if let Some(node) = known {
            return Ok(node);
        }
        let node = self.cluster.find_coordinator(CoordinatorKind::Group, &self.group_id).await?;
        *self.coordinator.lock().expect("no holder panics") = Some(node);
        Ok(node)
    }

    /// Looks the coordinator up again before the next request.
    pub(super) fn forget(&self) {
        *self.coordinator.lock().expect("no holder panics") = None;
    }

    /// Sends what `make` makes for the version, which is at most `cap`; waits for the answer up to `timeout`.
    pub(super) async fn send<R: Request + 'static>(
        &self,
        cap: i16,
        timeout: Duration,
        make: impl FnOnce(i16) -> R,
    ) -> Result<R::Response> {
        let sent = async {
            let node = self.coordinator().await?;
            let connection = self.cluster.connection(node, Purpose::Coordinator).await?;
            let version = connection.version_at_most::<R>(cap)?;
            connection.begin(&make(version), version, timeout)?.await
        };
        let answer = sent.await;
        if answer.as_ref().is_err_and(|error| matches!(error, Error::Disconnected(_))) {
            self.forget();
        }
        answer
    }

    /// Looks the coordinator up again if `code` says that it is another.
    pub(super) fn note(&self, code: ErrorCode) {
        if matches!(code, ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE) {
            self.forget();
        }
    }

    pub(super) fn request_timeout(&self) -> Duration {
        self.cluster.settings().request_timeout
    }
}
