//! The task that moves batches from the accumulator to brokers, and their fates back. Kafka: `Sender`.
//!
//! Invariant: it decides nothing about batches; it never waits for one node before it serves another. What is sent is
//! made in `requests.rs`, what comes back is taken in by `answers.rs`.

mod answers;
mod identity;
mod requests;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use model::{NodeId, TopicPartition};
use protocol::ProduceResponse;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Shared;
use super::accumulator::{Accumulator, Ready};
use super::batch::BatchId;
use super::sequences::Identity;
use super::transactions::{Answer, Coordinators, Request, perform};
use crate::cluster::{ClusterMetadata, Purpose};
use crate::error::{Error, Result};

use identity::IdentityRequest;

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

/// A request that is answered.
struct Sent {
    node: NodeId,
    batches: Vec<(BatchId, TopicPartition)>,
    /// What topics were named by: the answer names them so, whatever is known by then.
    metadata: Arc<ClusterMetadata>,
}

enum Event {
    Connected(NodeId, Result<()>),
    Answered(Sent, Result<ProduceResponse>),
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
            Ok(Event::Answered(sent, result)) => {
                *self.in_flight.entry(sent.node).or_insert(1) -= 1;
                self.answered(&sent, result);
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
    fn serve(&mut self, now: std::time::Instant, metadata: &Arc<ClusterMetadata>, node: NodeId) -> bool {
        let Some(connection) = self.shared.cluster.open_connection(node, Purpose::Data) else { return false };
        let drained = self.shared.with(|accumulator| accumulator.drain(now, metadata, node));
        let any = !drained.is_empty();
        let built: Vec<_> = drained.into_iter().filter_map(|batch| self.build(batch)).collect();
        if !built.is_empty() {
            self.send(&connection, metadata, node, built);
        }
        any
    }
}

#[cfg(test)]
mod tests;
