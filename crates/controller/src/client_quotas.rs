//! AlterClientQuotas: what users, client ids and addresses may use.
//!
//! Kafka: `ClientQuotaControlManager`, `AlterClientQuotasRequest`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use metadata::ClientQuotaEntity;
use protocol::alter_client_quotas_request::{EntryData, OpData};
use protocol::client_quota_record::EntityData;
use protocol::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, ClientQuotaRecord, ErrorCode, MetadataRecord,
    alter_client_quotas_response,
};

use crate::api_error::{MAX_RECORDS_PER_REQUEST, code_and_message};
use crate::requests::Decision;
use crate::{ApiError, Controller};

const USER: &str = "user";
const CLIENT_ID: &str = "client-id";
const IP: &str = "ip";

/// The type of a quota's value.
#[derive(Clone, Copy, PartialEq)]
enum ValueType {
    Int,
    Long,
    Double,
}

/// The quotas of users and client ids. Kafka: `QuotaConfig.userAndClientQuotaConfigs`.
const USER_AND_CLIENT_ID_KEYS: &[(&str, ValueType)] = &[
    ("consumer_byte_rate", ValueType::Long),
    ("controller_mutation_rate", ValueType::Double),
    ("producer_byte_rate", ValueType::Long),
    ("request_percentage", ValueType::Double),
];
/// The quotas of addresses. Kafka: `QuotaConfig.ipConfigs`.
const IP_KEYS: &[(&str, ValueType)] = &[("connection_creation_rate", ValueType::Int)];

/// What the request says of one entity; none to remove a quota.
type Alterations = BTreeMap<String, Option<f64>>;

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::INVALID_REQUEST, message)
}

impl Controller {
    /// Decides on quotas; `hosts` are the names that can stand for addresses.
    pub(crate) fn alter_client_quotas(
        &self,
        request: &AlterClientQuotasRequest,
        hosts: &BTreeSet<String>,
    ) -> Decision {
        let mut records = Vec::new();
        let mut places: BTreeMap<ClientQuotaEntity, usize> = BTreeMap::new();
        let mut outcomes: Vec<(ClientQuotaEntity, Result<(), ApiError>)> = Vec::new();
        for entry in &request.entries {
            let entity = entity_of(entry);
            let earlier = places.get(&entity).copied();
            let outcome = match (earlier, alterations(&entry.ops)) {
                (None, Ok(alterations)) => self.alter_entity(&entity, entry, &alterations, hosts),
                // Kafka tells of a repeated key as of a repeated entity.
                _ => Err(invalid(format!("Ignoring duplicate entity {}", show(&entity)))),
            };
            let result = outcome.map(|more| records.extend(more));
            match earlier {
                Some(at) => outcomes[at].1 = result,
                None => {
                    places.insert(entity.clone(), outcomes.len());
                    outcomes.push((entity, result));
                }
            }
        }
        if records.len() > MAX_RECORDS_PER_REQUEST {
            records.clear();
            outcomes.iter_mut().for_each(|(_, outcome)| *outcome = Err(ApiError::too_many_records()));
        }
        if request.validate_only {
            records.clear();
        }
        let entries = outcomes.iter().map(|(entity, outcome)| answer(entity, outcome)).collect();
        Decision::new(records, AlterClientQuotasResponse { entries, ..Default::default() })
    }

    fn alter_entity(
        &self,
        entity: &ClientQuotaEntity,
        entry: &EntryData,
        alterations: &Alterations,
        hosts: &BTreeSet<String>,
    ) -> Result<Vec<MetadataRecord>, ApiError> {
        check_entity(entity)?;
        let keys = keys_of(entity, hosts)?;
        let current = self.image.client_quotas().quotas(entity);
        let mut records = Vec::new();
        for (key, value) in alterations {
            let known = current.and_then(|quotas| quotas.get(key)).copied();
            let record = |value: Option<f64>| {
                MetadataRecord::ClientQuotaRecord(ClientQuotaRecord {
                    entity: entity_data(entry),
                    key: key.clone(),
                    value: value.unwrap_or_default(),
                    remove: value.is_none(),
                    ..Default::default()
                })
            };
            match value {
                None if known.is_some() => records.push(record(None)),
                None => {}
                Some(value) => {
                    check_value(keys, key, *value)?;
                    if known != Some(*value) {
                        records.push(record(Some(*value)));
                    }
                }
            }
        }
        Ok(records)
    }
}

fn entity_of(entry: &EntryData) -> ClientQuotaEntity {
    entry.entity.iter().map(|part| (part.entity_type.clone(), part.entity_name.clone())).collect()
}

/// Records list an entity's parts in the order of the request, once each.
fn entity_data(entry: &EntryData) -> Vec<EntityData> {
    let data = |(entity_type, entity_name)| EntityData { entity_type, entity_name, ..Default::default() };
    entity_of(entry).into_iter().map(data).collect()
}

fn alterations(ops: &[OpData]) -> Result<Alterations, ()> {
    let mut alterations = Alterations::new();
    for op in ops {
        let value = (!op.remove).then_some(op.value);
        if alterations.insert(op.key.clone(), value).is_some() {
            return Err(());
        }
    }
    Ok(alterations)
}

/// The text of an entity in errors. Kafka: `ClientQuotaEntity.toString`.
fn show(entity: &ClientQuotaEntity) -> String {
    let part =
        |(kind, name): (&String, &Option<String>)| format!("{kind}={}", name.as_deref().unwrap_or("null"));
    let parts: Vec<String> = entity.iter().map(part).collect();
    format!("ClientQuotaEntity(entries={{{}}})", parts.join(", "))
}

fn check_entity(entity: &ClientQuotaEntity) -> Result<(), ApiError> {
    for (kind, name) in entity {
        if ![USER, CLIENT_ID, IP].contains(&kind.as_str()) {
            return Err(invalid(format!("Unhandled client quota entity type: {kind}")));
        }
        if name.as_deref() == Some("") {
            return Err(invalid(format!("Empty {kind} not supported")));
        }
    }
    if entity.is_empty() { Err(invalid("Invalid empty client quota entity")) } else { Ok(()) }
}

fn keys_of(
    entity: &ClientQuotaEntity,
    hosts: &BTreeSet<String>,
) -> Result<&'static [(&'static str, ValueType)], ApiError> {
    let Some(ip) = entity.get(IP) else { return Ok(USER_AND_CLIENT_ID_KEYS) };
    if entity.len() > 1 {
        return Err(invalid(
            "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId",
        ));
    }
    match ip {
        Some(ip) if ip.parse::<IpAddr>().is_err() && !hosts.contains(ip) => {
            Err(invalid(format!("{ip} is not a valid IP or resolvable host.")))
        }
        _ => Ok(IP_KEYS),
    }
}

fn check_value(keys: &[(&str, ValueType)], key: &str, value: f64) -> Result<(), ApiError> {
    let kind = keys.iter().find(|(name, _)| *name == key).map(|(_, kind)| *kind);
    let Some(kind) = kind else { return Err(invalid(format!("Invalid configuration key {key}"))) };
    if value <= 0.0 {
        return Err(invalid(format!("Quota {key} must be greater than 0")));
    }
    let too_large = |name: &str| Err(invalid(format!("Proposed value for {key} is too large for {name}.")));
    match kind {
        ValueType::Double => Ok(()),
        ValueType::Int if value > f64::from(i32::MAX) => too_large("an INT"),
        ValueType::Long if value > i64::MAX as f64 => too_large("a LONG"),
        ValueType::Int | ValueType::Long if (value % 1.0).abs() > 1e-6 => {
            Err(invalid(format!("{key} cannot be a fractional value.")))
        }
        ValueType::Int | ValueType::Long => Ok(()),
    }
}

fn answer(
    entity: &ClientQuotaEntity,
    outcome: &Result<(), ApiError>,
) -> alter_client_quotas_response::EntryData {
    let (error_code, error_message) = code_and_message(outcome);
    let part = |(entity_type, entity_name): (&String, &Option<String>)| {
        let (entity_type, entity_name) = (entity_type.clone(), entity_name.clone());
        alter_client_quotas_response::EntityData { entity_type, entity_name, ..Default::default() }
    };
    let entity = entity.iter().map(part).collect();
    alter_client_quotas_response::EntryData { error_code, error_message, entity, ..Default::default() }
}
