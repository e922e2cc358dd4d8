//! Client quotas by entity.
//!
//! Kafka: `ClientQuotasImage`, `ClientQuotaEntity`.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;
use protocol::client_quota_record::EntityData;
use protocol::{ClientQuotaRecord, MetadataRecord};

/// Entity types (`user`, `client-id`, `ip`) with a name each; no name stands for the default entity of that type.
pub type ClientQuotaEntity = BTreeMap<String, Option<String>>;

/// Quotas by key (`producer_byte_rate`, …).
pub type ClientQuotas = BTreeMap<String, f64>;

/// All client quotas.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientQuotasImage {
    entities: OrdMap<ClientQuotaEntity, Arc<ClientQuotas>>,
}

impl ClientQuotasImage {
    /// Every entity that has quotas.
    pub fn entities(&self) -> impl Iterator<Item = (&ClientQuotaEntity, &Arc<ClientQuotas>)> {
        self.entities.iter()
    }

    /// The quotas of `entity`.
    pub fn quotas(&self, entity: &ClientQuotaEntity) -> Option<&Arc<ClientQuotas>> {
        self.entities.get(entity)
    }

    pub(crate) fn set(&mut self, record: &ClientQuotaRecord) {
        let name = |data: &EntityData| (data.entity_type.clone(), data.entity_name.clone());
        let entity: ClientQuotaEntity = record.entity.iter().map(name).collect();
        let mut quotas = self.entities.remove(&entity).unwrap_or_default();
        if record.remove {
            Arc::make_mut(&mut quotas).remove(&record.key);
        } else {
            Arc::make_mut(&mut quotas).insert(record.key.clone(), record.value);
        }
        if !quotas.is_empty() {
            self.entities.insert(entity, quotas);
        }
    }

    pub(crate) fn to_records(&self, records: &mut Vec<MetadataRecord>) {
        for (entity, quotas) in &self.entities {
            records.extend(quotas.iter().map(|(key, value)| {
                MetadataRecord::ClientQuotaRecord(ClientQuotaRecord {
                    entity: entity_data(entity),
                    key: key.clone(),
                    value: *value,
                    ..Default::default()
                })
            }));
        }
    }
}

fn entity_data(entity: &ClientQuotaEntity) -> Vec<EntityData> {
    let data = |(entity_type, entity_name): (&String, &Option<String>)| EntityData {
        entity_type: entity_type.clone(),
        entity_name: entity_name.clone(),
        ..Default::default()
    };
    entity.iter().map(data).collect()
}
