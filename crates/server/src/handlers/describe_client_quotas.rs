//! DescribeClientQuotas (key 48): what users, client ids and addresses may use.
//!
//! Versions: 0–1. 1 flexible. Kafka: `ClientQuotasImage.describe`.

use std::collections::{BTreeMap, BTreeSet};

use metadata::{ClientQuotaEntity, ClientQuotas};
use model::AclOperation;
use protocol::describe_client_quotas_request::ComponentData;
use protocol::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use protocol::{DescribeClientQuotasRequest, DescribeClientQuotasResponse, ErrorCode};

use crate::authorize::Refusal;
use crate::broker::Broker;
use crate::handlers::config_changes::invalid_request;
use crate::request::RequestContext;

const MATCH_EXACT: i8 = 0;
const MATCH_DEFAULT: i8 = 1;
const MATCH_SPECIFIED: i8 = 2;

/// Describes the quotas of the entities that a filter lets through.
pub fn handle(
    broker: &Broker,
    context: &RequestContext,
    request: &DescribeClientQuotasRequest,
) -> DescribeClientQuotasResponse {
    let may = broker.gate(context).check_cluster(AclOperation::DescribeConfigs);
    let may = may.map_err(|code| (code, None));
    let filter = match may.and_then(|()| Filter::new(&request.components, request.strict)) {
        Ok(filter) => filter,
        Err((error_code, error_message)) => {
            return DescribeClientQuotasResponse {
                error_code,
                error_message,
                entries: None,
                ..Default::default()
            };
        }
    };
    let image = broker.metadata.image();
    let entities = image.client_quotas().entities().filter(|(entity, _)| filter.matches(entity));
    let entries = entities.map(|(entity, quotas)| entry(entity, quotas)).collect();
    DescribeClientQuotasResponse { entries: Some(entries), ..Default::default() }
}

/// Which entities are asked for, by type: of one name (none for the default), or of any.
struct Filter {
    exact: BTreeMap<String, Option<String>>,
    any: BTreeSet<String>,
    strict: bool,
}

impl Filter {
    fn new(components: &[ComponentData], strict: bool) -> Result<Self, Refusal> {
        let mut filter = Self { exact: BTreeMap::new(), any: BTreeSet::new(), strict };
        components.iter().try_for_each(|component| filter.add(component))?;
        if filter.has("ip") && (filter.has("user") || filter.has("client-id")) {
            return Err(invalid_request(
                "Invalid entity filter component combination. IP filter component should not be used with user or \
                 clientId filter component.",
            ));
        }
        Ok(filter)
    }

    fn has(&self, kind: &str) -> bool {
        self.exact.contains_key(kind) || self.any.contains(kind)
    }

    fn add(&mut self, component: &ComponentData) -> Result<(), Refusal> {
        let kind = component.entity_type.clone();
        if kind.is_empty() {
            return Err(invalid_request("Invalid empty entity type."));
        }
        if self.has(&kind) {
            let text = format!("Entity type {kind} cannot appear more than once in the filter.");
            return Err(invalid_request(text));
        }
        if !["ip", "user", "client-id"].contains(&kind.as_str()) {
            let text = format!("Unsupported entity type {kind}");
            return Err((ErrorCode::UNSUPPORTED_VERSION, Some(text)));
        }
        match (component.match_type, component.match_.clone()) {
            (MATCH_EXACT, Some(name)) => drop(self.exact.insert(kind, Some(name))),
            (MATCH_EXACT, None) => {
                return Err(invalid_request(
                    "Request specified MATCH_TYPE_EXACT, but set match string to null.",
                ));
            }
            (MATCH_DEFAULT, None) => drop(self.exact.insert(kind, None)),
            (MATCH_DEFAULT, Some(_)) => return Err(with_a_name("DEFAULT")),
            (MATCH_SPECIFIED, None) => drop(self.any.insert(kind)),
            (MATCH_SPECIFIED, Some(_)) => return Err(with_a_name("SPECIFIED")),
            (other, _) => return Err(invalid_request(format!("Unknown match type {other}"))),
        }
        Ok(())
    }

    fn matches(&self, entity: &ClientQuotaEntity) -> bool {
        let of_size = !self.strict || entity.len() == self.exact.len() + self.any.len();
        of_size
            && self.exact.iter().all(|(kind, name)| entity.get(kind) == Some(name))
            && self.any.iter().all(|kind| entity.contains_key(kind))
    }
}

fn with_a_name(kind: &str) -> Refusal {
    invalid_request(format!("Request specified MATCH_TYPE_{kind}, but also specified a match string."))
}

fn entry(entity: &ClientQuotaEntity, quotas: &ClientQuotas) -> EntryData {
    let part = |(entity_type, entity_name): (&String, &Option<String>)| EntityData {
        entity_type: entity_type.clone(),
        entity_name: entity_name.clone(),
        ..Default::default()
    };
    let value =
        |(key, value): (&String, &f64)| ValueData { key: key.clone(), value: *value, ..Default::default() };
    let (entity, values) = (entity.iter().map(part).collect(), quotas.iter().map(value).collect());
    EntryData { entity, values, ..Default::default() }
}
