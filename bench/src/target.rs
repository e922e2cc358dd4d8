//! The broker under load, and one topic of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use client::admin::{CreateTopicsOptions, NewTopic, OffsetSpec};
use client::cluster::Purpose;
use client::connection::Connection;
use client::{Admin, Error, config_map};
use model::{NodeId, Offset, TopicPartition};
use protocol::metadata_request::MetadataRequestTopic;
use protocol::{ErrorCode, MetadataRequest};

/// How long a topic may take until it can be used.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often is asked whether it can.
const RECHECK: Duration = Duration::from_millis(5);

/// A topic of a broker.
pub struct Target {
    admin: Admin,
    topic: String,
}

impl Target {
    /// Names a topic; it may not be there yet.
    pub fn new(bootstrap: &str, topic: &str) -> Result<Self> {
        // The system finds the size of socket buffers better than a fixed one does.
        let buffers = [("send.buffer.bytes", "-1"), ("receive.buffer.bytes", "-1")];
        let map = config_map([("bootstrap.servers", bootstrap)].into_iter().chain(buffers));
        Ok(Self { admin: Admin::from_map(&map)?.with_timeout(PATIENCE), topic: topic.to_owned() })
    }

    /// The topic's name.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Creates the topic unless it is there; returns the seconds until each partition answers.
    pub async fn create(&self, partitions: i32) -> Result<f64> {
        let began = Instant::now();
        let topic = NewTopic::new(&self.topic).sized(partitions, 1);
        let results = self.admin.create_topics(&[topic], CreateTopicsOptions::default()).await?;
        match &results[&self.topic] {
            Err(Error::Broker { code: ErrorCode::TOPIC_ALREADY_EXISTS, .. }) | Ok(_) => {}
            Err(error) => return Err(error.clone().into()),
        }
        self.offsets(OffsetSpec::Earliest).await?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// Finds an offset in each partition.
    pub async fn offsets(&self, spec: OffsetSpec) -> Result<BTreeMap<i32, Offset>> {
        let (_, partitions) = self.leader().await?;
        let name = |index: &i32| (TopicPartition::new(self.topic.as_str(), *index), spec);
        let asked = partitions.iter().map(name).collect();
        let found = self.admin.list_offsets(&asked, Default::default()).await;
        found.into_iter().map(|(name, listed)| Ok((name.partition, listed?.offset))).collect()
    }

    /// Waits until all partitions have leaders; returns the one leader and the partitions.
    pub async fn leader(&self) -> Result<(NodeId, Vec<i32>)> {
        let began = Instant::now();
        let topic = MetadataRequestTopic { name: Some(self.topic.clone()), ..Default::default() };
        let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
        while began.elapsed() < PATIENCE {
            let response = self.admin.cluster().send_to_any(&request).await?;
            let rows = response.topics.first().map_or(&[][..], |topic| &topic.partitions);
            let leader = rows.first().map_or(-1, |row| row.leader_id);
            if leader >= 0 && rows.iter().all(|row| row.leader_id == leader) {
                return Ok((NodeId(leader), rows.iter().map(|row| row.partition_index).collect()));
            }
            tokio::time::sleep(RECHECK).await;
        }
        bail!("{} has partitions without a leader, or on several brokers", self.topic)
    }

    /// A connection to the leader, and the partitions.
    pub async fn connect(&self) -> Result<(Connection, Vec<i32>)> {
        let (leader, partitions) = self.leader().await?;
        let cluster = self.admin.cluster();
        cluster.update(tokio::time::Instant::now() + PATIENCE).await?;
        let connection = cluster.connection(leader, Purpose::Data).await;
        Ok((connection.context("the leader cannot be reached")?, partitions))
    }
}
