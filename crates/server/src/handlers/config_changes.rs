//! What the handlers of configurations share: refusals with a text, and what is judged before the controller decides.
//!
//! A broker's configuration is judged by that broker, since only it knows its properties file; the controller judges
//! what belongs to topics, groups and metrics subscriptions.
//!
//! Kafka: `ConfigAdminManager`.

use std::collections::BTreeMap;

use config::{ConfigError, ConfigMap, ResourceType};
use model::AclOperation;
use protocol::{
    ErrorCode, alter_configs_request, alter_configs_response, incremental_alter_configs_request,
    incremental_alter_configs_response,
};

use crate::authorize::{Gate, Refusal};
use crate::broker::Broker;

/// Refuses a request with a text.
pub(crate) fn invalid_request(text: impl Into<String>) -> Refusal {
    (ErrorCode::INVALID_REQUEST, Some(text.into()))
}

/// A configuration as a request would set it: its key, and its value if it has one.
pub(crate) struct Change<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: Option<&'a str>,
    /// Whether the request takes the value away.
    pub(crate) deletes: bool,
}

/// Judges the changes of one resource, as far as this broker can.
pub(crate) fn check_changes(kind: i8, changes: &[Change<'_>]) -> Result<ResourceType, Refusal> {
    let mut seen = BTreeMap::new();
    if changes.iter().any(|change| seen.insert(change.name, ()).is_some()) {
        return Err(invalid_request("Error due to duplicate config keys"));
    }
    let null = |change: &&Change<'_>| change.value.is_none() && !change.deletes;
    let nulls: Vec<_> = changes.iter().filter(null).map(|change| change.name).collect();
    if !nulls.is_empty() {
        return Err(invalid_request(format!("Null value not supported for : {}", nulls.join(", "))));
    }
    ResourceType::from_id(kind).ok_or_else(|| invalid_request(format!("Unknown resource type {kind}")))
}

/// Judges what this broker, or all brokers, would be configured to.
pub(crate) fn check_broker_config(broker: &Broker, name: &str, props: &ConfigMap) -> Result<(), Refusal> {
    if !name.is_empty() {
        check_node(broker, name)?;
    }
    // What Kafka's validation throws here is an InvalidRequestException with the text of what it is about.
    broker
        .dynamic_config
        .with(|config| config.validate(props, !name.is_empty()))
        .map_err(|error| match error {
            ConfigError::Invalid(text) | ConfigError::Request(text) => invalid_request(text),
        })
}

/// Kafka: `ConfigAdminManager.validateResourceNameIsCurrentNodeId`.
fn check_node(broker: &Broker, name: &str) -> Result<(), Refusal> {
    match name.parse::<i32>() {
        Err(_) => Err(invalid_request(format!("Node id must be an integer, but it is: {name}"))),
        Ok(id) if id != broker.node_id.0 => Err(invalid_request(format!(
            "Unexpected broker id, expected {}, but received {name}",
            broker.node_id
        ))),
        Ok(_) => Ok(()),
    }
}

/// A resource of a request to change configurations, or of its response.
pub(crate) trait Resource {
    /// Its kind, as a number, and its name.
    fn key(&self) -> (i8, &str);
}

/// What a response says of a resource.
pub(crate) trait ResourceResponse: Resource {
    /// Says that the resource is left as it is, and why.
    fn refused(resource: &impl Resource, refusal: Refusal) -> Self;
}

macro_rules! resource {
    ($resource:path) => {
        impl Resource for $resource {
            fn key(&self) -> (i8, &str) {
                (self.resource_type, &self.resource_name)
            }
        }
    };
}

macro_rules! resource_response {
    ($response:path) => {
        resource!($response);

        impl ResourceResponse for $response {
            fn refused(resource: &impl Resource, (error_code, error_message): Refusal) -> Self {
                let (resource_type, name) = resource.key();
                let resource_name = name.to_owned();
                Self { error_code, error_message, resource_type, resource_name, ..Default::default() }
            }
        }
    };
}

resource!(alter_configs_request::AlterConfigsResource);
resource_response!(alter_configs_response::AlterConfigsResourceResponse);
resource!(incremental_alter_configs_request::AlterConfigsResource);
resource_response!(incremental_alter_configs_response::AlterConfigsResourceResponse);

/// Checks that the sender of a request may do something with the configuration of a resource.
/// Kafka: `ConfigHelper.handleDescribeConfigsRequest`, `ControllerApis.authorizeAlterResource`.
pub(crate) fn authorize(
    gate: &Gate<'_>,
    operation: AclOperation,
    kind: ResourceType,
    name: &str,
) -> Result<(), Refusal> {
    let may = match kind {
        ResourceType::Topic => gate.check_topic(operation, name),
        ResourceType::Group => gate.check_group(operation, name),
        ResourceType::Broker | ResourceType::BrokerLogger | ResourceType::ClientMetrics => {
            gate.check_cluster(operation)
        }
    };
    may.map_err(|code| (code, Some(code.message().to_owned())))
}

/// Judges each resource, has `forward` put those that pass to the controller, and answers in the order of the request.
pub(crate) async fn decide<R: Resource, A: ResourceResponse>(
    resources: Vec<R>,
    judge: impl Fn(&R) -> Result<(), Refusal>,
    forward: impl AsyncFnOnce(Vec<&R>) -> Result<Vec<A>, ErrorCode>,
) -> Vec<A> {
    let mut counts: BTreeMap<(i8, &str), usize> = BTreeMap::new();
    resources.iter().for_each(|resource| *counts.entry(resource.key()).or_default() += 1);
    let verdict = |resource: &R| match counts[&resource.key()] {
        1 => judge(resource),
        // Kafka: `ConfigAdminManager.preprocess`.
        _ => Err(invalid_request("Each resource must appear at most once.")),
    };
    let verdicts: Vec<_> = resources.iter().map(verdict).collect();
    let passed: Vec<_> = resources
        .iter()
        .zip(&verdicts)
        .filter(|(_, verdict)| verdict.is_ok())
        .map(|(resource, _)| resource)
        .collect();
    let decided = if passed.is_empty() { Ok(Vec::new()) } else { forward(passed).await };
    let owned = |(kind, name): (i8, &str)| (kind, name.to_owned());
    let mut decided = decided.map(|answers| {
        answers.into_iter().map(|answer| (owned(answer.key()), answer)).collect::<BTreeMap<_, _>>()
    });
    let mut answer = |resource: &R| match &mut decided {
        Err(error) => A::refused(resource, (*error, Some(error.message().to_owned()))),
        Ok(answers) => answers
            .remove(&owned(resource.key()))
            .unwrap_or_else(|| A::refused(resource, (ErrorCode::UNKNOWN_SERVER_ERROR, None))),
    };
    let pairs = resources.iter().zip(verdicts);
    pairs
        .map(|(resource, verdict)| match verdict {
            Ok(()) => answer(resource),
            Err(refusal) => A::refused(resource, refusal),
        })
        .collect()
}
