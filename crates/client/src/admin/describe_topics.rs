//! Describing topics, with eligible leaders where the broker tells them. Kafka: `Admin.describeTopics`.

use std::collections::BTreeMap;

use model::{NodeId, Uuid};
use protocol::describe_topic_partitions_request::{Cursor, TopicRequest};
use protocol::describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic;
use protocol::metadata_request::MetadataRequestTopic;
use protocol::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use protocol::{DescribeTopicPartitionsRequest, ErrorCode, MetadataRequest};

use super::{Admin, TopicName};
use crate::error::{Error, Result};

/// A topic.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Its id; zero from old brokers.
    pub id: Uuid,
    /// Whether it is Kafka's own.
    pub internal: bool,
    /// Its partitions, by index.
    pub partitions: Vec<TopicPartitionInfo>,
}

/// A partition.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicPartitionInfo {
    /// Its index.
    pub partition: i32,
    /// Its leader, if it has one.
    pub leader: Option<NodeId>,
    /// Its replicas, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// Those in sync.
    pub isr: Vec<NodeId>,
    /// Those that may lead though they are not in sync; `None` where the broker does not tell.
    pub elr: Option<Vec<NodeId>>,
    /// The last known ones of those; `None` where the broker does not tell.
    pub last_known_elr: Option<Vec<NodeId>>,
    /// Those that are not alive.
    pub offline: Vec<NodeId>,
}

type Descriptions = BTreeMap<String, Result<TopicDescription>>;

fn nodes(ids: Vec<i32>) -> Vec<NodeId> {
    ids.into_iter().map(NodeId).collect()
}

impl Admin {
    /// Describes topics; the result of each is under its name.
    pub async fn describe_topics(
        &self,
        names: &[String],
    ) -> Result<BTreeMap<String, Result<TopicDescription>>> {
        match self.describe_by_pages(names).await {
            Err(Error::UnsupportedVersion(_)) => self.describe_by_metadata(names).await,
            other => other,
        }
    }

    /// Describes topics by their ids.
    pub async fn describe_topics_by_id(
        &self,
        ids: &[Uuid],
    ) -> Result<BTreeMap<TopicName, Result<TopicDescription>>> {
        let topic = |id: &Uuid| MetadataRequestTopic { topic_id: *id, name: None, ..Default::default() };
        let request = MetadataRequest {
            topics: Some(ids.iter().map(topic).collect()),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let response = self.on_any("describeTopicsWithIds", &request, |response| response.error_code).await?;
        Error::check(response.error_code)?;
        let described = |topic: MetadataResponseTopic| (TopicName::Id(topic.topic_id), from_metadata(topic));
        Ok(response.topics.into_iter().map(described).collect())
    }

    async fn describe_by_pages(&self, names: &[String]) -> Result<Descriptions> {
        let mut sorted = names.to_vec();
        sorted.sort();
        sorted.dedup();
        let mut done = Descriptions::new();
        let mut cursor: Option<Cursor> = None;
        loop {
            let from = cursor.as_ref().map_or("", |cursor| cursor.topic_name.as_str());
            let topic = |name: &String| TopicRequest { name: name.clone(), ..Default::default() };
            let request = DescribeTopicPartitionsRequest {
                topics: sorted.iter().filter(|name| name.as_str() >= from).map(topic).collect(),
                cursor: cursor.clone(),
                ..Default::default()
            };
            if request.topics.is_empty() {
                return Ok(done);
            }
            let response = self.on_any("describeTopics", &request, |_| ErrorCode::NONE).await?;
            for topic in response.topics {
                add_page(&mut done, topic);
            }
            let Some(next) = response.next_cursor else { return Ok(done) };
            let (topic_name, partition_index) = (next.topic_name, next.partition_index);
            cursor = Some(Cursor { topic_name, partition_index, ..Default::default() });
        }
    }

    async fn describe_by_metadata(&self, names: &[String]) -> Result<Descriptions> {
        let response = self.topic_metadata("describeTopics", Some(names.to_vec())).await?;
        Error::check(response.error_code)?;
        let described =
            |topic: MetadataResponseTopic| (topic.name.clone().unwrap_or_default(), from_metadata(topic));
        Ok(response.topics.into_iter().map(described).collect())
    }
}

/// A topic with many partitions comes on several pages.
fn add_page(done: &mut Descriptions, topic: DescribeTopicPartitionsResponseTopic) {
    let name = topic.name.unwrap_or_default();
    if topic.error_code != ErrorCode::NONE {
        done.insert(name, Err(Error::broker(topic.error_code)));
        return;
    }
    let partitions = topic.partitions.into_iter().map(|partition| TopicPartitionInfo {
        partition: partition.partition_index,
        leader: Some(NodeId(partition.leader_id)).filter(|leader| leader.0 >= 0),
        replicas: nodes(partition.replica_nodes),
        isr: nodes(partition.isr_nodes),
        elr: partition.eligible_leader_replicas.map(nodes),
        last_known_elr: partition.last_known_elr.map(nodes),
        offline: nodes(partition.offline_replicas),
    });
    if let Some(Ok(known)) = done.get_mut(&name) {
        known.partitions.extend(partitions);
        return;
    }
    let (id, internal, partitions) = (topic.topic_id, topic.is_internal, partitions.collect());
    done.insert(name.clone(), Ok(TopicDescription { name, id, internal, partitions }));
}

fn from_metadata(topic: MetadataResponseTopic) -> Result<TopicDescription> {
    Error::check(topic.error_code)?;
    let partition = |partition: MetadataResponsePartition| TopicPartitionInfo {
        partition: partition.partition_index,
        leader: Some(NodeId(partition.leader_id)).filter(|leader| leader.0 >= 0),
        replicas: nodes(partition.replica_nodes),
        isr: nodes(partition.isr_nodes),
        elr: None,
        last_known_elr: None,
        offline: nodes(partition.offline_replicas),
    };
    let mut partitions: Vec<_> = topic.partitions.into_iter().map(partition).collect();
    partitions.sort_by_key(|partition| partition.partition);
    let (name, id, internal) = (topic.name.unwrap_or_default(), topic.topic_id, topic.is_internal);
    Ok(TopicDescription { name, id, internal, partitions })
}
