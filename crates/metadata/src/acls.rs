//! Access control entries by id.
//!
//! Kafka: `AclsImage`.

use std::sync::Arc;

use imbl::OrdMap;
use model::Uuid;
use protocol::{AccessControlEntryRecord, MetadataRecord};

/// All access control entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AclsImage {
    pub(crate) acls: OrdMap<Uuid, Arc<AccessControlEntryRecord>>,
}

impl AclsImage {
    /// Every entry, as its record has it.
    pub fn acls(&self) -> impl Iterator<Item = &Arc<AccessControlEntryRecord>> {
        self.acls.values()
    }

    pub(crate) fn put(&mut self, record: &AccessControlEntryRecord) {
        self.acls.insert(record.id, Arc::new(record.clone()));
    }

    pub(crate) fn remove(&mut self, id: Uuid) {
        self.acls.remove(&id);
    }

    pub(crate) fn to_records(&self, records: &mut Vec<MetadataRecord>) {
        records.extend(
            self.acls.values().map(|acl| MetadataRecord::AccessControlEntryRecord(acl.as_ref().clone())),
        );
    }
}
