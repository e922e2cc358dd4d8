//! Describing transactions. Kafka: `Admin.describeTransactions`.

use std::collections::{BTreeMap, BTreeSet};

use model::{NodeId, ProducerId, Timestamp, TopicPartition};
use protocol::{DescribeTransactionsRequest, ErrorCode};

use super::Admin;
use crate::cluster::CoordinatorKind;
use crate::error::{Error, Result};

/// What a coordinator knows of a transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionDescription {
    /// The coordinator.
    pub coordinator: NodeId,
    /// Its state as the broker names it.
    pub state: String,
    /// The producer that it has.
    pub producer_id: ProducerId,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// After how long the coordinator aborts a transaction, in milliseconds.
    pub timeout_ms: i32,
    /// When the open transaction began; `None` if none is open.
    pub start: Option<Timestamp>,
    /// The partitions that the open transaction has.
    pub partitions: BTreeSet<TopicPartition>,
}

impl Admin {
    /// Describes transactional ids; the result of each is under its name.
    pub async fn describe_transactions(
        &self,
        transactional_ids: &[String],
    ) -> BTreeMap<String, Result<TransactionDescription>> {
        let mut done = BTreeMap::new();
        for id in transactional_ids {
            done.insert(id.clone(), self.describe_transaction(id).await);
        }
        done
    }

    async fn describe_transaction(&self, id: &str) -> Result<TransactionDescription> {
        let make =
            |_| DescribeTransactionsRequest { transactional_ids: vec![id.to_owned()], ..Default::default() };
        let key = (CoordinatorKind::Transaction, id);
        let (coordinator, response) = self
            .on_coordinator_of(key, "describeTransactions", i16::MAX, make, |response| {
                response.transaction_states.first().map_or(ErrorCode::NONE, |state| state.error_code)
            })
            .await?;
        let state = response.transaction_states.into_iter().next().ok_or_else(|| {
            Error::Protocol(format!("the coordinator's answer does not name the transactional id {id}"))
        })?;
        Error::check_with(state.error_code, explanation(state.error_code, id))?;
        let mut partitions = BTreeSet::new();
        for topic in &state.topics {
            let name = |index: &i32| TopicPartition::new(topic.topic.as_str(), *index);
            partitions.extend(topic.partitions.iter().map(name));
        }
        Ok(TransactionDescription {
            coordinator,
            state: state.transaction_state,
            producer_id: ProducerId(state.producer_id),
            producer_epoch: state.producer_epoch,
            timeout_ms: state.transaction_timeout_ms,
            start: Some(Timestamp(state.transaction_start_time_ms)).filter(|time| time.0 >= 0),
            partitions,
        })
    }
}

/// What Kafka's client says of failures that the coordinator only has a code for.
fn explanation(code: ErrorCode, id: &str) -> Option<String> {
    let because = match code {
        ErrorCode::TRANSACTIONAL_ID_NOT_FOUND => "because the ID could not be found",
        ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED => "due to authorization failure",
        _ => return None,
    };
    Some(format!("DescribeTransactions request for transactionalId `{id}` failed {because}"))
}
