//! DeleteTopics, by name or by id. Authorization is the broker's: it leaves out what may not be deleted.
//!
//! Kafka: `ReplicationControlManager.deleteTopics`, `ControllerApis.deleteTopics`.

use std::collections::{BTreeMap, BTreeSet};

use model::Uuid;
use protocol::delete_topics_response::DeletableTopicResult;
use protocol::{DeleteTopicsRequest, DeleteTopicsResponse, ErrorCode, MetadataRecord, RemoveTopicRecord};

use crate::requests::Decision;
use crate::{ApiError, Controller};

/// What a request names, once each; what it names more than once is refused.
#[derive(Debug, Default)]
struct Named<T> {
    once: BTreeSet<T>,
    twice: BTreeSet<T>,
}

impl<T: Ord + Clone> Named<T> {
    fn add(&mut self, item: T) {
        if self.twice.contains(&item) {
            return;
        }
        if !self.once.insert(item.clone()) {
            self.once.remove(&item);
            self.twice.insert(item);
        }
    }
}

impl Controller {
    pub(crate) fn delete_topics(&mut self, request: &DeleteTopicsRequest) -> Decision {
        let mut results = Vec::new();
        let (names, ids) = named(request, &mut results);
        let disabled = ApiError::from(ErrorCode::TOPIC_DELETION_DISABLED);
        if !self.config.delete_topic_enable {
            let names = names.once.into_iter().chain(names.twice).map(|name| (Some(name), Uuid::ZERO));
            let ids = ids.once.into_iter().chain(ids.twice).map(|id| (None, id));
            results = names.chain(ids).map(|(name, id)| result(name, id, Err(disabled.clone()))).collect();
            return Decision::answer(DeleteTopicsResponse { responses: results, ..Default::default() });
        }
        let records = self.delete_named(names, ids, &mut results);
        Decision::new(records, DeleteTopicsResponse { responses: results, ..Default::default() })
    }

    fn delete_named(
        &self,
        names: Named<String>,
        ids: Named<Uuid>,
        results: &mut Vec<DeletableTopicResult>,
    ) -> Vec<MetadataRecord> {
        let invalid = |message: &str| Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
        results.extend(
            names.twice.into_iter().map(|n| result(Some(n), Uuid::ZERO, invalid("Duplicate topic name."))),
        );
        results.extend(ids.twice.iter().map(|id| result(None, *id, invalid("Duplicate topic id."))));
        let mut deleted = BTreeMap::new();
        for id in ids.once {
            match self.image.topics().by_id(id) {
                Some(topic) => drop(deleted.insert(id, topic.name().to_string())),
                None => results.push(result(None, id, Err(ErrorCode::UNKNOWN_TOPIC_ID.into()))),
            }
        }
        for name in names.once {
            match self.image.topics().id_of(&name) {
                None => {
                    results.push(result(
                        Some(name),
                        Uuid::ZERO,
                        Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.into()),
                    ));
                }
                Some(id) if ids.twice.contains(&id) || deleted.remove(&id).is_some() => {
                    let message = "The provided topic name maps to an ID that was already supplied.";
                    results.push(result(Some(name), id, invalid(message)));
                }
                Some(id) => drop(deleted.insert(id, name)),
            }
        }
        let mut records = Vec::new();
        for (id, name) in deleted {
            let partitions = self.image.topics().by_id(id).map_or(0, |topic| topic.partition_count());
            let allowed = self.charge(usize::try_from(partitions).unwrap_or(0));
            if allowed.is_ok() {
                let record = RemoveTopicRecord { topic_id: id, ..Default::default() };
                records.push(MetadataRecord::RemoveTopicRecord(record));
            }
            results.push(result(Some(name), id, allowed));
        }
        records
    }
}

fn named(
    request: &DeleteTopicsRequest,
    results: &mut Vec<DeletableTopicResult>,
) -> (Named<String>, Named<Uuid>) {
    let (mut names, mut ids) = (Named::default(), Named::default());
    let invalid = |message: &str| Err(ApiError::new(ErrorCode::INVALID_REQUEST, message));
    request.topic_names.iter().for_each(|name| names.add(name.clone()));
    for topic in &request.topics {
        match (&topic.name, topic.topic_id) {
            (None, Uuid::ZERO) => {
                results.push(result(None, Uuid::ZERO, invalid("Neither topic name nor id were specified.")));
            }
            (None, id) => ids.add(id),
            (Some(name), Uuid::ZERO) => names.add(name.clone()),
            (Some(name), id) => {
                let message = "You may not specify both topic name and topic id.";
                results.push(result(Some(name.clone()), id, invalid(message)));
            }
        }
    }
    (names, ids)
}

fn result(name: Option<String>, topic_id: Uuid, outcome: Result<(), ApiError>) -> DeletableTopicResult {
    let (error_code, error_message) = crate::api_error::code_and_message(&outcome);
    DeletableTopicResult { name, topic_id, error_code, error_message, ..Default::default() }
}
