//! Describing brokers' log directories. Kafka: `Admin.describeLogDirs`.

use std::collections::BTreeMap;

use model::{NodeId, TopicPartition};
use protocol::describe_log_dirs_response::DescribeLogDirsResult;
use protocol::{DescribeLogDirsRequest, DescribeLogDirsResponse, ErrorCode};

use super::Admin;
use crate::error::{Error, Result};

/// A log directory.
#[derive(Clone, Debug)]
pub struct LogDirDescription {
    /// Why it is offline, if it is.
    pub error: Option<Error>,
    /// The replicas in it.
    pub replicas: BTreeMap<TopicPartition, ReplicaInfo>,
    /// The volume's size in bytes, where it is known.
    pub total_bytes: Option<i64>,
    /// What is free of it, in bytes, where it is known.
    pub usable_bytes: Option<i64>,
    /// Whether it takes no new replicas.
    pub is_cordoned: bool,
}

/// A replica in a log directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaInfo {
    /// Its size in bytes.
    pub size: i64,
    /// How far its end is behind the high watermark, or behind the current replica.
    pub offset_lag: i64,
    /// Whether it is a replica that is being made, to take the current one's place.
    pub is_future: bool,
}

type LogDirs = BTreeMap<String, LogDirDescription>;

impl Admin {
    /// Describes the log directories of each broker.
    pub async fn describe_log_dirs(
        &self,
        brokers: &[NodeId],
    ) -> BTreeMap<NodeId, Result<BTreeMap<String, LogDirDescription>>> {
        let request = DescribeLogDirsRequest { topics: None, ..Default::default() };
        let mut done = BTreeMap::new();
        for broker in brokers {
            let response =
                self.on_node("describeLogDirs", *broker, &request, |response| response.error_code).await;
            done.insert(*broker, response.and_then(read));
        }
        done
    }
}

fn read(response: DescribeLogDirsResponse) -> Result<LogDirs> {
    Error::check(response.error_code)?;
    // Before version 3, a client without the right got no directory at all.
    if response.results.is_empty() {
        return Err(Error::broker(ErrorCode::CLUSTER_AUTHORIZATION_FAILED));
    }
    Ok(response.results.into_iter().map(|dir| (dir.log_dir.clone(), describe(dir))).collect())
}

fn describe(dir: DescribeLogDirsResult) -> LogDirDescription {
    let mut replicas = BTreeMap::new();
    for topic in dir.topics {
        for partition in topic.partitions {
            let name = TopicPartition::new(topic.name.as_str(), partition.partition_index);
            let (size, offset_lag) = (partition.partition_size, partition.offset_lag);
            replicas.insert(name, ReplicaInfo { size, offset_lag, is_future: partition.is_future_key });
        }
    }
    LogDirDescription {
        error: Error::check(dir.error_code).err(),
        replicas,
        total_bytes: Some(dir.total_bytes).filter(|bytes| *bytes >= 0),
        usable_bytes: Some(dir.usable_bytes).filter(|bytes| *bytes >= 0),
        is_cordoned: dir.is_cordoned,
    }
}
