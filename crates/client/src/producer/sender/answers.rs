//! What a broker says of the batches that it was sent. Kafka: `Sender.handleProduceResponse`.
//!
//! Invariant: each batch of a request hears something, also where the answer leaves it out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{NodeId, Offset, Timestamp, TopicPartition, Uuid};
use protocol::produce_response::{BatchIndexAndErrorMessage, NodeEndpoint, PartitionProduceResponse};
use protocol::{ErrorCode, ProduceResponse};
use tokio::time::Instant;

use super::super::batch::BatchId;
use super::super::delivery::Fate;
use super::super::produce_request::leader_of;
use super::{Sender, Sent};
use crate::cluster::{Broker, LeaderAndEpoch};
use crate::error::{Error, Result};

impl Sender {
    pub(super) fn answered(&mut self, sent: &Sent, result: Result<ProduceResponse>) {
        let response = match result {
            Ok(response) => response,
            Err(error) => return self.failed(&sent.batches, &error),
        };
        let throttle = f64::from(response.throttle_time_ms);
        self.shared.with(|accumulator| accumulator.measures.throttles.add(throttle));
        if response.throttle_time_ms > 0 {
            let wait = Duration::from_millis(response.throttle_time_ms as u64);
            self.throttled.insert(sent.node, Instant::now() + wait);
        }
        let mut waiting: BTreeMap<TopicPartition, BatchId> =
            sent.batches.iter().map(|(id, partition)| (partition.clone(), *id)).collect();
        let mut leaders = Vec::new();
        for topic in response.responses {
            let known = sent.metadata.topic_name(topic.topic_id);
            let by_id = known.filter(|_| topic.topic_id != Uuid::ZERO).cloned();
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

    /// A request without an answer was given to the network, or was not.
    pub(super) fn written(&self, sent: &[(BatchId, TopicPartition)], result: Result<()>) {
        if let Err(error) = result {
            return self.failed(sent, &error);
        }
        for (id, _) in sent {
            self.shared.with(|accumulator| accumulator.succeed(*id, None, None));
        }
    }

    /// A request failed as a whole.
    pub(super) fn failed(&self, sent: &[(BatchId, TopicPartition)], error: &Error) {
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
        let general = answer.error_message.clone().unwrap_or_else(|| code.message().into());
        let error = Error::Broker { code, message: answer.error_message };
        let fatal = matches!(code, ErrorCode::CLUSTER_AUTHORIZATION_FAILED | ErrorCode::PRODUCER_FENCED);
        if fatal && shared.config.transactional_id.is_none() {
            *shared.fatal.lock().expect("no holder panics") = Some(error.clone());
        }
        let text = |record: BatchIndexAndErrorMessage| {
            (record.batch_index, record.batch_index_error_message.unwrap_or_else(|| general.clone()))
        };
        let records: BTreeMap<i32, String> = answer.record_errors.into_iter().map(text).collect();
        let fate = if records.is_empty() { Fate::Failed(error) } else { Fate::Invalid { error, records } };
        shared.with(|accumulator| accumulator.fail(id, fate, !code.is_retriable()));
    }
}
