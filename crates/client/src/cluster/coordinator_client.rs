//! Requests to the coordinator of a group or of a transactional id, wherever it is.
//!
//! Invariant: a coordinator that cannot be reached or says that it is none is looked up again before the next request.

use std::sync::Mutex;
use std::time::Duration;

use model::NodeId;
use protocol::{ErrorCode, Request};

use super::{Cluster, CoordinatorKind, Purpose};
use crate::error::{Error, Result};

#[derive(Debug)]
pub(crate) struct CoordinatorClient {
    pub cluster: Cluster,
    kind: CoordinatorKind,
    /// The group, or the transactional id.
    pub key: String,
    coordinator: Mutex<Option<NodeId>>,
}

impl CoordinatorClient {
    pub(crate) fn new(cluster: Cluster, kind: CoordinatorKind, key: String) -> Self {
        Self { cluster, kind, key, coordinator: Mutex::new(None) }
    }

    async fn coordinator(&self) -> Result<NodeId> {
        let known = *self.coordinator.lock().expect("no holder panics");
        if let Some(node) = known {
            return Ok(node);
        }
        let node = self.cluster.find_coordinator(self.kind, &self.key).await?;
        *self.coordinator.lock().expect("no holder panics") = Some(node);
        Ok(node)
    }

    /// Looks the coordinator up again before the next request.
    pub(crate) fn forget(&self) {
        *self.coordinator.lock().expect("no holder panics") = None;
    }

    /// Sends what `make` makes for the version, which is at most `cap`; waits for the answer up to `timeout`.
    pub(crate) async fn send<R: Request + 'static>(
        &self,
        cap: i16,
        timeout: Duration,
        make: impl FnOnce(i16) -> R,
    ) -> Result<R::Response> {
        self.try_send(cap, timeout, |version| Ok(make(version))).await
    }

    /// As [`CoordinatorClient::send`], past what the coordinator has not answered yet.
    pub(crate) async fn send_past<R: Request + 'static>(
        &self,
        cap: i16,
        timeout: Duration,
        make: impl FnOnce(i16) -> R,
    ) -> Result<R::Response> {
        self.send_on(Purpose::Data, cap, timeout, |version| Ok(make(version))).await
    }

    /// As [`CoordinatorClient::send`]; where `make` fails nothing is sent.
    pub(crate) async fn try_send<R: Request + 'static>(
        &self,
        cap: i16,
        timeout: Duration,
        make: impl FnOnce(i16) -> Result<R>,
    ) -> Result<R::Response> {
        self.send_on(Purpose::Coordinator, cap, timeout, make).await
    }

    async fn send_on<R: Request + 'static>(
        &self,
        purpose: Purpose,
        cap: i16,
        timeout: Duration,
        make: impl FnOnce(i16) -> Result<R>,
    ) -> Result<R::Response> {
        let sent = async {
            let node = self.coordinator().await?;
            let connection = self.cluster.connection(node, purpose).await?;
            let version = connection.version_at_most::<R>(cap)?;
            connection.begin(&make(version)?, version, timeout)?.await
        };
        let answer = sent.await;
        if answer.as_ref().is_err_and(|error| matches!(error, Error::Disconnected(_))) {
            self.forget();
        }
        answer
    }

    /// Looks the coordinator up again if `code` says that it is another.
    pub(crate) fn note(&self, code: ErrorCode) {
        if matches!(code, ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE) {
            self.forget();
        }
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        self.cluster.settings().request_timeout
    }
}
