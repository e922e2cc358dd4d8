//! Why topics could not be created, for as long as it is of interest.
//!
//! Invariants:
//! - a bounded number of topics is remembered; the oldest give way
//!
//! Kafka: `DefaultAutoTopicCreationManager.ExpiringErrorCache`.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{ErrorCode, ResponseBody};

/// How many topics' errors are remembered. Kafka: `topicErrorCacheCapacity`.
const CAPACITY: usize = 1000;

/// Errors by topic.
#[derive(Debug, Default)]
pub(super) struct CreationErrors {
    /// What went wrong, and until when of the monotonic clock it counts.
    by_topic: BTreeMap<String, (Duration, String)>,
}

impl CreationErrors {
    /// Takes in what a CreateTopics was answered.
    pub(super) fn note(&mut self, response: &ResponseBody, until: Duration) {
        let ResponseBody::CreateTopics(response) = response else { return };
        for topic in response.topics.iter().filter(|topic| topic.error_code != ErrorCode::NONE) {
            let message = topic.error_message.clone().filter(|message| !message.is_empty());
            let message = message.unwrap_or_else(|| topic.error_code.message().to_owned());
            self.by_topic.insert(topic.name.clone(), (until, message));
        }
        while self.by_topic.len() > CAPACITY {
            let oldest = self.by_topic.iter().min_by_key(|(_, (until, _))| *until);
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else { return };
            self.by_topic.remove(&oldest);
        }
    }

    /// Says what went wrong with a topic, if it counts still.
    pub(super) fn get(&mut self, name: &str, now: Duration) -> Option<String> {
        let (until, message) = self.by_topic.get(name)?;
        if *until > now {
            return Some(message.clone());
        }
        self.by_topic.remove(name);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::CreateTopicsResponse;
    use protocol::create_topics_response::CreatableTopicResult;

    fn failed(name: &str) -> ResponseBody {
        let error_code = ErrorCode::INVALID_REPLICATION_FACTOR;
        let topic = CreatableTopicResult { name: name.into(), error_code, ..Default::default() };
        CreateTopicsResponse { topics: vec![topic], ..Default::default() }.into()
    }

    #[test]
    fn an_error_counts_for_a_while() {
        let mut errors = CreationErrors::default();
        errors.note(&failed("t"), Duration::from_secs(10));
        let message = ErrorCode::INVALID_REPLICATION_FACTOR.message().to_owned();
        assert_eq!(errors.get("t", Duration::from_secs(9)), Some(message));
        assert_eq!(errors.get("u", Duration::from_secs(9)), None);
        assert_eq!(errors.get("t", Duration::from_secs(10)), None);
        assert_eq!(errors.get("t", Duration::ZERO), None);
    }

    #[test]
    fn the_oldest_errors_give_way() {
        let mut errors = CreationErrors::default();
        for number in 0..=CAPACITY as u64 {
            errors.note(&failed(&format!("t{number}")), Duration::from_secs(number + 1));
        }
        assert_eq!(errors.get("t0", Duration::ZERO), None);
        assert!(errors.get("t1", Duration::ZERO).is_some());
    }
}
