//! Which resources and rules the command line means, and how they are shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use client::admin::AclOperation::{
    All, Alter, AlterConfigs, ClusterAction, Create, CreateTokens, Delete, Describe, DescribeConfigs,
    DescribeTokens, IdempotentWrite, Read, TwoPhaseCommit, Unknown, Write,
};

use super::{AclBinding, AclBindingFilter, AclOperation, AclPatternType, AclPermission, AclResourceType};
use crate::Failure;
use crate::options::Options;
use crate::session::parse_principal;

const OPERATIONS: [AclOperation; 14] = [
    All,
    Read,
    Write,
    Create,
    Delete,
    Alter,
    Describe,
    ClusterAction,
    DescribeConfigs,
    AlterConfigs,
    IdempotentWrite,
    CreateTokens,
    DescribeTokens,
    TwoPhaseCommit,
];
const CLUSTER_NAME: &str = "kafka-cluster";
const EVERYWHERE: &str = "*";

/// What is guarded. Kafka: `ResourcePattern`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Resource {
    kind: AclResourceType,
    name: String,
    pattern: AclPatternType,
}

impl Resource {
    pub(super) fn filter(&self) -> AclBindingFilter {
        AclBindingFilter::of_resource(self.kind, Some(self.name.clone()), self.pattern)
    }
}

impl From<&AclBinding> for Resource {
    fn from(rule: &AclBinding) -> Self {
        Self { kind: rule.resource_type, name: rule.resource_name.clone(), pattern: rule.pattern_type }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name, pattern) = (self.kind.name(), &self.name, self.pattern.name());
        write!(f, "ResourcePattern(resourceType={kind}, name={name}, patternType={pattern})")
    }
}

/// Who may or may not do what. Kafka: `AccessControlEntry`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) principal: String,
    host: String,
    operation: AclOperation,
    permission: AclPermission,
}

impl Entry {
    pub(super) fn of(&self, resource: &Resource) -> AclBinding {
        AclBinding {
            resource_type: resource.kind,
            resource_name: resource.name.clone(),
            pattern_type: resource.pattern,
            principal: self.principal.clone(),
            host: self.host.clone(),
            operation: self.operation,
            permission: self.permission,
        }
    }

    pub(super) fn filter(&self, resource: &Resource) -> AclBindingFilter {
        AclBindingFilter::from(&self.of(resource))
    }
}

impl From<&AclBinding> for Entry {
    fn from(rule: &AclBinding) -> Self {
        Self {
            principal: rule.principal.clone(),
            host: rule.host.clone(),
            operation: rule.operation,
            permission: rule.permission,
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operation, permission) = (self.operation.name(), self.permission.name());
        let (principal, host) = (&self.principal, &self.host);
        write!(f, "(principal={principal}, host={host}, operation={operation}, permissionType={permission})")
    }
}

type Rules = BTreeMap<Resource, BTreeSet<Entry>>;

pub(super) fn pattern_type(options: &Options) -> Result<AclPatternType, Failure> {
    let text = options.value_or("resource-pattern-type", "LITERAL")?;
    match text.to_ascii_uppercase().as_str() {
        "ANY" => Ok(AclPatternType::Any),
        "MATCH" => Ok(AclPatternType::Match),
        "LITERAL" => Ok(AclPatternType::Literal),
        "PREFIXED" => Ok(AclPatternType::Prefixed),
        _ => {
            let text = format!("Cannot parse argument '{text}' of option resource-pattern-type");
            Err(Failure::message(text))
        }
    }
}

/// The resources that the command line names. Kafka: `AclCommand.getResourceFilter`.
pub(super) fn resources(options: &Options) -> Result<BTreeSet<Resource>, Failure> {
    let pattern = pattern_type(options)?;
    let mut found = BTreeSet::new();
    for (option, kind) in [
        ("topic", AclResourceType::Topic),
        ("group", AclResourceType::Group),
        ("transactional-id", AclResourceType::TransactionalId),
        ("delegation-token", AclResourceType::DelegationToken),
        ("user-principal", AclResourceType::User),
    ] {
        let names = options.values(option).into_iter();
        found.extend(names.map(|name| Resource { kind, name: name.trim().to_owned(), pattern }));
    }
    if pattern == AclPatternType::Literal && (options.has("cluster") || options.has("idempotent")) {
        found.insert(cluster());
    }
    Ok(found)
}

fn cluster() -> Resource {
    Resource {
        kind: AclResourceType::Cluster,
        name: CLUSTER_NAME.to_owned(),
        pattern: AclPatternType::Literal,
    }
}

/// The rules that the command line means, by resource. Kafka: `AclCommand.getResourceFilterToAcls`.
pub(super) fn rules(options: &Options) -> Result<Rules, Failure> {
    let resources = resources(options)?;
    if resources.is_empty() {
        return Err(options.usage(
            "You must provide at least one resource: --topic <topic> or --cluster or --group <group> or \
             --delegation-token <Delegation Token ID>",
        ));
    }
    let mut found = Rules::new();
    let of_kind = |kind: AclResourceType| resources.iter().filter(move |resource| resource.kind == kind);
    let (producer, consumer) = (options.has("producer"), options.has("consumer"));
    let mut add = |resource: &Resource, operations: &[AclOperation]| -> Result<(), Failure> {
        found.entry(resource.clone()).or_default().extend(entries(options, operations)?);
        Ok(())
    };
    if !producer && !consumer {
        let operations = operations(options);
        resources.iter().try_for_each(|resource| add(resource, &operations))?;
    }
    if producer {
        of_kind(AclResourceType::Topic).try_for_each(|topic| add(topic, &[Write, Describe, Create]))?;
        of_kind(AclResourceType::TransactionalId).try_for_each(|id| add(id, &[Write, Describe]))?;
        if options.has("idempotent") {
            add(&cluster(), &[IdempotentWrite])?;
        }
    }
    if consumer {
        of_kind(AclResourceType::Topic).try_for_each(|topic| add(topic, &[Read, Describe]))?;
        of_kind(AclResourceType::Group).try_for_each(|group| add(group, &[Read]))?;
    }
    check_operations(options, &found)?;
    Ok(found)
}

fn operations(options: &Options) -> Vec<AclOperation> {
    let named = options.values("operation");
    if named.is_empty() {
        return vec![All];
    }
    named.into_iter().map(|text| operation(text.trim())).collect()
}

/// Reads `DescribeConfigs` in letters of whatever case. Kafka: `SecurityUtils.operation`.
fn operation(text: &str) -> AclOperation {
    let is_meant = |known: &AclOperation| known.name().replace('_', "").eq_ignore_ascii_case(text);
    OPERATIONS.into_iter().find(is_meant).unwrap_or(Unknown)
}

/// Each of the operations, for each principal from each host. Kafka: `AclCommand.getAcl`.
fn entries(options: &Options, operations: &[AclOperation]) -> Result<BTreeSet<Entry>, Failure> {
    let mut found = BTreeSet::new();
    for (principals, hosts, permission) in [
        ("allow-principal", "allow-host", AclPermission::Allow),
        ("deny-principal", "deny-host", AclPermission::Deny),
    ] {
        let hosts = if options.has(hosts) { options.values(hosts) } else { vec![EVERYWHERE] };
        for text in options.values(principals) {
            let principal = parse_principal(text.trim())?.to_string();
            for operation in operations {
                found.extend(hosts.iter().map(|host| Entry {
                    principal: principal.clone(),
                    host: host.trim().to_owned(),
                    operation: *operation,
                    permission,
                }));
            }
        }
    }
    Ok(found)
}

/// Kafka: `AclEntry.supportedOperations`.
fn supported(kind: AclResourceType) -> &'static [AclOperation] {
    match kind {
        AclResourceType::Topic => {
            &[All, Read, Write, Create, Delete, Alter, Describe, DescribeConfigs, AlterConfigs]
        }
        AclResourceType::Group => &[All, Read, Delete, Describe, DescribeConfigs, AlterConfigs],
        AclResourceType::Cluster => {
            &[All, Create, Alter, Describe, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite]
        }
        AclResourceType::TransactionalId => &[All, Write, Describe, TwoPhaseCommit],
        AclResourceType::DelegationToken => &[All, Describe],
        AclResourceType::User => &[All, CreateTokens, DescribeTokens],
        AclResourceType::Any | AclResourceType::Unknown => &[All],
    }
}

fn check_operations(options: &Options, rules: &Rules) -> Result<(), Failure> {
    for (resource, entries) in rules {
        let supported = supported(resource.kind);
        if entries.iter().all(|entry| supported.contains(&entry.operation)) {
            continue;
        }
        let names: Vec<_> = supported.iter().map(|operation| operation.name()).collect();
        return Err(options.usage(format!(
            "ResourceType {} only supports operations [{}]",
            resource.kind.name(),
            names.join(", ")
        )));
    }
    Ok(())
}
