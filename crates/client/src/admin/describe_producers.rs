//! Describing the producers that partitions remember. Kafka: `Admin.describeProducers`.

use std::collections::BTreeMap;

use model::{NodeId, Offset, ProducerId, Timestamp, TopicPartition};
use protocol::describe_producers_request::TopicRequest;
use protocol::{DescribeProducersRequest, DescribeProducersResponse};

use super::Admin;
use super::call::first_retriable;
use crate::error::{Error, Result};
use crate::offsets::by_topic;

/// A producer that a partition remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerState {
    /// Its id.
    pub producer_id: ProducerId,
    /// Its epoch.
    pub producer_epoch: i32,
    /// The sequence of its last record; -1 for none.
    pub last_sequence: i32,
    /// When it last wrote; -1 for never.
    pub last_timestamp: Timestamp,
    /// The epoch of the transaction coordinator that last wrote a marker; `None` for none.
    pub coordinator_epoch: Option<i32>,
    /// Where its open transaction begins, if it has one.
    pub transaction_start: Option<Offset>,
}

impl Admin {
    /// Describes the producers of each partition.
    pub async fn describe_producers(
        &self,
        partitions: &[TopicPartition],
    ) -> BTreeMap<TopicPartition, Result<Vec<ProducerState>>> {
        let items = partitions.iter().map(|name| (name.clone(), ())).collect();
        self.on_leaders("describeProducers", items, |leader, asked| async move {
            Ok(read(self.cluster().send(leader, &request(&asked)).await?))
        })
        .await
    }

    /// Describes the producers of each partition as the replica on `broker` remembers them.
    pub async fn describe_producers_of_replica(
        &self,
        broker: NodeId,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, Result<Vec<ProducerState>>>> {
        let asked: Vec<_> = partitions.iter().map(|name| (name.clone(), ())).collect();
        let error_of = |response: &DescribeProducersResponse| {
            let partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
            first_retriable(partitions.map(|partition| partition.error_code))
        };
        let response = self.on_node("describeProducers", broker, &request(&asked), error_of).await?;
        Ok(read(response).into_iter().collect())
    }
}

fn read(response: DescribeProducersResponse) -> Vec<(TopicPartition, Result<Vec<ProducerState>>)> {
    let mut done = Vec::new();
    for topic in response.topics {
        for partition in topic.partitions {
            let name = TopicPartition::new(topic.name.as_str(), partition.partition_index);
            let checked = Error::check_with(partition.error_code, partition.error_message);
            let states = partition.active_producers.into_iter().map(state).collect();
            done.push((name, checked.map(|()| states)));
        }
    }
    done
}

fn request(asked: &[(TopicPartition, ())]) -> DescribeProducersRequest {
    let topic = |(name, partitions): (&str, Vec<(i32, ())>)| TopicRequest {
        name: name.to_owned(),
        partition_indexes: partitions.into_iter().map(|(index, ())| index).collect(),
        ..Default::default()
    };
    let topics = by_topic(asked.iter().map(|(name, ())| (name, ()))).into_iter().map(topic).collect();
    DescribeProducersRequest { topics, ..Default::default() }
}

fn state(state: protocol::describe_producers_response::ProducerState) -> ProducerState {
    ProducerState {
        producer_id: ProducerId(state.producer_id),
        producer_epoch: state.producer_epoch,
        last_sequence: state.last_sequence,
        last_timestamp: Timestamp(state.last_timestamp),
        coordinator_epoch: Some(state.coordinator_epoch).filter(|epoch| *epoch >= 0),
        transaction_start: Some(Offset(state.current_txn_start_offset)).filter(|offset| offset.0 >= 0),
    }
}
