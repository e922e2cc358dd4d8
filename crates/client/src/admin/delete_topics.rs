//! Deleting topics, by name or by id. Kafka: `Admin.deleteTopics`.

use std::collections::BTreeMap;

use model::Uuid;
use protocol::DeleteTopicsRequest;
use protocol::delete_topics_request::DeleteTopicState;

use super::Admin;
use super::call::{millis, not_controller};
use crate::cluster::Purpose;
use crate::error::{Error, Result};

/// A topic, named one way or the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TopicName {
    /// By its name.
    Name(String),
    /// By its id.
    Id(Uuid),
}

impl Admin {
    /// Deletes topics; the result of each is under what it was named by.
    pub async fn delete_topics(&self, topics: &[TopicName]) -> Result<BTreeMap<TopicName, Result<()>>> {
        let mut call = self.call("deleteTopics");
        let node = call.controller().await?;
        let connection = call.within(self.cluster().connection(node, Purpose::Data)).await?;
        let by_state = connection.version_of::<DeleteTopicsRequest>()? >= 6;
        let timeout_ms = millis(self.cluster().settings().request_timeout);
        let mut request = DeleteTopicsRequest { timeout_ms, ..Default::default() };
        for topic in topics {
            match topic {
                TopicName::Name(name) if !by_state => request.topic_names.push(name.clone()),
                TopicName::Name(name) => {
                    request.topics.push(DeleteTopicState { name: Some(name.clone()), ..Default::default() });
                }
                TopicName::Id(_) if !by_state => {
                    return Err(Error::UnsupportedVersion("The node cannot delete topics by id".into()));
                }
                TopicName::Id(id) => {
                    request.topics.push(DeleteTopicState { topic_id: *id, ..Default::default() });
                }
            }
        }
        let response = self
            .on_controller("deleteTopics", &request, |response| {
                not_controller(response.responses.iter().map(|topic| topic.error_code))
            })
            .await?;
        let mut results = BTreeMap::new();
        for topic in response.responses {
            let by_id = TopicName::Id(topic.topic_id);
            let name = match topic.name {
                Some(name) if !topics.contains(&by_id) => TopicName::Name(name),
                _ => by_id,
            };
            results.insert(name, Error::check_with(topic.error_code, topic.error_message));
        }
        Ok(results)
    }
}
