//! Batches on their way to a broker: built, put into one request, and sent. Kafka: `Sender.sendProduceRequest`.

use std::sync::Arc;

use bytes::Bytes;
use model::{NodeId, TopicPartition};
use protocol::ProduceRequest;
use tokio::time::Instant;

use super::super::batch::{BatchId, Drained, Work};
use super::super::delivery::Fate;
use super::super::produce_request::{ID_VERSION, request};
use super::{Event, Sender, Sent};
use crate::cluster::ClusterMetadata;
use crate::config::Acks;
use crate::connection::Connection;
use crate::error::Error;

impl Sender {
    /// The bytes of a batch.
    pub(super) fn build(&self, drained: Drained) -> Option<(BatchId, TopicPartition, Bytes)> {
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

    pub(super) fn send(
        &mut self,
        connection: &Connection,
        metadata: &Arc<ClusterMetadata>,
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
                let sent = Sent { node, batches: sent, metadata: Arc::clone(metadata) };
                self.tasks.spawn(async move {
                    let asked = Instant::now();
                    let answer = answer.await;
                    shared.with(|accumulator| accumulator.measures.latencies.add_time(asked.elapsed()));
                    Event::Answered(sent, answer)
                });
            }
            Err(error) => self.failed(&sent, &error),
        }
    }
}
