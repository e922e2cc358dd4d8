//! Access control lists. Kafka: `Admin.createAcls`, `Admin.describeAcls`, `Admin.deleteAcls`.

use protocol::create_acls_request::AclCreation;
use protocol::delete_acls_request::DeleteAclsFilter;
use protocol::{CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest};

use model::{AclBinding, AclBindingFilter, AclOperation, AclPatternType, AclPermission, AclResourceType};

use super::Admin;
use super::call::first_retriable;
use crate::error::{Error, Result};

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
