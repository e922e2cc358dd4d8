//! Quotas of users, client ids and addresses. Kafka: `Admin.describeClientQuotas`, `Admin.alterClientQuotas`.

use std::collections::BTreeMap;

use protocol::alter_client_quotas_request::{EntityData, EntryData, OpData};
use protocol::describe_client_quotas_request::ComponentData;
use protocol::{AlterClientQuotasRequest, AlterClientQuotasResponse, DescribeClientQuotasRequest};

use super::Admin;
use super::call::not_controller;
use crate::error::{Error, Result};

/// Whom a quota is for: `user`, `client-id` or `ip`, each with a name, or none for the default.
pub type ClientQuotaEntity = BTreeMap<String, Option<String>>;

/// Which entities are asked for, by one of their types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaMatch<'a> {
    /// Those of this name.
    Name(&'a str),
    /// The default one.
    Default,
    /// Those of any name, and the default one.
    Any,
}

impl Admin {
    /// Returns the quotas of entities that have all these types and match them, and, if `strict`, no other type.
    pub async fn describe_client_quotas(
        &self,
        filter: &[(&str, QuotaMatch<'_>)],
        strict: bool,
    ) -> Result<BTreeMap<ClientQuotaEntity, BTreeMap<String, f64>>> {
        let component = |(kind, matches): &(&str, QuotaMatch<'_>)| {
            let (match_type, match_) = match matches {
                QuotaMatch::Name(name) => (0, Some((*name).to_owned())),
                QuotaMatch::Default => (1, None),
                QuotaMatch::Any => (2, None),
            };
            ComponentData { entity_type: (*kind).to_owned(), match_type, match_, ..Default::default() }
        };
        let components = filter.iter().map(component).collect();
        let request = DescribeClientQuotasRequest { components, strict, ..Default::default() };
        let response = self.on_any("describeClientQuotas", &request, |response| response.error_code).await?;
        Error::check_with(response.error_code, response.error_message)?;
        let entries = response.entries.unwrap_or_default().into_iter();
        let described = entries.map(|entry| {
            let parts = entry.entity.into_iter().map(|part| (part.entity_type, part.entity_name));
            (parts.collect(), entry.values.into_iter().map(|value| (value.key, value.value)).collect())
        });
        Ok(described.collect())
    }

    /// Sets quotas of an entity by their keys, and removes those without a value.
    pub async fn alter_client_quotas(
        &self,
        entity: &ClientQuotaEntity,
        quotas: &BTreeMap<String, Option<f64>>,
        validate_only: bool,
    ) -> Result<()> {
        let part = |(kind, name): (&String, &Option<String>)| EntityData {
            entity_type: kind.clone(),
            entity_name: name.clone(),
            ..Default::default()
        };
        let op = |(key, value): (&String, &Option<f64>)| OpData {
            key: key.clone(),
            value: value.unwrap_or_default(),
            remove: value.is_none(),
            ..Default::default()
        };
        let (entity, ops) = (entity.iter().map(part).collect(), quotas.iter().map(op).collect());
        let entries = vec![EntryData { entity, ops, ..Default::default() }];
        let request = AlterClientQuotasRequest { entries, validate_only, ..Default::default() };
        let error_of = |response: &AlterClientQuotasResponse| {
            not_controller(response.entries.iter().map(|entry| entry.error_code))
        };
        let response = self.on_any("alterClientQuotas", &request, error_of).await?;
        let mut altered = response.entries.into_iter();
        altered.try_for_each(|entry| Error::check_with(entry.error_code, entry.error_message))
    }
}
