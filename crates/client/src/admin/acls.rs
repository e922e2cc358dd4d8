//! Access control lists. Kafka: `Admin.createAcls`, `Admin.describeAcls`, `Admin.deleteAcls`.

use protocol::create_acls_request::AclCreation;
use protocol::delete_acls_request::DeleteAclsFilter;
use protocol::{CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest};

use super::Admin;
use super::call::first_retriable;
use crate::error::{Error, Result};

/// An enum whose values have a number on the wire and a name.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $number:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            /// Of a kind that we do not know.
            Unknown = 0,
            $($(#[$value_doc])* $value = $number,)*
        }

        impl $name {
            /// The value with this number on the wire.
            pub fn from_id(id: i8) -> Self {
                match id {
                    $($number => Self::$value,)*
                    _ => Self::Unknown,
                }
            }

            /// Kafka's name of the value.
            pub fn name(self) -> &'static str {
                match self {
                    Self::Unknown => "UNKNOWN",
                    $(Self::$value => $text,)*
                }
            }
        }
    };
}

numbered! {
    /// What is guarded. Kafka: `ResourceType`.
    AclResourceType {
        /// In filters: whatever.
        Any = 1 "ANY",
        /// A topic.
        Topic = 2 "TOPIC",
        /// A group.
        Group = 3 "GROUP",
        /// The cluster, whose name is `kafka-cluster`.
        Cluster = 4 "CLUSTER",
        /// A transactional id.
        TransactionalId = 5 "TRANSACTIONAL_ID",
        /// A delegation token.
        DelegationToken = 6 "DELEGATION_TOKEN",
        /// A user, as whom others may make tokens.
        User = 7 "USER",
    }
}

numbered! {
    /// How names are compared. Kafka: `PatternType`.
    AclPatternType {
        /// In filters: whatever.
        Any = 1 "ANY",
        /// In filters: all that apply to the name.
        Match = 2 "MATCH",
        /// The name itself; `*` is every name.
        Literal = 3 "LITERAL",
        /// Names that begin so.
        Prefixed = 4 "PREFIXED",
    }
}

numbered! {
    /// What is done. Kafka: `AclOperation`.
    AclOperation {
        /// In filters: whatever.
        Any = 1 "ANY",
        /// Everything.
        All = 2 "ALL",
        /// Read.
        Read = 3 "READ",
        /// Write.
        Write = 4 "WRITE",
        /// Create.
        Create = 5 "CREATE",
        /// Delete.
        Delete = 6 "DELETE",
        /// Alter.
        Alter = 7 "ALTER",
        /// Describe.
        Describe = 8 "DESCRIBE",
        /// What brokers do among themselves.
        ClusterAction = 9 "CLUSTER_ACTION",
        /// Describe configurations.
        DescribeConfigs = 10 "DESCRIBE_CONFIGS",
        /// Alter configurations.
        AlterConfigs = 11 "ALTER_CONFIGS",
        /// Write idempotently.
        IdempotentWrite = 12 "IDEMPOTENT_WRITE",
        /// Make delegation tokens.
        CreateTokens = 13 "CREATE_TOKENS",
        /// Describe delegation tokens.
        DescribeTokens = 14 "DESCRIBE_TOKENS",
        /// Take part in two-phase commits.
        TwoPhaseCommit = 15 "TWO_PHASE_COMMIT",
    }
}

numbered! {
    /// Whether it may be done. Kafka: `AclPermissionType`.
    AclPermission {
        /// In filters: whatever.
        Any = 1 "ANY",
        /// It may not.
        Deny = 2 "DENY",
        /// It may.
        Allow = 3 "ALLOW",
    }
}

/// A rule: who may or may not do what, from where, with what. Kafka: `AclBinding`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AclBinding {
    /// What is guarded.
    pub resource_type: AclResourceType,
    /// Its name.
    pub resource_name: String,
    /// How names are compared.
    pub pattern_type: AclPatternType,
    /// Who: `User:alice`.
    pub principal: String,
    /// From where; `*` is everywhere.
    pub host: String,
    /// What is done.
    pub operation: AclOperation,
    /// Whether it may be.
    pub permission: AclPermission,
}

/// Which rules are meant; `None` and `Any` let everything pass. Kafka: `AclBindingFilter`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AclBindingFilter {
    /// What is guarded.
    pub resource_type: AclResourceType,
    /// Its name.
    pub resource_name: Option<String>,
    /// How names are compared.
    pub pattern_type: AclPatternType,
    /// Who.
    pub principal: Option<String>,
    /// From where.
    pub host: Option<String>,
    /// What is done.
    pub operation: AclOperation,
    /// Whether it may be.
    pub permission: AclPermission,
}

impl AclBindingFilter {
    /// Every rule about the resources that are meant.
    pub fn of_resource(kind: AclResourceType, name: Option<String>, pattern: AclPatternType) -> Self {
        Self {
            resource_type: kind,
            resource_name: name,
            pattern_type: pattern,
            principal: None,
            host: None,
            operation: AclOperation::Any,
            permission: AclPermission::Any,
        }
    }
}

impl From<&AclBinding> for AclBindingFilter {
    /// This very rule.
    fn from(rule: &AclBinding) -> Self {
        Self {
            resource_type: rule.resource_type,
            resource_name: Some(rule.resource_name.clone()),
            pattern_type: rule.pattern_type,
            principal: Some(rule.principal.clone()),
            host: Some(rule.host.clone()),
            operation: rule.operation,
            permission: rule.permission,
        }
    }
}

impl Admin {
    /// Adds rules; the result of each, in their order.
    pub async fn create_acls(&self, rules: &[AclBinding]) -> Result<Vec<Result<()>>> {
        let creation = |rule: &AclBinding| AclCreation {
            resource_type: rule.resource_type as i8,
            resource_name: rule.resource_name.clone(),
            resource_pattern_type: rule.pattern_type as i8,
            principal: rule.principal.clone(),
            host: rule.host.clone(),
            operation: rule.operation as i8,
            permission_type: rule.permission as i8,
            ..Default::default()
        };
        let request =
            CreateAclsRequest { creations: rules.iter().map(creation).collect(), ..Default::default() };
        let response = self
            .on_any("createAcls", &request, |response| {
                first_retriable(response.results.iter().map(|result| result.error_code))
            })
            .await?;
        let results = response.results.into_iter();
        Ok(results.map(|result| Error::check_with(result.error_code, result.error_message)).collect())
    }

    /// Tells the rules that `filter` means.
    pub async fn describe_acls(&self, filter: &AclBindingFilter) -> Result<Vec<AclBinding>> {
        let request = DescribeAclsRequest {
            resource_type_filter: filter.resource_type as i8,
            resource_name_filter: filter.resource_name.clone(),
            pattern_type_filter: filter.pattern_type as i8,
            principal_filter: filter.principal.clone(),
            host_filter: filter.host.clone(),
            operation: filter.operation as i8,
            permission_type: filter.permission as i8,
            ..Default::default()
        };
        let response = self.on_any("describeAcls", &request, |response| response.error_code).await?;
        Error::check_with(response.error_code, response.error_message)?;
        let mut rules = Vec::new();
        for resource in response.resources {
            rules.extend(resource.acls.into_iter().map(|acl| AclBinding {
                resource_type: AclResourceType::from_id(resource.resource_type),
                resource_name: resource.resource_name.clone(),
                pattern_type: AclPatternType::from_id(resource.pattern_type),
                principal: acl.principal,
                host: acl.host,
                operation: AclOperation::from_id(acl.operation),
                permission: AclPermission::from_id(acl.permission_type),
            }));
        }
        Ok(rules)
    }

    /// Deletes the rules that each filter means; the rules deleted, in the order of the filters.
    pub async fn delete_acls(&self, filters: &[AclBindingFilter]) -> Result<Vec<Result<Vec<AclBinding>>>> {
        let wire = |filter: &AclBindingFilter| DeleteAclsFilter {
            resource_type_filter: filter.resource_type as i8,
            resource_name_filter: filter.resource_name.clone(),
            pattern_type_filter: filter.pattern_type as i8,
            principal_filter: filter.principal.clone(),
            host_filter: filter.host.clone(),
            operation: filter.operation as i8,
            permission_type: filter.permission as i8,
            ..Default::default()
        };
        let request = DeleteAclsRequest { filters: filters.iter().map(wire).collect(), ..Default::default() };
        let response = self
            .on_any("deleteAcls", &request, |response| {
                first_retriable(response.filter_results.iter().map(|result| result.error_code))
            })
            .await?;
        let read = |result: protocol::delete_acls_response::DeleteAclsFilterResult| {
            Error::check_with(result.error_code, result.error_message)?;
            result.matching_acls.into_iter().map(deleted).collect()
        };
        Ok(response.filter_results.into_iter().map(read).collect())
    }
}

fn deleted(acl: protocol::delete_acls_response::DeleteAclsMatchingAcl) -> Result<AclBinding> {
    Error::check_with(acl.error_code, acl.error_message)?;
    Ok(AclBinding {
        resource_type: AclResourceType::from_id(acl.resource_type),
        resource_name: acl.resource_name,
        pattern_type: AclPatternType::from_id(acl.pattern_type),
        principal: acl.principal,
        host: acl.host,
        operation: AclOperation::from_id(acl.operation),
        permission: AclPermission::from_id(acl.permission_type),
    })
}
