//! Listing transactions. Kafka: `Admin.listTransactions`.

use std::collections::BTreeMap;

use model::{NodeId, ProducerId};
use protocol::ListTransactionsRequest;

use super::Admin;
use crate::error::{Error, Result};

/// A transactional id in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionListing {
    /// The transactional id.
    pub transactional_id: String,
    /// The producer that it has.
    pub producer_id: ProducerId,
    /// Its state as the broker names it: `Ongoing`, `Empty`, …
    pub state: String,
}

/// Which transactions to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListTransactionsOptions {
    /// States, as [`TransactionListing::state`]; all if empty.
    pub states: Vec<String>,
    /// Producers; all if empty.
    pub producer_ids: Vec<ProducerId>,
    /// Only those that have been open for longer, in milliseconds. Needs a broker of 3.8.
    pub longer_than_ms: Option<i64>,
    /// A regular expression that the whole of the transactional id must match. Needs a broker of 4.1.
    pub id_pattern: Option<String>,
}

impl Admin {
    /// Lists the transactions of every broker that coordinates some.
    pub async fn list_transactions(
        &self,
        options: &ListTransactionsOptions,
    ) -> Result<BTreeMap<NodeId, Vec<TransactionListing>>> {
        let metadata = self.call("listTransactions").metadata().await?;
        let request = ListTransactionsRequest {
            state_filters: options.states.clone(),
            producer_id_filters: options.producer_ids.iter().map(|id| id.0).collect(),
            duration_filter: options.longer_than_ms.unwrap_or(-1),
            transactional_id_pattern: options.id_pattern.clone(),
            ..Default::default()
        };
        let mut done = BTreeMap::new();
        for broker in metadata.brokers.keys() {
            let response =
                self.on_node("listTransactions", *broker, &request, |response| response.error_code).await?;
            Error::check(response.error_code)?;
            let listings = response.transaction_states.into_iter().map(|state| TransactionListing {
                transactional_id: state.transactional_id,
                producer_id: ProducerId(state.producer_id),
                state: state.transaction_state,
            });
            done.insert(*broker, listings.collect());
        }
        Ok(done)
    }
}
