//! Electing leaders. Kafka: `Admin.electLeaders`.

use std::collections::BTreeMap;

use model::TopicPartition;
use protocol::ElectLeadersRequest;
use protocol::elect_leaders_request::TopicPartitions;

use super::Admin;
use super::call::millis;
use crate::error::{Error, Result};
use crate::offsets::by_topic;

/// Who may become leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElectionType {
    /// The first replica, if it is in sync.
    Preferred = 0,
    /// Any replica that is alive, whatever is lost.
    Unclean = 1,
}

impl Admin {
    /// Elects leaders of `partitions`, or of all that need it if `None`. A partition whose leader already is right
    /// has the error `ELECTION_NOT_NEEDED`.
    pub async fn elect_leaders(
        &self,
        election: ElectionType,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<BTreeMap<TopicPartition, Result<()>>> {
        let topic = |(name, partitions): (&str, Vec<(i32, ())>)| TopicPartitions {
            topic: name.to_owned(),
            partitions: partitions.into_iter().map(|(index, ())| index).collect(),
            ..Default::default()
        };
        let topics = partitions.map(|partitions| by_topic(partitions.iter().map(|name| (name, ()))));
        let request = ElectLeadersRequest {
            election_type: election as i8,
            topic_partitions: topics.map(|topics| topics.into_iter().map(topic).collect()),
            timeout_ms: millis(self.cluster().settings().request_timeout),
            ..Default::default()
        };
        let response = self.on_controller("electLeaders", &request, |response| response.error_code).await?;
        Error::check(response.error_code)?;
        let mut done = BTreeMap::new();
        for topic in response.replica_election_results {
            for partition in topic.partition_result {
                let name = TopicPartition::new(topic.topic.as_str(), partition.partition_id);
                done.insert(name, Error::check_with(partition.error_code, partition.error_message));
            }
        }
        Ok(done)
    }
}
