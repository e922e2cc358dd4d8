//! Delegation tokens by id. What proves a token is not here.
//!
//! Kafka: `DelegationTokenImage`.

use std::sync::Arc;

use imbl::OrdMap;
use protocol::{DelegationTokenRecord, MetadataRecord};

/// All delegation tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DelegationTokensImage {
    tokens: OrdMap<String, Arc<DelegationTokenRecord>>,
}

impl DelegationTokensImage {
    /// Every token, as its record has it.
    pub fn tokens(&self) -> impl Iterator<Item = &Arc<DelegationTokenRecord>> {
        self.tokens.values()
    }

    /// The token with `id`.
    pub fn token(&self, id: &str) -> Option<&Arc<DelegationTokenRecord>> {
        self.tokens.get(id)
    }

    pub(crate) fn put(&mut self, record: &DelegationTokenRecord) {
        self.tokens.insert(record.token_id.clone(), Arc::new(record.clone()));
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.tokens.remove(id);
    }

    pub(crate) fn to_records(&self, records: &mut Vec<MetadataRecord>) {
        records.extend(
            self.tokens.values().map(|token| MetadataRecord::DelegationTokenRecord(token.as_ref().clone())),
        );
    }
}
