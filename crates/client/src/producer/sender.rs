//! The task that moves batches from the accumulator to brokers, and their fates back. Kafka: `Sender`.
//!
//! Invariant: it decides nothing about batches; it never waits for one node before it serves another.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::{NodeId, Offset, ProducerEpoch, ProducerId, Timestamp, TopicPartition, Uuid};
use protocol::produce_response::{NodeEndpoint, PartitionProduceResponse};
use protocol::{ErrorCode, InitProducerIdRequest, ProduceRequest, ProduceResponse};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Shared;
use super::accumulator::{Accumulator, Ready};
use super::batch::{BatchId, Drained, Work};
use super::delivery::Fate;
use super::produce_request::{ID_VERSION, leader_of, request};
use super::sequences::Identity;
use super::transactions::{Answer, Coordinators, Request, perform};
use crate::chance;
use crate::cluster::{Broker, ClusterMetadata, LeaderAndEpoch, Purpose};
use crate::config::Acks;
use crate::connection::Connection;
use crate::error::{Error, Result};

pub(super) struct Sender {
    shared: Arc<Shared>,
    tasks: JoinSet<Event>,
    in_flight: HashMap<NodeId, usize>,
    connecting: BTreeSet<NodeId>,
    /// Nodes that asked us to wait. Kafka: KIP-219.
    throttled: HashMap<NodeId, Instant>,
    identity: IdentityRequest,
    coordinators: Option<Arc<Coordinators>>,
    closing_since: Option<Instant>,
}

/// Where asking for a producer id stands.
#[derive(Default)]
struct IdentityRequest {
    under_way: bool,
    failures: u32,
    not_before: Option<Instant>,
}

enum Event {
    Connected(NodeId, Result<()>),
    Answered(NodeId, Vec<(BatchId, TopicPartition)>, Result<ProduceResponse>),
    /// A request that gets no answer is on its way.
    Written(NodeId, Vec<(BatchId, TopicPartition)>, Result<()>),
    Identity(Result<Identity>),
    Asked(Request, Result<Answer>),
}

impl Sender {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let coordinators = shared.config.transactional_id.as_ref().map(|id| {
            Arc::new(Coordinators::new(shared.cluster.clone(), id, shared.config.transaction_timeout))
        });
        Self {
            coordinators,
            closing_since: None,
            shared,
            tasks: JoinSet::new(),
            in_flight: HashMap::new(),
            connecting: BTreeSet::new(),
            throttled: HashMap::new(),
            identity: IdentityRequest::default(),
        }
    }

    /// Runs until the producer is closed and everything has its fate.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut view = shared.cluster.subscribe();
        loop {
            let next = self.step();
            if shared.with(Accumulator::take_freed) {
                shared.memory.notify_waiters();
            }
            if self.is_finished() {
                return;
            }
            let next = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                () = shared.wake.notified() => {}
                Some(event) = self.tasks.join_next() => self.take_event(event),
                () = tokio::time::sleep_until(next) => {}
                _ = view.changed() => {}
            }
            while let Some(event) = self.tasks.try_join_next() {
                self.take_event(event);
            }
        }
    }

    fn take_event(&mut self, event: std::result::Result<Event, tokio::task::JoinError>) {
        match event {
            Ok(Event::Connected(node, result)) => {
                self.connecting.remove(&node);
                if let Err(error) = result {
                    self.connection_failed(&error);
                }
            }
            Ok(Event::Answered(node, sent, result)) => {
                *self.in_flight.entry(node).or_insert(1) -= 1;
                self.answered(node, &sent, result);
            }
            Ok(Event::Written(node, sent, result)) => {
                *self.in_flight.entry(node).or_insert(1) -= 1;
                self.written(&sent, result);
            }
            Ok(Event::Identity(result)) => self.take_identity(result),
            Ok(Event::Asked(request, answer)) => {
                let now = std::time::Instant::now();
                self.shared.with(|accumulator| accumulator.answered(now, request, answer));
            }
            Err(error) => tracing::error!(%error, "a task of the producer failed"),
        }
    }

    /// A transaction that cannot be aborted is left to the coordinator, which aborts it after `transaction.timeout.ms`.
    fn is_finished(&mut self) -> bool {
        let shared = &self.shared;
        let feature = shared.transaction_version();
        if shared.with(|accumulator| accumulator.is_finished(feature)) {
            return true;
        }
        if !shared.with(|accumulator| accumulator.is_closing()) {
            return false;
        }
        let since = *self.closing_since.get_or_insert_with(Instant::now);
        let patience = shared.config.transaction_timeout.max(shared.config.delivery_timeout);
        if since.elapsed() > patience {
            shared.with(Accumulator::close_transactions);
        }
        false
    }

    fn connection_failed(&self, error: &Error) {
        if matches!(error, Error::Authentication(_)) {
            self.shared.with(|accumulator| accumulator.abort(error));
        }
        self.shared.cluster.request_update();
    }

    /// Sends what can be sent; tells when to look again.
    fn step(&mut self) -> Option<Instant> {
        let now = std::time::Instant::now();
        let shared = Arc::clone(&self.shared);
        let expiry = shared.with(|accumulator| accumulator.expire(now));
        let wanted = shared.with(|accumulator| accumulator.settle_sequences() && !accumulator.is_empty());
        if wanted {
            self.ask_for_identity();
        }
        self.ask_coordinators(now);
        let metadata = shared.cluster.metadata();
        let ready = loop {
            let ready = self.ready(now, &metadata);
            // One batch of each partition at a time: what is behind it may have to wait for more records.
            let served = ready.nodes.iter().map(|node| self.serve(now, &metadata, *node));
            if !served.fold(false, |any, sent| any | sent) {
                break ready;
            }
        };
        if !ready.unknown_leaders.is_empty() {
            shared.cluster.interest(|interest| {
                for topic in &ready.unknown_leaders {
                    interest.touch(topic, Instant::now());
                }
                true
            });
        }
        self.throttled.retain(|_, until| *until > Instant::now());
        let asked = shared.with(|accumulator| accumulator.next_request_time());
        let times = [ready.next, expiry, asked.filter(|at| *at > now)].map(|at| at.map(Instant::from_std));
        let identity = self.identity.not_before.filter(|_| wanted);
        times.into_iter().chain([identity]).flatten().chain(self.throttled.values().copied()).min()
    }

    /// What can be sent; connects to the nodes that it would go to.
    fn ready(&mut self, now: std::time::Instant, metadata: &ClusterMetadata) -> Ready {
        let shared = &self.shared;
        let missing = RefCell::new(BTreeSet::new());
        let (in_flight, throttled) = (&self.in_flight, &self.throttled);
        let can_send = |node: NodeId| {
            let open = shared.cluster.open_connection(node, Purpose::Data).is_some();
            if !open {
                missing.borrow_mut().insert(node);
            }
            let busy = in_flight.get(&node).copied().unwrap_or(0) >= shared.config.max_in_flight;
            let waits = throttled.get(&node).is_some_and(|until| Instant::now() < *until);
            open && !busy && !waits
        };
        let ready = shared.with(|accumulator| accumulator.ready(now, metadata, can_send));
        for node in missing.into_inner() {
            self.connect(node);
        }
        ready
    }

    fn ask_coordinators(&mut self, now: std::time::Instant) {
        let Some(coordinators) = &self.coordinators else { return };
        while let Some(request) = self.shared.with(|accumulator| accumulator.next_request(now)) {
            let coordinators = Arc::clone(coordinators);
            self.tasks.spawn(async move {
                let answer = perform(&coordinators, request.step.clone()).await;
                Event::Asked(request, answer)
            });
        }
    }

    fn connect(&mut self, node: NodeId) {
        if self.connecting.insert(node) {
            let cluster = self.shared.cluster.clone();
            self.tasks.spawn(async move {
                let connected = cluster.connection(node, Purpose::Data).await.map(drop);
                Event::Connected(node, connected)
            });
        }
    }

    /// Sends one request to a node, with a batch of each of its partitions; tells whether there was anything to send.
    fn serve(&mut self, now: std::time::Instant, metadata: &ClusterMetadata, node: NodeId) -> bool {
        let Some(connection) = self.shared.cluster.open_connection(node, Purpose::Data) else { return false };
        let drained = self.shared.with(|accumulator| accumulator.drain(now, metadata, node));
        let any = !drained.is_empty();
        let built: Vec<_> = drained.into_iter().filter_map(|batch| self.build(batch)).collect();
        if !built.is_empty() {
            self.send(&connection, metadata, node, built);
        }
        any
    }

    /// The bytes of a batch.
    fn build(&self, drained: Drained) -> Option<(BatchId, TopicPartition, Bytes)> {
        let (id, partition) = (drained.id, drained.partition);
        let builder = match drained.work {
            Work::Send(bytes) => return Some((id, partition, bytes)),
            Work::Build(builder) => builder,
        };
        let plain = builder.uncompressed_size();
        match builder.build_batch() {
            Ok(sealed) => {
                let bytes = sealed.clone().into_bytes();
                self.shared.with(|accumulator| accumulator.sealed(id, sealed, plain));
                Some((id, partition, bytes))
            }
            Err(error) => {
                let fate = Fate::Failed(Error::Other(error.to_string().into()));
                self.shared.with(|accumulator| accumulator.fail(id, fate, true));
                None
            }
        }
    }

    fn send(
        &mut self,
        connection: &Connection,
        metadata: &ClusterMetadata,
        node: NodeId,
        batches: Vec<(BatchId, TopicPartition, Bytes)>,
    ) {
        let config = &self.shared.config;
        let sent: Vec<_> = batches.iter().map(|(id, partition, _)| (*id, partition.clone())).collect();
        let all_ids_known = sent.iter().all(|(_, partition)| metadata.topic_id(&partition.topic).is_some());
        let cap = if all_ids_known { i16::MAX } else { ID_VERSION - 1 };
        let cap = cap.min(self.shared.with(|accumulator| accumulator.produce_cap()));
        let version = match connection.version_at_most::<ProduceRequest>(cap) {
            Ok(version) => version,
            Err(error) => return self.failed(&sent, &error),
        };
        let mut request = request(batches, metadata, version, config.acks, config.client.request_timeout);
        request.transactional_id = config.transactional_id.clone();
        if config.acks == Acks::None {
            match connection.begin_without_answer(&request, version) {
                Ok(written) => {
                    *self.in_flight.entry(node).or_insert(0) += 1;
                    self.tasks.spawn(async move { Event::Written(node, sent, written.await) });
                }
                Err(error) => self.failed(&sent, &error),
            }
            return;
        }
        match connection.begin(&request, version, config.client.request_timeout) {
            Ok(answer) => {
                *self.in_flight.entry(node).or_insert(0) += 1;
                let shared = Arc::clone(&self.shared);
                self.tasks.spawn(async move {
                    let asked = Instant::now();
                    let answer = answer.await;
                    shared.with(|accumulator| accumulator.measures.latencies.add_time(asked.elapsed()));
                    Event::Answered(node, sent, answer)
                });
            }
            Err(error) => self.failed(&sent, &error),
        }
    }

    fn written(&self, sent: &[(BatchId, TopicPartition)], result: Result<()>) {
        if let Err(error) = result {
            return self.failed(sent, &error);
        }
        for (id, _) in sent {
            self.shared.with(|accumulator| accumulator.succeed(*id, None, None));
        }
    }

    /// A request failed as a whole.
    fn failed(&self, sent: &[(BatchId, TopicPartition)], error: &Error) {
        if error.wants_metadata() {
            self.shared.cluster.request_update();
        }
        let now = std::time::Instant::now();
        self.shared.with(|accumulator| {
            for (id, _) in sent {
                if accumulator.can_retry(*id, now, None, error.is_retriable()) {
                    accumulator.retry(*id, now);
                } else {
                    accumulator.fail(*id, Fate::Failed(error.clone()), false);
                }
            }
        });
    }

    fn answered(
        &mut self,
        node: NodeId,
        sent: &[(BatchId, TopicPartition)],
        result: Result<ProduceResponse>,
    ) {
        let response = match result {
            Ok(response) => response,
            Err(error) => return self.failed(sent, &error),
        };
        let throttle = f64::from(response.throttle_time_ms);
        self.shared.with(|accumulator| accumulator.measures.throttles.add(throttle));
        if response.throttle_time_ms > 0 {
            let wait = Duration::from_millis(response.throttle_time_ms as u64);
            self.throttled.insert(node, Instant::now() + wait);
        }
        let metadata = self.shared.cluster.metadata();
        let mut waiting: BTreeMap<TopicPartition, BatchId> =
            sent.iter().map(|(id, partition)| (partition.clone(), *id)).collect();
        let mut leaders = Vec::new();
        for topic in response.responses {
            let by_id = metadata.topic_name(topic.topic_id).filter(|_| topic.topic_id != Uuid::ZERO).cloned();
            let name = by_id.unwrap_or_else(|| topic.name.into());
            for partition in topic.partition_responses {
                let named = TopicPartition::new(Arc::clone(&name), partition.index);
                let Some(id) = waiting.remove(&named) else { continue };
                leaders.extend(leader_of(&named, &partition));
                self.finish(id, &named, partition);
            }
        }
        self.learn(&leaders, response.node_endpoints);
        // An answer that leaves a partition out says nothing about it.
        let left: Vec<_> = waiting.into_iter().map(|(partition, id)| (id, partition)).collect();
        if !left.is_empty() {
            self.failed(&left, &Error::Disconnected("the answer does not name the partition".into()));
        }
    }

    fn learn(&self, leaders: &[(TopicPartition, LeaderAndEpoch)], endpoints: Vec<NodeEndpoint>) {
        if leaders.is_empty() {
            return;
        }
        let broker = |endpoint: NodeEndpoint| Broker {
            id: NodeId(endpoint.node_id),
            host: endpoint.host,
            port: endpoint.port as u16,
            rack: endpoint.rack,
            fenced: false,
        };
        let brokers: Vec<Broker> = endpoints.into_iter().map(broker).collect();
        self.shared.cluster.learn_leaders(leaders, &brokers);
    }

    /// One batch has its answer. Kafka: `Sender.completeBatch`.
    fn finish(&self, id: BatchId, partition: &TopicPartition, answer: PartitionProduceResponse) {
        let code = answer.error_code;
        let now = std::time::Instant::now();
        let shared = &self.shared;
        match code {
            ErrorCode::NONE => {
                let append_time = Some(Timestamp(answer.log_append_time_ms)).filter(|time| time.0 >= 0);
                let base = Some(Offset(answer.base_offset)).filter(|offset| offset.0 >= 0);
                return shared.with(|accumulator| accumulator.succeed(id, base, append_time));
            }
            ErrorCode::DUPLICATE_SEQUENCE_NUMBER => {
                return shared.with(|accumulator| accumulator.succeed(id, None, None));
            }
            ErrorCode::MESSAGE_TOO_LARGE if shared.with(|accumulator| accumulator.split(id, now)) => {
                tracing::warn!(%partition, "a batch was too large and is sent in parts");
                return;
            }
            _ => {}
        }
        if code.is_invalid_metadata() {
            shared.cluster.request_update();
        }
        if shared.with(|accumulator| accumulator.can_retry(id, now, Some(code), code.is_retriable())) {
            tracing::debug!(%partition, error = code.name(), "a batch is sent again");
            return shared.with(|accumulator| accumulator.retry(id, now));
        }
        let error = Error::Broker { code, message: answer.error_message };
        let fatal = matches!(code, ErrorCode::CLUSTER_AUTHORIZATION_FAILED | ErrorCode::PRODUCER_FENCED);
        if fatal && shared.config.transactional_id.is_none() {
            *shared.fatal.lock().expect("no holder panics") = Some(error.clone());
        }
        let records = answer.record_errors.into_iter();
        let records: BTreeMap<i32, String> = records
            .map(|record| (record.batch_index, record.batch_index_error_message.unwrap_or_default()))
            .collect();
        let fate = if records.is_empty() { Fate::Failed(error) } else { Fate::Invalid { error, records } };
        shared.with(|accumulator| accumulator.fail(id, fate, !code.is_retriable()));
    }

    fn ask_for_identity(&mut self) {
        let waits = self.identity.not_before.is_some_and(|at| Instant::now() < at);
        if self.identity.under_way || waits {
            return;
        }
        self.identity =
            IdentityRequest { under_way: true, not_before: None, ..std::mem::take(&mut self.identity) };
        let cluster = self.shared.cluster.clone();
        self.tasks.spawn(async move {
            let request = InitProducerIdRequest {
                transactional_id: None,
                transaction_timeout_ms: i32::MAX,
                ..Default::default()
            };
            let identity = cluster.send_to_any(&request).await.and_then(|response| {
                Error::check(response.error_code)?;
                Ok(Identity {
                    id: ProducerId(response.producer_id),
                    epoch: ProducerEpoch(response.producer_epoch),
                })
            });
            Event::Identity(identity)
        });
    }

    fn take_identity(&mut self, result: Result<Identity>) {
        self.identity.under_way = false;
        match result {
            Ok(identity) => {
                self.identity = IdentityRequest::default();
                self.shared.with(|accumulator| accumulator.sequences.take_identity(identity));
            }
            Err(error) if error.is_retriable() => {
                let wait =
                    self.shared.config.client.retry_backoff.delay(self.identity.failures, chance::number());
                self.identity.failures += 1;
                self.identity.not_before = Some(Instant::now() + wait);
            }
            Err(error) => {
                *self.shared.fatal.lock().expect("no holder panics") = Some(error.clone());
                self.shared.with(|accumulator| accumulator.abort(&error));
            }
        }
    }
}

#[cfg(test)]
mod tests;
