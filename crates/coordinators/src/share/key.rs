//! Names one partition of a share group.

use std::fmt;
use std::sync::Arc;

use model::Uuid;

/// One partition of a share group. Kafka: `SharePartitionKey`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SharePartitionKey {
    /// The group's id.
    pub group: Arc<str>,
    /// The topic's id.
    pub topic_id: Uuid,
    /// The partition's index.
    pub partition: i32,
}

impl SharePartitionKey {
    /// Names a partition.
    pub fn new(group: impl Into<Arc<str>>, topic_id: Uuid, partition: i32) -> Self {
        Self { group: group.into(), topic_id, partition }
    }

    /// Reads the key of a FindCoordinator request: `group:topicId:partition`. The error says what is wrong.
    pub fn parse(key: &str) -> Result<Self, String> {
        if key.is_empty() {
            return Err("Share partition key cannot be empty".to_owned());
        }
        let invalid = || format!("Invalid key format: expected - groupId:topicId:partition, found - {key}");
        let mut parts = key.rsplitn(3, ':');
        let (partition, topic_id, group) = (parts.next(), parts.next(), parts.next());
        let (Some(partition), Some(topic_id), Some(group)) = (partition, topic_id, group) else {
            return Err(invalid());
        };
        if group.trim().is_empty() {
            return Err("GroupId must not be empty".to_owned());
        }
        let topic_id = topic_id.parse().map_err(|_| format!("Invalid topic ID: {topic_id}"))?;
        let partition = partition.parse().map_err(|_| format!("Invalid partition: {partition}"))?;
        Ok(Self::new(group, topic_id, partition))
    }
}

/// Writes the key as FindCoordinator has it, whose hash chooses the partition of `__share_group_state`.
impl fmt::Display for SharePartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.group, self.topic_id, self.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written() {
        for group in ["g", "with:colons", " x "] {
            let key = SharePartitionKey::new(group, Uuid::from_u128(7), 3);
            assert_eq!(SharePartitionKey::parse(&key.to_string()), Ok(key));
        }
    }

    #[test]
    fn what_is_no_key_is_refused_with_a_reason() {
        let id = Uuid::from_u128(7);
        for (key, reason) in [
            (String::new(), "Share partition key cannot be empty"),
            ("g:1".into(), "Invalid key format: expected - groupId:topicId:partition, found - g:1"),
            (format!(" :{id}:1"), "GroupId must not be empty"),
            ("g:x:1".into(), "Invalid topic ID: x"),
            (format!("g:{id}:one"), "Invalid partition: one"),
        ] {
            assert_eq!(SharePartitionKey::parse(&key), Err(reason.into()), "{key:?}");
        }
    }
}
