//! Aborting transactions from outside: one that hangs in a partition, or whatever a transactional id has open.
//! Kafka: `Admin.abortTransaction`, `Admin.fenceProducers`, `Admin.forceTerminateTransaction`.

use std::collections::BTreeMap;

use model::{ProducerId, TopicPartition};
use protocol::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use protocol::{InitProducerIdRequest, WriteTxnMarkersRequest, WriteTxnMarkersResponse};

use super::Admin;
use super::call::millis;
use crate::cluster::CoordinatorKind;
use crate::error::{Error, Result};

/// A transaction that hangs in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbortTransactionSpec {
    /// The partition.
    pub partition: TopicPartition,
    /// The producer that began it.
    pub producer_id: ProducerId,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The epoch of the coordinator to write the marker as; not below that of the partition's last marker.
    pub coordinator_epoch: i32,
}

impl Admin {
    /// Writes the marker that aborts the transaction into its partition.
    pub async fn abort_transaction(&self, spec: &AbortTransactionSpec) -> Result<()> {
        let items = BTreeMap::from([(spec.partition.clone(), ())]);
        let done = self.on_leaders("abortTransaction", items, |leader, _| async move {
            Ok(read(self.cluster().send(leader, &request(spec)).await?))
        });
        let missing = || Err(Error::Protocol("the leader's answer does not name the partition".to_owned()));
        done.await.into_values().next().unwrap_or_else(missing)
    }

    /// Fences the producers of `transactional_id`, which aborts the transaction that is open.
    pub async fn fence_producer(&self, transactional_id: &str) -> Result<()> {
        let make = |_| InitProducerIdRequest {
            transactional_id: Some(transactional_id.to_owned()),
            transaction_timeout_ms: millis(self.cluster().settings().request_timeout),
            ..Default::default()
        };
        let key = (CoordinatorKind::Transaction, transactional_id);
        let (_, response) = self
            .on_coordinator_of(key, "fenceProducer", i16::MAX, make, |response| response.error_code)
            .await?;
        Error::check(response.error_code)
    }
}

fn request(spec: &AbortTransactionSpec) -> WriteTxnMarkersRequest {
    let topic = WritableTxnMarkerTopic {
        name: spec.partition.topic.to_string(),
        partition_indexes: vec![spec.partition.partition],
        ..Default::default()
    };
    let marker = WritableTxnMarker {
        producer_id: spec.producer_id.0,
        producer_epoch: spec.producer_epoch,
        transaction_result: false,
        coordinator_epoch: spec.coordinator_epoch,
        topics: vec![topic],
        ..Default::default()
    };
    WriteTxnMarkersRequest { markers: vec![marker], ..Default::default() }
}

fn read(response: WriteTxnMarkersResponse) -> Vec<(TopicPartition, Result<()>)> {
    let mut done = Vec::new();
    for topic in response.markers.into_iter().flat_map(|marker| marker.topics) {
        for partition in topic.partitions {
            let name = TopicPartition::new(topic.name.as_str(), partition.partition_index);
            done.push((name, Error::check(partition.error_code)));
        }
    }
    done
}
