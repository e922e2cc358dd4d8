//! ListTransactions and DescribeTransactions.
//!
//! Kafka: `TransactionStateManager.listTransactionStates`, `TransactionCoordinator.handleDescribeTransactions`.

use std::collections::BTreeMap;

use machine::Now;
use protocol::ErrorCode;
use protocol::describe_transactions_response::{TopicData, TransactionState as Described};
use protocol::list_transactions_response::TransactionState as Listed;

use super::{ListFilter, TransactionMachine, TransactionMetadata, TransactionResponse, TransactionState};

impl TransactionMachine {
    /// Lists the ids that pass the filter. A pattern that is no regular expression was refused before.
    pub(super) fn list(&self, now: Now, filter: &ListFilter) -> TransactionResponse {
        let states: Vec<_> =
            filter.states.iter().filter_map(|name| TransactionState::from_name(name)).collect();
        let pattern = filter.id_pattern.as_deref().and_then(ListFilter::compile);
        let passes = |id: &str, metadata: &TransactionMetadata| {
            (filter.producer_ids.is_empty() || filter.producer_ids.contains(&metadata.producer.id.0))
                && (filter.states.is_empty() || states.contains(&metadata.state))
                && (filter.duration_ms < 0 || now.wall.0 - metadata.start.0 > filter.duration_ms)
                && pattern.as_ref().is_none_or(|pattern| pattern.is_match(id))
        };
        let listed = self.ids().filter(|(id, metadata)| passes(id, metadata)).map(|(id, metadata)| Listed {
            transactional_id: id.clone(),
            producer_id: metadata.producer.id.0,
            transaction_state: metadata.state.name().to_owned(),
            ..Default::default()
        });
        TransactionResponse::List(listed.collect())
    }

    /// Describes an id, with an error if it is not known.
    pub(super) fn describe(&self, transactional_id: String) -> Described {
        let metadata = match self.get(&transactional_id) {
            _ if transactional_id.is_empty() => Err(ErrorCode::INVALID_REQUEST),
            None => Err(ErrorCode::TRANSACTIONAL_ID_NOT_FOUND),
            Some(metadata) => Ok(metadata),
        };
        match metadata {
            Err(error_code) => Described { error_code, transactional_id, ..Default::default() },
            Ok(metadata) => Described {
                transactional_id,
                producer_id: metadata.producer.id.0,
                producer_epoch: metadata.producer.epoch.0,
                transaction_state: metadata.state.name().to_owned(),
                transaction_timeout_ms: metadata.timeout_ms,
                transaction_start_time_ms: metadata.start.0,
                topics: topics(metadata),
                ..Default::default()
            },
        }
    }
}

fn topics(metadata: &TransactionMetadata) -> Vec<TopicData> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in &metadata.partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    let data = |(topic, partitions): (&str, _)| TopicData {
        topic: topic.to_owned(),
        partitions,
        ..Default::default()
    };
    topics.into_iter().map(data).collect()
}
