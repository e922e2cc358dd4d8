//! Listing topics. Kafka: `Admin.listTopics`.

use model::Uuid;
use protocol::metadata_response::MetadataResponseTopic;

use super::Admin;
use crate::error::{Error, Result};

/// A topic in a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicListing {
    /// Its name.
    pub name: String,
    /// Its id; zero from old brokers.
    pub id: Uuid,
    /// Whether it is Kafka's own.
    pub internal: bool,
}

impl Admin {
    /// Lists the topics that we may see, by name; Kafka's own only if `internal`.
    pub async fn list_topics(&self, internal: bool) -> Result<Vec<TopicListing>> {
        let response = self.topic_metadata("listTopics", None).await?;
        Error::check(response.error_code)?;
        let listing = |topic: MetadataResponseTopic| TopicListing {
            name: topic.name.unwrap_or_default(),
            id: topic.topic_id,
            internal: topic.is_internal,
        };
        let topics = response.topics.into_iter().map(listing);
        let mut topics: Vec<_> = topics.filter(|topic| internal || !topic.internal).collect();
        topics.sort();
        Ok(topics)
    }
}
