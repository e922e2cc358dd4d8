//! The loop of a poll: what is under way, what came of it, and what is given to the user.
//! Kafka: `ClassicKafkaConsumer.poll`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{LeaderEpoch, NodeId, Offset, TopicPartition, Uuid};
use protocol::fetch_response::PartitionData;
use protocol::{ErrorCode, FetchRequest, Records};

use super::completed_fetch::CompletedFetch;
use super::fetch_session::Ask;
use super::fetcher::{Fetched, ID_VERSION};
use super::record::{ConsumerRecord, ConsumerRecords};
use super::subscription::{Phase, Position, Wanted};
use super::{Consumer, Event};
use crate::cluster::{LeaderAndEpoch, Purpose};
use crate::error::{Error, Result};

/// How long a wait in a poll lasts at most: what is due is looked at anew then.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

impl Consumer {
    /// Gives records, `max.poll.records` at most, as soon as there are any; none after `timeout`. Joins the group and
    /// commits where that is due, and calls the listener.
    pub async fn poll(&mut self, timeout: Duration) -> Result<ConsumerRecords> {
        if matches!(self.subscriptions.wanted, Wanted::Nothing) {
            return Err(Error::IllegalState(
                "Consumer is not subscribed to any topics or assigned any partitions".into(),
            ));
        }
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            if self.wake.take() {
                return Err(Error::Wakeup);
            }
            self.step().await?;
            let records = self.collect()?;
            if let Err(error) = self.start_fetches() {
                // The records are past the positions: the error is told by the next poll.
                if records.is_empty() {
                    return Err(error);
                }
                self.failure.get_or_insert(error);
            }
            if !records.is_empty() || tokio::time::Instant::now() >= deadline {
                return Ok(ConsumerRecords { records });
            }
            self.wait(deadline).await;
        }
    }

    /// Takes in what came, and starts what is due.
    async fn step(&mut self) -> Result<()> {
        if let Some(group) = &self.group {
            group.signals.polled();
        }
        if let Some(reconciler) = &self.reconciler {
            reconciler.shared.polled();
        }
        while let Some(done) = self.tasks.try_join_next() {
            self.events.extend(done.ok());
        }
        while let Some(event) = self.events.pop_front() {
            self.take_event(event)?;
        }
        self.take_join().await?;
        self.notice_metadata()?;
        self.step_group().await?;
        self.auto_commit();
        self.step_positions()
    }

    fn take_event(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Connected(node, result) => {
                self.fetcher.busy.remove(&node);
                if let Err(error) = result {
                    self.subscriptions.leave_replica(node);
                    self.cluster.request_update();
                    if !error.is_retriable() {
                        return Err(error);
                    }
                }
                Ok(())
            }
            Event::Fetched(fetched) => self.take_fetched(fetched),
            Event::Committed(asked, result) => self.take_committed(&asked, result),
            Event::Reset(resets) => self.take_resets(resets),
            Event::Validated(asked, result) => self.take_validation(asked, result),
            Event::AutoCommitted(result) => {
                self.take_auto_commit(result);
                Ok(())
            }
        }
    }

    fn notice_metadata(&mut self) -> Result<()> {
        let view = self.view.borrow_and_update().clone();
        if view.tries != self.seen_tries {
            self.seen_tries = view.tries;
            if let Some(failure) = view.failure {
                // It is told once for each try, and the next one may end otherwise.
                self.cluster.request_update();
                return Err(failure);
            }
        }
        if view.updates == self.seen_updates {
            return Ok(());
        }
        self.seen_updates = view.updates;
        let assigned = self.subscriptions.partitions.keys().map(|name| &name.topic);
        for topic in assigned.chain(&self.subscriptions.topics) {
            let error = view.metadata.topics.get(topic).map_or(ErrorCode::NONE, |topic| topic.error);
            if matches!(error, ErrorCode::TOPIC_AUTHORIZATION_FAILED | ErrorCode::INVALID_TOPIC_EXCEPTION) {
                return Err(Error::broker(error));
            }
        }
        self.subscriptions.match_pattern(&view.metadata, self.config.exclude_internal_topics);
        self.notice_topics(&view.metadata);
        self.note_leaders();
        Ok(())
    }

    /// Doubts positions whose partitions have a newer leader.
    pub(super) fn note_leaders(&mut self) {
        let metadata = self.cluster.metadata();
        self.subscriptions.check_leaders(&metadata);
    }

    async fn wait(&mut self, deadline: tokio::time::Instant) {
        let now = tokio::time::Instant::now();
        let again = self.subscriptions.next_ask(now.into_std()).map(tokio::time::Instant::from_std);
        let rejoin = self.group.as_ref().and_then(|group| group.not_before).filter(|at| *at > now);
        let until = [Some(deadline), again, rejoin, Some(now + LOOK_AGAIN)].into_iter().flatten().min();
        let signals = self.group.as_ref().map(|group| Arc::clone(&group.signals));
        let member = self.reconciler.as_ref().map(|reconciler| Arc::clone(&reconciler.shared));
        let changed = async {
            match (&signals, &member) {
                (_, Some(member)) => member.changed.notified().await,
                (Some(signals), None) => signals.changed.notified().await,
                (None, None) => std::future::pending().await,
            }
        };
        let joined = async {
            match &mut self.group {
                Some(group) => group.join_ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = joined => {}
            Some(done) = self.tasks.join_next() => self.events.extend(done.ok()),
            () = changed => {}
            _ = self.view.changed() => {}
            () = self.wake.notified() => {}
            () = tokio::time::sleep_until(until.unwrap_or(deadline)) => {}
        }
    }

    /// Starts a fetch at each node that has none under way and something to fetch.
    fn start_fetches(&mut self) -> Result<()> {
        let now = Instant::now();
        let metadata = self.cluster.metadata();
        // No position is taken to a leader that has not confirmed it, also not to one that came to be known just now.
        self.subscriptions.check_leaders(&metadata);
        let mut by_node: BTreeMap<NodeId, BTreeMap<TopicPartition, Ask>> = BTreeMap::new();
        let mut unread = BTreeSet::new();
        let mut leaderless = false;
        for (name, position) in self.subscriptions.fetchable(now) {
            let preferred =
                self.subscriptions.partitions.get(&name).and_then(|partition| partition.preferred);
            let preferred =
                preferred.filter(|(node, until)| now < *until && metadata.is_online(&name, *node));
            let Some(node) = preferred.map(|(node, _)| node).or_else(|| metadata.leader(&name)) else {
                leaderless = true;
                continue;
            };
            if self.fetcher.has(&name) {
                unread.insert(node);
                continue;
            }
            let ask = Ask {
                topic_id: metadata.topic_id(&name.topic).unwrap_or(Uuid::ZERO),
                offset: position.offset,
                max_bytes: self.config.max_partition_fetch_bytes,
                leader_epoch: metadata.leader_and_epoch(&name).epoch.0,
            };
            by_node.entry(node).or_default().insert(name, ask);
        }
        if leaderless {
            self.cluster.request_update();
        }
        for (node, wanted) in by_node {
            if !unread.contains(&node) && !self.fetcher.busy.contains(&node) {
                self.fetch(node, wanted)?;
            }
        }
        Ok(())
    }

    fn fetch(&mut self, node: NodeId, wanted: BTreeMap<TopicPartition, Ask>) -> Result<()> {
        self.fetcher.busy.insert(node);
        let Some(connection) = self.cluster.open_connection(node, Purpose::Data) else {
            let cluster = self.cluster.clone();
            if let Some(session) = self.fetcher.sessions.get_mut(&node) {
                session.failed();
            }
            self.tasks.spawn(async move {
                Event::Connected(node, cluster.connection(node, Purpose::Data).await.map(drop))
            });
            return Ok(());
        };
        let by_id = wanted.values().all(|ask| ask.topic_id != Uuid::ZERO);
        let version =
            connection.version_at_most::<FetchRequest>(if by_id { i16::MAX } else { ID_VERSION - 1 })?;
        let partitions = &self.subscriptions.partitions;
        let turn = |name: &TopicPartition| partitions.get(name).map_or(0, |partition| partition.turn);
        let request = self.fetcher.request(node, wanted.clone(), turn, version >= ID_VERSION, &self.config);
        let timeout = self.config.client.request_timeout;
        match connection.begin(&request, version, timeout) {
            Ok(answer) => {
                self.tasks.spawn(async move {
                    let began = Instant::now();
                    let answer = answer.await;
                    Event::Fetched(Fetched { node, asked: wanted, answer, took: began.elapsed() })
                });
            }
            Err(_) => {
                self.fetcher.busy.remove(&node);
                self.fetcher.sessions.entry(node).or_default().failed();
            }
        }
        Ok(())
    }

    fn take_fetched(&mut self, fetched: Fetched) -> Result<()> {
        let node = fetched.node;
        self.fetcher.busy.remove(&node);
        let session = self.fetcher.sessions.entry(node).or_default();
        let response = match fetched.answer {
            Ok(response) => response,
            Err(error) => {
                session.failed();
                self.subscriptions.leave_replica(node);
                self.cluster.request_update();
                return if error.is_retriable() { Ok(()) } else { Err(error) };
            }
        };
        if !session.take_answer(response.error_code, response.session_id) {
            tracing::debug!(node = node.0, error = response.error_code.name(), "the fetch session ended");
            self.cluster.request_update();
            return Ok(());
        }
        let rows = response.responses.iter().flat_map(|topic| &topic.partitions);
        let bytes = rows.filter_map(|row| row.records.as_ref()).map(Records::len).sum();
        self.measures.fetched(fetched.took, bytes, response.throttle_time_ms);
        let metadata = self.cluster.metadata();
        let mut leaders = Vec::new();
        let mut failure = Ok(());
        for topic in response.responses {
            let by_id = metadata.topic_name(topic.topic_id).filter(|_| topic.topic_id != Uuid::ZERO).cloned();
            let topic_name = by_id.unwrap_or_else(|| topic.topic.into());
            for partition in topic.partitions {
                let name = TopicPartition::new(Arc::clone(&topic_name), partition.partition_index);
                let Some(ask) = fetched.asked.get(&name) else { continue };
                leaders.extend(leader_of(&name, &partition));
                if let Err(error) = self.take_partition(node, &name, ask.offset, partition) {
                    failure = Err(error);
                }
            }
        }
        let brokers: Vec<crate::cluster::Broker> = response.node_endpoints.into_iter().map(broker).collect();
        self.cluster.learn_leaders(&leaders, &brokers);
        failure
    }

    /// One partition's part of an answer. Kafka: `FetchCollector.handleInitializeErrors`, `handleInitializeSuccess`.
    fn take_partition(
        &mut self,
        node: NodeId,
        name: &TopicPartition,
        asked: Offset,
        data: PartitionData,
    ) -> Result<()> {
        let preferred_until = Instant::now() + self.config.client.metadata_max_age;
        let retry_at = Instant::now() + self.cluster.retry_delay(0);
        let Some(partition) = self.subscriptions.partitions.get_mut(name) else { return Ok(()) };
        let Phase::Fetch(position) = partition.phase else { return Ok(()) };
        match data.error_code {
            ErrorCode::NONE => {}
            ErrorCode::OFFSET_OUT_OF_RANGE => return self.subscriptions.out_of_range(name, asked, node),
            ErrorCode::TOPIC_AUTHORIZATION_FAILED | ErrorCode::CORRUPT_MESSAGE => {
                return Err(Error::broker(data.error_code));
            }
            code if code.is_retriable() || code == ErrorCode::UNKNOWN_SERVER_ERROR => {
                tracing::debug!(partition = %name, error = code.name(), "a fetch failed");
                partition.preferred = None;
                partition.not_before = Some(retry_at);
                self.cluster.request_update();
                return Ok(());
            }
            code => return Err(Error::broker(code)),
        }
        partition.high_watermark = Some(Offset(data.high_watermark)).filter(|offset| offset.0 >= 0);
        partition.last_stable = Some(Offset(data.last_stable_offset)).filter(|offset| offset.0 >= 0);
        partition.log_start = Some(Offset(data.log_start_offset)).filter(|offset| offset.0 >= 0);
        if data.preferred_read_replica >= 0 {
            partition.preferred = Some((NodeId(data.preferred_read_replica), preferred_until));
        }
        let bytes = match data.records {
            Some(Records::Bytes(bytes)) => bytes,
            Some(region) => region.read().map_err(|error| Error::Other(error.to_string().into()))?,
            None => return Ok(()),
        };
        if position.offset == asked && !bytes.is_empty() {
            partition.turn = self.fetcher.next_turn();
            let aborted = data.aborted_transactions.unwrap_or_default();
            let (isolation, check) = (self.config.isolation_level, self.config.check_crcs);
            let fetch = CompletedFetch::new(name.clone(), asked, bytes, aborted, isolation, check);
            self.fetcher.buffered.push_back((node, fetch));
        }
        Ok(())
    }

    /// Records that came, in turn from each partition that may be read.
    fn collect(&mut self) -> Result<Vec<ConsumerRecord>> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        self.drop_stale_fetches();
        let mut out = Vec::new();
        for _ in 0..self.fetcher.buffered.len() {
            let room = self.config.max_poll_records - out.len();
            let Some((node, mut fetch)) = self.fetcher.buffered.pop_front() else { break };
            let name = fetch.partition.clone();
            let readable =
                self.subscriptions.partitions.get(&name).is_some_and(|partition| partition.is_readable());
            if readable && room > 0 {
                if let Err(error) = fetch.take(room, &mut out) {
                    if out.is_empty() {
                        self.fetcher.sessions.entry(node).or_default().failed();
                        return Err(error);
                    }
                    self.failure = Some(error);
                }
                self.advance(&name, fetch.next, fetch.epoch);
            }
            if room == 0 {
                self.fetcher.buffered.push_front((node, fetch));
                break;
            }
            if !fetch.is_done() && self.failure.is_none() {
                // What has more to give goes on next time; what is paused lets the others by.
                if readable {
                    self.fetcher.buffered.push_front((node, fetch));
                } else {
                    self.fetcher.buffered.push_back((node, fetch));
                }
            }
        }
        self.measures.records += out.len() as u64;
        Ok(out)
    }

    fn advance(&mut self, name: &TopicPartition, next: Offset, epoch: Option<LeaderEpoch>) {
        if let Ok(partition) = self.subscriptions.get_mut(name)
            && let Phase::Fetch(position) = partition.phase
        {
            partition.phase =
                Phase::Fetch(Position { offset: next, epoch: epoch.or(position.epoch), ..position });
        }
    }

    /// Drops what was fetched for positions that were left since.
    pub(super) fn drop_stale_fetches(&mut self) {
        let partitions = &self.subscriptions.partitions;
        self.fetcher.retain(|name, next| {
            let position = partitions.get(name).and_then(|partition| partition.position());
            position.is_some_and(|position| position.offset == next)
        });
    }
}

fn leader_of(name: &TopicPartition, data: &PartitionData) -> Option<(TopicPartition, LeaderAndEpoch)> {
    let known = data.current_leader.leader_id >= 0 && data.current_leader.leader_epoch >= 0;
    let leader = Some(NodeId(data.current_leader.leader_id));
    let epoch = LeaderEpoch(data.current_leader.leader_epoch);
    known.then(|| (name.clone(), LeaderAndEpoch { leader, epoch }))
}

fn broker(endpoint: protocol::fetch_response::NodeEndpoint) -> crate::cluster::Broker {
    crate::cluster::Broker {
        id: NodeId(endpoint.node_id),
        host: endpoint.host,
        port: endpoint.port as u16,
        rack: endpoint.rack,
        fenced: false,
    }
}

#[cfg(test)]
mod tests;
