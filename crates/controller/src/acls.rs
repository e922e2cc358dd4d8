//! CreateAcls and DeleteAcls.
//!
//! Whether the asker may alter access control entries, and whether there is an authorizer, the server has checked.
//!
//! Kafka: `AclControlManager`, `AclApis`, `ClusterMetadataAuthorizer`.

use std::collections::BTreeSet;

use metadata::acl_binding;
use model::{
    AclBinding, AclBindingFilter, AclOperation, AclPatternType, AclPermission, AclResourceType, Uuid,
};
use protocol::create_acls_request::AclCreation;
use protocol::create_acls_response::AclCreationResult;
use protocol::delete_acls_request::DeleteAclsFilter;
use protocol::delete_acls_response::{DeleteAclsFilterResult, DeleteAclsMatchingAcl};
use protocol::{
    AccessControlEntryRecord, CreateAclsRequest, CreateAclsResponse, DeleteAclsRequest, DeleteAclsResponse,
    ErrorCode, MetadataRecord, RemoveAccessControlEntryRecord,
};

use crate::api_error::{MAX_RECORDS_PER_REQUEST, code_and_message};
use crate::requests::Decision;
use crate::{ApiError, Controller};

/// The name of the one resource of the type `CLUSTER`. Kafka: `Resource.CLUSTER_NAME`.
pub const CLUSTER_NAME: &str = "kafka-cluster";

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::INVALID_REQUEST, message)
}

impl Controller {
    pub(crate) fn create_acls(&mut self, request: &CreateAclsRequest) -> Decision {
        let mut records = Vec::new();
        let mut new = BTreeSet::new();
        let mut results = Vec::new();
        for creation in &request.creations {
            let binding = created(creation);
            let outcome = check(&binding);
            if outcome.is_ok() && !self.image.acls().contains(&binding) && new.insert(binding.clone()) {
                records.push(MetadataRecord::AccessControlEntryRecord(self.record(binding)));
            }
            results.push(match outcome {
                Ok(()) => AclCreationResult::default(),
                Err(ApiError { code: error_code, message: error_message }) => {
                    AclCreationResult { error_code, error_message, ..Default::default() }
                }
            });
        }
        if records.len() > MAX_RECORDS_PER_REQUEST {
            let ApiError { code, message } = ApiError::too_many_records();
            results.iter_mut().filter(|result| result.error_code.is_none()).for_each(|result| {
                result.error_code = code;
                result.error_message = message.clone();
            });
            records.clear();
        }
        Decision::new(records, CreateAclsResponse { results, ..Default::default() })
    }

    fn record(&mut self, binding: AclBinding) -> AccessControlEntryRecord {
        AccessControlEntryRecord {
            id: self.fresh_acl_id(),
            resource_type: binding.resource_type as i8,
            resource_name: binding.resource_name,
            pattern_type: binding.pattern_type as i8,
            principal: binding.principal,
            host: binding.host,
            operation: binding.operation as i8,
            permission_type: binding.permission as i8,
            ..Default::default()
        }
    }

    fn fresh_acl_id(&mut self) -> Uuid {
        loop {
            let id = self.random.id();
            if !self.image.acls().contains_id(id) {
                return id;
            }
        }
    }

    pub(crate) fn delete_acls(&self, request: &DeleteAclsRequest) -> Decision {
        let mut deleted = BTreeSet::new();
        let mut filter_results = Vec::new();
        for filter in &request.filters {
            let outcome = self.find(filter, &mut deleted);
            let (error_code, error_message) = code_and_message(&outcome);
            let matching_acls = outcome.unwrap_or_default();
            filter_results.push(DeleteAclsFilterResult {
                error_code,
                error_message,
                matching_acls,
                ..Default::default()
            });
            if deleted.len() > MAX_RECORDS_PER_REQUEST {
                return Decision::answer(too_many(request.filters.len()));
            }
        }
        let record = |id| RemoveAccessControlEntryRecord { id, ..Default::default() };
        let records = deleted.into_iter().map(record).map(MetadataRecord::RemoveAccessControlEntryRecord);
        Decision::new(records.collect(), DeleteAclsResponse { filter_results, ..Default::default() })
    }

    /// Returns the entries that a filter means, and adds their ids to those that are deleted.
    fn find(
        &self,
        filter: &DeleteAclsFilter,
        deleted: &mut BTreeSet<Uuid>,
    ) -> Result<Vec<DeleteAclsMatchingAcl>, ApiError> {
        let filter = meant(filter);
        check_filter(&filter)?;
        let mut matching = Vec::new();
        for record in self.image.acls().acls().filter(|record| filter.matches(&acl_binding(record))) {
            deleted.insert(record.id);
            if deleted.len() > MAX_RECORDS_PER_REQUEST {
                break;
            }
            matching.push(DeleteAclsMatchingAcl {
                error_message: None,
                resource_type: record.resource_type,
                resource_name: record.resource_name.clone(),
                pattern_type: record.pattern_type,
                principal: record.principal.clone(),
                host: record.host.clone(),
                operation: record.operation,
                permission_type: record.permission_type,
                ..Default::default()
            });
        }
        Ok(matching)
    }
}

/// Nothing is deleted when the filters mean too much.
fn too_many(filters: usize) -> DeleteAclsResponse {
    let message =
        format!("Cannot remove more than {MAX_RECORDS_PER_REQUEST} acls in a single delete operation.");
    let refused = DeleteAclsFilterResult {
        error_code: ErrorCode::INVALID_REQUEST,
        error_message: Some(message),
        ..Default::default()
    };
    DeleteAclsResponse { filter_results: vec![refused; filters], ..Default::default() }
}

fn created(creation: &AclCreation) -> AclBinding {
    AclBinding {
        resource_type: AclResourceType::from_id(creation.resource_type),
        resource_name: creation.resource_name.clone(),
        pattern_type: AclPatternType::from_id(creation.resource_pattern_type),
        principal: creation.principal.clone(),
        host: creation.host.clone(),
        operation: AclOperation::from_id(creation.operation),
        permission: AclPermission::from_id(creation.permission_type),
    }
}

fn meant(filter: &DeleteAclsFilter) -> AclBindingFilter {
    AclBindingFilter {
        resource_type: AclResourceType::from_id(filter.resource_type_filter),
        resource_name: filter.resource_name_filter.clone(),
        pattern_type: AclPatternType::from_id(filter.pattern_type_filter),
        principal: filter.principal_filter.clone(),
        host: filter.host_filter.clone(),
        operation: AclOperation::from_id(filter.operation),
        permission: AclPermission::from_id(filter.permission_type),
    }
}

fn check(binding: &AclBinding) -> Result<(), ApiError> {
    if binding.resource_type == AclResourceType::Cluster && binding.resource_name != CLUSTER_NAME {
        return Err(invalid(format!("The only valid name for the CLUSTER resource is {CLUSTER_NAME}")));
    }
    if binding.resource_name.is_empty() {
        return Err(invalid("Invalid empty resource name"));
    }
    if matches!(binding.resource_type, AclResourceType::Unknown | AclResourceType::Any) {
        return Err(invalid(format!("Invalid resourceType {}", binding.resource_type.name())));
    }
    if !matches!(binding.pattern_type, AclPatternType::Literal | AclPatternType::Prefixed) {
        return Err(invalid(format!("Invalid patternType {}", binding.pattern_type.name())));
    }
    if matches!(binding.operation, AclOperation::Unknown | AclOperation::Any) {
        return Err(invalid(format!("Invalid operation {}", binding.operation.name())));
    }
    if !matches!(binding.permission, AclPermission::Allow | AclPermission::Deny) {
        return Err(invalid(format!("Invalid permissionType {}", binding.permission.name())));
    }
    if !binding.principal.contains(':') {
        let why = "(no colon is present separating the principal type from the principal name)";
        return Err(invalid(format!("Could not parse principal from `{}` {why}", binding.principal)));
    }
    Ok(())
}

fn check_filter(filter: &AclBindingFilter) -> Result<(), ApiError> {
    if filter.resource_type == AclResourceType::Unknown || filter.pattern_type == AclPatternType::Unknown {
        return Err(invalid("Unknown patternFilter."));
    }
    if filter.operation == AclOperation::Unknown || filter.permission == AclPermission::Unknown {
        return Err(invalid("Unknown entryFilter."));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
