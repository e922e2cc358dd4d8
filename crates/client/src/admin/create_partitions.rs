//! Adding partitions to topics. Kafka: `Admin.createPartitions`.

use std::collections::BTreeMap;

use protocol::CreatePartitionsRequest;
use protocol::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};

use super::Admin;
use super::call::{millis, not_controller};
use crate::error::{Error, Result};

/// How many partitions a topic shall have.
#[derive(Clone, Debug, PartialEq)]
pub struct NewPartitions {
    /// The number of all of them, the old ones too.
    pub total: i32,
    /// The replicas of each new one, if they are chosen by hand.
    pub assignments: Option<Vec<Vec<i32>>>,
}

impl Admin {
    /// Adds partitions; the result of each topic is under its name.
    pub async fn create_partitions(
        &self,
        topics: &BTreeMap<String, NewPartitions>,
        validate_only: bool,
    ) -> Result<BTreeMap<String, Result<()>>> {
        let assignment = |brokers: &Vec<i32>| CreatePartitionsAssignment {
            broker_ids: brokers.clone(),
            ..Default::default()
        };
        let topic = |(name, new): (&String, &NewPartitions)| CreatePartitionsTopic {
            name: name.clone(),
            count: new.total,
            assignments: new.assignments.as_ref().map(|all| all.iter().map(assignment).collect()),
            ..Default::default()
        };
        let request = CreatePartitionsRequest {
            topics: topics.iter().map(topic).collect(),
            timeout_ms: millis(self.cluster().settings().request_timeout),
            validate_only,
            ..Default::default()
        };
        let response = self
            .on_controller("createPartitions", &request, |response| {
                not_controller(response.results.iter().map(|topic| topic.error_code))
            })
            .await?;
        let results = response.results.into_iter();
        Ok(results
            .map(|topic| (topic.name, Error::check_with(topic.error_code, topic.error_message)))
            .collect())
    }
}
