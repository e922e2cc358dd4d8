//! Running an operation: deadline, retries, and finding the node that must answer.
//! Kafka: `KafkaAdminClient.Call`, `AdminApiDriver`.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use model::{NodeId, TopicPartition};
use protocol::metadata_request::MetadataRequestTopic;
use protocol::{ErrorCode, MetadataRequest, MetadataResponse, Request};
use tokio::time::Instant;

use super::Admin;
use crate::cluster::{ClusterMetadata, CoordinatorKind, Purpose};
use crate::error::{Error, Result};
use crate::settings::Bootstrap;

/// One operation under way.
pub(super) struct Call<'a> {
    admin: &'a Admin,
    name: &'static str,
    start: Instant,
    deadline: Instant,
    tries: u32,
}

impl Admin {
    pub(super) fn call(&self, name: &'static str) -> Call<'_> {
        let start = Instant::now();
        Call { admin: self, name, start, deadline: start + self.timeout, tries: 0 }
    }

    /// Sends `request` to the controller until it takes it. `error_of` finds an error that another try may cure.
    pub(super) async fn on_controller<R: Request + 'static>(
        &self,
        name: &'static str,
        request: &R,
        error_of: impl Fn(&R::Response) -> ErrorCode,
    ) -> Result<R::Response> {
        let mut call = self.call(name);
        loop {
            let node = call.controller().await?;
            match call.answer(node, request, &error_of).await {
                Ok(response) => return Ok(response),
                Err(error) => call.again(error).await?,
            }
        }
    }

    /// Sends `request` to any node, or to the active controller where the client speaks to controllers.
    pub(super) async fn on_any<R: Request + 'static>(
        &self,
        name: &'static str,
        request: &R,
        error_of: impl Fn(&R::Response) -> ErrorCode,
    ) -> Result<R::Response> {
        if matches!(self.cluster.settings().bootstrap, Bootstrap::Controllers(_)) {
            return self.on_controller(name, request, error_of).await;
        }
        let mut call = self.call(name);
        loop {
            let answer = call.within(self.cluster.send_to_any(request)).await;
            match answer.and_then(|response| check_retriable(response, &error_of)) {
                Ok(response) => return Ok(response),
                Err(error) => call.again(error).await?,
            }
        }
    }

    /// Sends `request` to `node`.
    pub(super) async fn on_node<R: Request + 'static>(
        &self,
        name: &'static str,
        node: NodeId,
        request: &R,
        error_of: impl Fn(&R::Response) -> ErrorCode,
    ) -> Result<R::Response> {
        let mut call = self.call(name);
        if self.cluster.metadata().is_bootstrap() {
            call.metadata().await?;
        }
        loop {
            match call.answer(node, request, &error_of).await {
                Ok(response) => return Ok(response),
                Err(error) => call.again(error).await?,
            }
        }
    }

    /// Sends a request to the coordinator of `group`; `make` is given the version that will be used.
    pub(super) async fn on_coordinator<R: Request + 'static>(
        &self,
        name: &'static str,
        group: &str,
        max_version: i16,
        make: impl Fn(i16) -> R,
        error_of: impl Fn(&R::Response) -> ErrorCode,
    ) -> Result<(NodeId, R::Response)> {
        self.on_coordinator_of((CoordinatorKind::Group, group), name, max_version, make, error_of).await
    }

    /// Like [`Admin::on_coordinator`], for whatever kind of coordinator: `(kind, key)` says whose.
    pub(super) async fn on_coordinator_of<R: Request + 'static>(
        &self,
        (kind, key): (CoordinatorKind, &str),
        name: &'static str,
        max_version: i16,
        make: impl Fn(i16) -> R,
        error_of: impl Fn(&R::Response) -> ErrorCode,
    ) -> Result<(NodeId, R::Response)> {
        let mut call = self.call(name);
        loop {
            let attempt = async {
                let node = self.cluster.find_coordinator(kind, key).await?;
                let connection = self.cluster.connection(node, Purpose::Data).await?;
                let version = connection.version_at_most::<R>(max_version)?;
                let response = connection.send_version(&make(version), version).await?;
                Ok((node, check_retriable(response, &error_of)?))
            };
            match call.within(attempt).await {
                Ok(answer) => return Ok(answer),
                Err(error) => call.again(error).await?,
            }
        }
    }

    /// Asks the leader of each partition until every partition has a final answer.
    pub(super) async fn on_leaders<V: Clone, T, F>(
        &self,
        name: &'static str,
        items: BTreeMap<TopicPartition, V>,
        send: impl Fn(NodeId, Vec<(TopicPartition, V)>) -> F,
    ) -> BTreeMap<TopicPartition, Result<T>>
    where
        F: Future<Output = Result<Vec<(TopicPartition, Result<T>)>>>,
    {
        let mut call = self.call(name);
        let mut pending = items;
        let mut done = BTreeMap::new();
        while !pending.is_empty() {
            let mut last = Error::broker(ErrorCode::LEADER_NOT_AVAILABLE);
            for (leader, asked) in call.by_leader(&pending, &mut done, &mut last).await {
                let answers = match call.within(send(leader, asked.clone())).await {
                    Ok(answers) => answers,
                    Err(error) => {
                        asked.into_iter().map(|(partition, _)| (partition, Err(error.clone()))).collect()
                    }
                };
                for (partition, answer) in answers {
                    match answer {
                        Err(error) if error.is_retriable() => last = error,
                        last_word => drop(done.insert(partition, last_word)),
                    }
                }
            }
            pending.retain(|partition, _| !done.contains_key(partition));
            if !pending.is_empty()
                && let Err(error) = call.again(last).await
            {
                let left = std::mem::take(&mut pending).into_keys();
                done.extend(left.map(|partition| (partition, Err(error.clone()))));
            }
        }
        done
    }

    /// Asks any broker about `topics` (all if `None`), without creating them.
    pub(super) async fn topic_metadata(
        &self,
        name: &'static str,
        topics: Option<Vec<String>>,
    ) -> Result<MetadataResponse> {
        self.on_any(name, &metadata_request(topics), |response| response.error_code).await
    }
}

fn metadata_request(topics: Option<Vec<String>>) -> MetadataRequest {
    let topic = |name| MetadataRequestTopic { name: Some(name), ..Default::default() };
    let topics = topics.map(|topics| topics.into_iter().map(topic).collect());
    MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() }
}

fn check_retriable<T>(response: T, error_of: &impl Fn(&T) -> ErrorCode) -> Result<T> {
    let code = error_of(&response);
    if code.is_retriable() { Err(Error::broker(code)) } else { Ok(response) }
}

impl Call<'_> {
    /// Runs `attempt` until the deadline at most.
    pub(super) async fn within<T>(&self, attempt: impl Future<Output = Result<T>>) -> Result<T> {
        match tokio::time::timeout_at(self.deadline, attempt).await {
            Ok(result) => result,
            Err(_) => Err(self.timed_out(None)),
        }
    }

    /// Prepares for another try after `error`; fails if there must be none.
    pub(super) async fn again(&mut self, error: Error) -> Result<()> {
        let now = Instant::now();
        if !error.is_retriable() {
            return Err(error);
        }
        if now >= self.deadline {
            return Err(if matches!(error, Error::Timeout(_)) {
                error
            } else {
                self.timed_out(Some(&error))
            });
        }
        if self.tries >= self.admin.retries {
            return Err(error);
        }
        tracing::debug!(call = self.name, tries = self.tries, %error, "trying again");
        let wake = now + self.admin.cluster.retry_delay(self.tries);
        self.tries += 1;
        if error.wants_metadata() {
            self.admin.cluster.request_update();
        }
        tokio::time::sleep_until(wake.min(self.deadline)).await;
        Ok(())
    }

    /// What is known of the cluster, from an answer that is newer than this call.
    pub(super) async fn metadata(&mut self) -> Result<Arc<ClusterMetadata>> {
        self.admin.cluster.update(self.deadline).await.map_err(|error| match error {
            Error::Timeout(_) => {
                Error::Timeout(format!("Timed out waiting for a node assignment. Call: {}", self.name))
            }
            other => other,
        })
    }

    pub(super) async fn controller(&mut self) -> Result<NodeId> {
        loop {
            let known = self.admin.cluster.metadata();
            let metadata =
                if known.is_bootstrap() || self.tries > 0 { self.metadata().await? } else { known };
            match metadata.controller.filter(|node| metadata.brokers.contains_key(node)) {
                Some(node) => return Ok(node),
                None => self.again(Error::broker(ErrorCode::NOT_CONTROLLER)).await?,
            }
        }
    }

    async fn answer<R: Request + 'static>(
        &self,
        node: NodeId,
        request: &R,
        error_of: &impl Fn(&R::Response) -> ErrorCode,
    ) -> Result<R::Response> {
        let response = self.within(self.admin.cluster.send(node, request)).await?;
        check_retriable(response, error_of)
    }

    /// How long the broker may take, for a request that carries a timeout, in milliseconds.
    pub(super) fn timeout_ms(&self) -> i32 {
        let left = self.deadline.saturating_duration_since(Instant::now());
        millis(left.min(self.admin.cluster.settings().request_timeout))
    }

    fn timed_out(&self, cause: Option<&Error>) -> Error {
        let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
        let (name, tries, elapsed) = (self.name, self.tries + 1, self.start.elapsed().as_millis());
        Error::Timeout(format!("Call(callName={name}, tries={tries}) timed out after {elapsed} ms{cause}"))
    }

    /// Those of `pending` whose leader is known, by leader. What can never be is put into `done`.
    async fn by_leader<V: Clone, T>(
        &mut self,
        pending: &BTreeMap<TopicPartition, V>,
        done: &mut BTreeMap<TopicPartition, Result<T>>,
        last: &mut Error,
    ) -> BTreeMap<NodeId, Vec<(TopicPartition, V)>> {
        let mut names: Vec<String> = pending.keys().map(|partition| partition.topic.to_string()).collect();
        names.dedup();
        let cluster = &self.admin.cluster;
        let request = metadata_request(Some(names));
        let response = match self.within(cluster.send_to_any(&request)).await {
            Ok(response) => response,
            Err(error) => {
                *last = error;
                return BTreeMap::new();
            }
        };
        let known = ClusterMetadata::default().updated(response, false);
        cluster.learn_brokers(known.brokers.values());
        let mut leaders: BTreeMap<NodeId, Vec<(TopicPartition, V)>> = BTreeMap::new();
        for (partition, value) in pending {
            let topic_error = known.topics.get(&partition.topic).map_or(ErrorCode::NONE, |topic| topic.error);
            match known.leader(partition) {
                Some(leader) => leaders.entry(leader).or_default().push((partition.clone(), value.clone())),
                None if topic_error.is_error() && !topic_error.is_retriable() => {
                    done.insert(partition.clone(), Err(Error::broker(topic_error)));
                }
                None if topic_error.is_error() => *last = Error::broker(topic_error),
                None => {}
            }
        }
        leaders
    }
}

/// Whole milliseconds of `duration`, as requests carry them.
pub(super) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// The first of `codes` that another try may cure.
pub(super) fn first_retriable(codes: impl IntoIterator<Item = ErrorCode>) -> ErrorCode {
    codes.into_iter().find(|code| code.is_retriable()).unwrap_or(ErrorCode::NONE)
}

/// [`ErrorCode::NOT_CONTROLLER`] if it is among `codes`: then nothing was done, and all can be sent again.
pub(super) fn not_controller(codes: impl IntoIterator<Item = ErrorCode>) -> ErrorCode {
    codes.into_iter().find(|code| *code == ErrorCode::NOT_CONTROLLER).unwrap_or(ErrorCode::NONE)
}
