//! Writing transaction markers to the partitions that this broker leads, for its own transaction coordinator and for others.
//!
//! A marker in `__consumer_offsets` goes through the group coordinator, which then makes the transaction's offsets count.
//!
//! Not yet: partitions that are led elsewhere.
//! Kafka: `KafkaApis.handleWriteTxnMarkersRequest`, `TransactionMarkerRequestCompletionHandler`.

use std::collections::BTreeSet;
use std::sync::Weak;
use std::time::Duration;

use coordinator::{Later, WriteMarkers};
use coordinators::transaction::{Markers, Producer};
use model::{LeaderEpoch, Offset, Timestamp, TopicPartition, topic_name};
use protocol::ErrorCode;
use records::{BatchBuilder, EndTxnMarker};
use storage::{AppendOptions, AppendOrigin};

use crate::broker::Broker;
use crate::broker::fetch_session::TopicKey;
use crate::broker::replica_manager::wait_committed;

/// How long to wait before a marker is tried again that could not be written. Kafka: `retry.backoff.ms` of the channel.
const RETRY_BACKOFF: Duration = Duration::from_millis(100);

/// A marker for one partition.
#[derive(Clone, Copy, Debug)]
pub struct Marker {
    /// Whose transaction ends.
    pub producer: Producer,
    /// The epoch of the transaction coordinator.
    pub coordinator_epoch: i32,
    /// True to commit, false to abort.
    pub commit: bool,
}

/// Writes one marker, and waits until it is committed.
pub async fn write_marker(
    broker: &Broker,
    partition: &TopicPartition,
    marker: Marker,
) -> Result<(), ErrorCode> {
    if &*partition.topic == topic_name::CONSUMER_OFFSETS {
        return end_in_group_coordinator(broker, partition.partition, marker).await;
    }
    let key = TopicKey::Name(partition.topic.clone());
    let replica = broker.replicas.find(&broker.metadata.image(), &key, partition.partition)?;
    let (id, epoch) = (marker.producer.id, marker.producer.epoch);
    let control = EndTxnMarker { commit: marker.commit, coordinator_epoch: marker.coordinator_epoch };
    let now = Timestamp(broker.clock.wall_ms());
    let batch = BatchBuilder::end_transaction(control, Offset(0), now, LeaderEpoch::NONE, id, epoch);
    let options = AppendOptions { origin: AppendOrigin::Coordinator, ..Default::default() };
    let info = replica.append(batch, true, options).map_err(|error| error.code())?;
    wait_committed(&replica, info.last_offset.plus(1)).await.map_err(|error| error.code())
}

async fn end_in_group_coordinator(broker: &Broker, partition: i32, marker: Marker) -> Result<(), ErrorCode> {
    let Marker { producer, coordinator_epoch, commit } = marker;
    let producer = coordinators::group::Producer { id: producer.id, epoch: producer.epoch };
    let ended = broker.groups.complete_transaction(partition, producer, coordinator_epoch, commit).await;
    ended.map_err(|error| match error {
        // The transaction coordinator does not expect those: to it, the partition has no leader yet.
        ErrorCode::COORDINATOR_NOT_AVAILABLE
        | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
        | ErrorCode::NOT_COORDINATOR => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        other => other,
    })
}

/// Writes the markers that this broker's transaction coordinator asks for.
#[derive(Clone, Debug)]
pub struct MarkerWriter {
    broker: Weak<Broker>,
}

impl MarkerWriter {
    /// Writes through `broker`.
    pub fn new(broker: Weak<Broker>) -> Self {
        Self { broker }
    }

    async fn write_all(&self, markers: Markers, coordinator_epoch: i32) {
        let marker = Marker { producer: markers.producer, coordinator_epoch, commit: markers.commit };
        let mut left: BTreeSet<TopicPartition> = markers.partitions.into_iter().collect();
        loop {
            let Some(broker) = self.broker.upgrade() else { return };
            let mut again = BTreeSet::new();
            for partition in left {
                if let Err(error) = write_marker(&broker, &partition, marker).await
                    && !is_settled(&broker, &partition, error)
                {
                    again.insert(partition);
                }
            }
            if again.is_empty() {
                return;
            }
            left = again;
            let _retried = broker.metrics.transactions.retried(left.len());
            tokio::time::sleep(RETRY_BACKOFF).await;
        }
    }
}

/// Tells whether nothing is left to do for a marker that was refused: its topic is deleted, or a newer coordinator has
/// fenced this one. Kafka: `TransactionMarkerRequestCompletionHandler.onComplete`.
fn is_settled(broker: &Broker, partition: &TopicPartition, error: ErrorCode) -> bool {
    let gone = broker.metadata.image().topics().by_name(&partition.topic).is_none();
    match error {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION if gone => true,
        ErrorCode::INVALID_PRODUCER_EPOCH | ErrorCode::TRANSACTION_COORDINATOR_FENCED => {
            tracing::info!(%partition, error = error.name(), "a transaction marker is fenced");
            true
        }
        _ => {
            tracing::debug!(%partition, error = error.name(), "a transaction marker is tried again");
            false
        }
    }
}

impl WriteMarkers for MarkerWriter {
    fn write(&self, markers: Markers, coordinator_epoch: i32) -> Later<'_, ()> {
        Box::pin(self.write_all(markers, coordinator_epoch))
    }
}
