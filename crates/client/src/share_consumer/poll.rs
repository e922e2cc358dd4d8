//! Polling and committing: sends what there is to send to each node that is free, and takes in what they answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::NodeId;
use protocol::share_fetch_response::PartitionData;
use protocol::{ErrorCode, Request, ShareFetchResponse};
use tokio::time::{Instant, sleep_until};

use super::deliveries::{Said, ShareKey};
use super::requests::{Answer, Answered, Plan, acquired_records, share_acknowledge, share_fetch};
use super::{Acknowledged, ShareConsumer, ShareRecord};
use crate::cluster::{Cluster, Purpose};
use crate::error::{Error, Result};

/// The epoch that closes a session.
const FINAL_EPOCH: i32 = -1;

impl ShareConsumer {
    /// Returns records, waiting for them up to `timeout`; none if there are none by then. What the last poll returned is
    /// acknowledged, unless `share.acknowledgement.mode=explicit`.
    ///
    /// # Errors
    /// Nothing is subscribed to; with explicit acknowledgement, a record is not acknowledged yet; [`Error::Wakeup`]; or the
    /// group or a partition refuses us.
    pub async fn poll(&mut self, timeout: Duration) -> Result<Vec<ShareRecord>> {
        self.measures.poll_begun(Instant::now().into_std());
        let polled = self.poll_once(timeout).await;
        self.measures.poll_ended(Instant::now().into_std());
        polled
    }

    async fn poll_once(&mut self, timeout: Duration) -> Result<Vec<ShareRecord>> {
        if self.membership.is_none() {
            return Err(Error::IllegalState("Consumer is not subscribed to any topics.".into()));
        }
        self.acknowledge_delivered();
        if self.deliveries.has_delivered() {
            let text = "All records must be acknowledged in explicit acknowledgement mode.";
            return Err(Error::IllegalState(text.into()));
        }
        let deadline = Instant::now() + timeout;
        loop {
            self.take_answers();
            self.report();
            self.check()?;
            if self.deliveries.has_arrived() {
                return Ok(self.deliveries.deliver(self.config.max_poll_records));
            }
            self.send_to_nodes(true);
            if Instant::now() >= deadline {
                return Ok(Vec::new());
            }
            self.wait(deadline).await;
        }
    }

    /// Sends what is acknowledged, and waits for the answers up to `timeout`; tells of each partition.
    ///
    /// # Errors
    /// The time ran out, or [`Error::Wakeup`].
    pub async fn commit_sync(&mut self, timeout: Duration) -> Result<Vec<Acknowledged>> {
        self.acknowledge_delivered();
        self.take_answers();
        self.report();
        let deadline = Instant::now() + timeout;
        while !self.deliveries.nodes().is_empty() || self.sessions.values().any(|session| session.busy) {
            self.check()?;
            self.send_to_nodes(false);
            if Instant::now() >= deadline {
                return Err(Error::Timeout("Timed out waiting for acknowledgements to be committed".into()));
            }
            self.wait(deadline).await;
        }
        let outcomes = self.outcomes.clone();
        self.report();
        Ok(outcomes)
    }

    /// Sends what is acknowledged without waiting; the callback tells what became of it, from within a later call.
    pub fn commit_async(&mut self) {
        self.acknowledge_delivered();
        self.take_answers();
        self.send_to_nodes(false);
    }

    fn check(&mut self) -> Result<()> {
        if self.wake.take() {
            return Err(Error::Wakeup);
        }
        let ended = self.membership.as_ref().and_then(|membership| membership.failure());
        self.failure.take().or(ended).map_or(Ok(()), Err)
    }

    /// Waits until something happens, or `deadline`.
    async fn wait(&mut self, deadline: Instant) {
        let retry =
            self.sessions.values().filter(|session| !session.busy).filter_map(|session| session.retry_at);
        let until = retry.chain([deadline]).min().expect("there is the deadline");
        tokio::select! {
            Some(answered) = self.tasks.join_next() => {
                if let Ok(answered) = answered {
                    self.take_answer(answered);
                }
            }
            Ok(()) = self.assignment.changed() => {}
            Ok(()) = self.view.changed() => {}
            () = self.wake.notified() => {}
            () = sleep_until(until) => {}
        }
    }

    /// Asks each node that is free for records, if `fetches`; sends what is acknowledged.
    fn send_to_nodes(&mut self, fetches: bool) {
        let Some(member_id) = self.membership.as_ref().map(|membership| membership.member_id().to_owned())
        else {
            return;
        };
        let now = Instant::now();
        let mut wanted = self.partitions_by_leader();
        let nodes: BTreeSet<NodeId> = wanted
            .keys()
            .copied()
            .chain(self.deliveries.nodes())
            .chain(self.sessions.iter().filter(|(_, session)| session.epoch > 0).map(|(node, _)| *node))
            .collect();
        for node in nodes {
            if !self.sessions.entry(node).or_default().is_ready(now) {
                continue;
            }
            self.send_to_node(node, &member_id, fetches, wanted.remove(&node).unwrap_or_default());
        }
    }

    fn send_to_node(&mut self, node: NodeId, member_id: &str, fetches: bool, wanted: BTreeSet<ShareKey>) {
        let (mut said, is_renewal) = self.deliveries.take_said(node);
        let session = self.sessions.entry(node).or_default();
        if session.epoch == 0 && !said.is_empty() {
            // The session is gone, and with it the locks.
            let lost = std::mem::take(&mut said);
            self.fail(lost, is_renewal, &Error::broker(ErrorCode::INVALID_SHARE_SESSION_EPOCH));
        }
        let session = self.sessions.entry(node).or_default();
        let fetches = fetches && !is_renewal && !wanted.is_empty();
        if !fetches && said.is_empty() {
            return;
        }
        let (epoch, group_id) = (session.epoch, self.config.group_id.as_str());
        let plan = Plan { group_id, member_id, epoch, said: &said, is_renewal };
        session.busy = true;
        if fetches {
            let (added, forgotten) = session.plan(wanted);
            let request = share_fetch(&plan, &added, &forgotten, &self.config);
            self.spawn(node, said, is_renewal, request, Answer::Fetched);
        } else {
            let request = share_acknowledge(&plan);
            self.spawn(node, said, is_renewal, request, Answer::Acknowledged);
        }
    }

    fn spawn<R: Request + Send + Sync + 'static>(
        &mut self,
        node: NodeId,
        said: BTreeMap<ShareKey, Said>,
        is_renewal: bool,
        request: R,
        wrap: fn(R::Response) -> Answer,
    ) where
        R::Response: Send,
    {
        let cluster = self.cluster.clone();
        self.measures.acknowledged(said.values().map(Said::len).sum());
        self.tasks.spawn(async move {
            let asked = Instant::now();
            let answer = ask(&cluster, node, &request).await.map(wrap);
            Answered { node, said, is_renewal, answer, took: asked.elapsed() }
        });
    }

    /// The partitions that we are to read, by the node that leads them.
    fn partitions_by_leader(&self) -> BTreeMap<NodeId, BTreeSet<ShareKey>> {
        let metadata = self.cluster.metadata();
        let mut nodes: BTreeMap<NodeId, BTreeSet<ShareKey>> = BTreeMap::new();
        for key in self.assignment.borrow().iter() {
            match self.name_of(*key).and_then(|name| metadata.leader(&name)) {
                Some(leader) => _ = nodes.entry(leader).or_default().insert(*key),
                None => self.cluster.request_update(),
            }
        }
        nodes
    }

    fn take_answers(&mut self) {
        while let Some(answered) = self.tasks.try_join_next() {
            if let Ok(answered) = answered {
                self.take_answer(answered);
            }
        }
    }

    fn take_answer(&mut self, answered: Answered) {
        let Answered { node, said, is_renewal, answer, took } = answered;
        let checked = answer.and_then(|answer| Error::check(answer.error_code()).map(|()| answer));
        let session = self.sessions.entry(node).or_default();
        session.busy = false;
        match checked {
            Ok(answer) => {
                session.advance();
                self.lock_timeout = u64::try_from(answer.lock_timeout_ms()).ok().map(Duration::from_millis);
                self.take_acknowledged(said, is_renewal, &answer);
                if let Answer::Fetched(response) = answer {
                    self.take_rows(node, &response, took);
                }
            }
            Err(error) => {
                session.reset();
                session.failures += 1;
                session.retry_at = Some(Instant::now() + self.cluster.retry_delay(session.failures));
                self.cluster.request_update();
                self.fail(said, is_renewal, &error);
                if !may_pass(&error) {
                    self.failure = Some(error);
                }
            }
        }
    }

    fn take_rows(&mut self, node: NodeId, response: &ShareFetchResponse, took: Duration) {
        let mut records = 0;
        for topic in &response.responses {
            for row in &topic.partitions {
                let key = ShareKey { topic_id: topic.topic_id, partition: row.partition_index };
                records += self.take_row(node, key, row);
            }
        }
        self.measures.fetched(took, response, records);
    }

    /// Takes in what came of a partition; returns how many records that were.
    fn take_row(&mut self, node: NodeId, key: ShareKey, row: &PartitionData) -> usize {
        let code = row.error_code;
        if code.is_error() {
            self.cluster.request_update();
            if !code.is_retriable() && code != ErrorCode::UNKNOWN_TOPIC_ID {
                self.failure = Some(Error::broker(code));
            }
            return 0;
        }
        let Some(name) = self.name_of(key).filter(|_| !row.acquired_records.is_empty()) else { return 0 };
        match acquired_records(&name.topic, row, self.config.check_crcs) {
            Ok((records, ranges)) => {
                let count = records.len();
                self.deliveries.arrive(node, key, records, &ranges);
                count
            }
            Err(error) => {
                self.failure = Some(error);
                0
            }
        }
    }

    fn take_acknowledged(&mut self, said: BTreeMap<ShareKey, Said>, is_renewal: bool, answer: &Answer) {
        let mut rows = answer.acknowledged();
        for (key, said) in said {
            let (code, message) = rows.remove(&key).unwrap_or((ErrorCode::NONE, None));
            self.end(key, said, is_renewal, Error::check_with(code, message));
        }
    }

    /// What was sent did not arrive, or in vain.
    fn fail(&mut self, said: BTreeMap<ShareKey, Said>, is_renewal: bool, error: &Error) {
        for (key, said) in said {
            self.end(key, said, is_renewal, Err(error.clone()));
        }
    }

    fn end(&mut self, key: ShareKey, said: Said, is_renewal: bool, outcome: Result<()>) {
        if is_renewal {
            self.deliveries.renewed(key, &said, outcome.is_ok());
        }
        if outcome.is_err() {
            self.measures.failed(said.len());
        }
        if let Some(partition) = self.name_of(key) {
            let offsets = said.into_keys().collect();
            self.outcomes.push(Acknowledged { partition, offsets, outcome });
        }
    }

    /// Closes all sessions with what is acknowledged; the future then leaves the group.
    pub(super) async fn leave(
        &mut self,
        deadline: Instant,
    ) -> impl Future<Output = ()> + Send + 'static + use<> {
        while self.sessions.values().any(|session| session.busy) && Instant::now() < deadline {
            self.wait(deadline).await;
        }
        let membership = self.membership.take();
        if let Some(membership) = &membership {
            self.close_sessions(membership.member_id());
        }
        while self.sessions.values().any(|session| session.busy) && Instant::now() < deadline {
            self.wait(deadline).await;
        }
        self.sessions.clear();
        async move {
            if let Some(membership) = membership {
                membership.leave().await;
            }
        }
    }

    fn close_sessions(&mut self, member_id: &str) {
        let open: Vec<NodeId> =
            self.sessions.iter().filter(|(_, session)| session.epoch > 0).map(|(node, _)| *node).collect();
        for node in open {
            let (said, is_renewal) = self.deliveries.take_said(node);
            let group_id = self.config.group_id.as_str();
            let plan = Plan { group_id, member_id, epoch: FINAL_EPOCH, said: &said, is_renewal };
            let request = share_acknowledge(&plan);
            self.spawn(node, said, is_renewal, request, Answer::Acknowledged);
            self.sessions.entry(node).or_default().busy = true;
        }
    }
}

async fn ask<R: Request + 'static>(cluster: &Cluster, node: NodeId, request: &R) -> Result<R::Response> {
    cluster.connection(node, Purpose::Data).await?.send(request).await
}

/// Whether the same may succeed later, or in a new session.
fn may_pass(error: &Error) -> bool {
    let session = [ErrorCode::SHARE_SESSION_NOT_FOUND, ErrorCode::INVALID_SHARE_SESSION_EPOCH];
    error.is_retriable() || error.code().is_some_and(|code| session.contains(&code))
}
