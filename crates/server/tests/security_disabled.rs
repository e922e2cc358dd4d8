//! What a node without an authorizer and without delegation tokens says of them, and that it does not pretend otherwise.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/harness.rs"]
mod harness;

use std::sync::Arc;

use harness::TestNode;
use protocol::create_acls_request::AclCreation;
use protocol::delete_acls_request::DeleteAclsFilter;
use protocol::{
    CreateAclsRequest, CreateDelegationTokenRequest, DeleteAclsRequest, DescribeAclsRequest,
    DescribeDelegationTokenRequest, ErrorCode, ExpireDelegationTokenRequest, RenewDelegationTokenRequest,
};

fn any_acl() -> DescribeAclsRequest {
    DescribeAclsRequest { resource_type_filter: 1, operation: 1, permission_type: 1, ..Default::default() }
}

#[tokio::test]
async fn there_is_no_authorizer() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    for version in 1..=3 {
        let described = client.ask(any_acl(), version).await;
        assert_eq!(described.error_code, ErrorCode::SECURITY_DISABLED);
        assert_eq!(described.error_message.as_deref(), Some("No Authorizer is configured on the broker"));
        let creation =
            AclCreation { resource_type: 2, operation: 3, permission_type: 3, ..Default::default() };
        let creations = vec![creation; 2];
        let created = client.ask(CreateAclsRequest { creations, ..Default::default() }, version).await;
        assert_eq!(created.results.len(), 2);
        assert_eq!(created.results[1].error_code, ErrorCode::SECURITY_DISABLED);
        assert_eq!(created.results[1].error_message.as_deref(), Some("No Authorizer is configured."));
        let filters = vec![DeleteAclsFilter {
            resource_type_filter: 1,
            operation: 1,
            permission_type: 1,
            ..Default::default()
        }];
        let deleted = client.ask(DeleteAclsRequest { filters, ..Default::default() }, version).await;
        assert_eq!(deleted.filter_results[0].error_code, ErrorCode::SECURITY_DISABLED);
    }
    node.stop().await;
}

#[tokio::test]
async fn who_is_anybody_gets_no_token() {
    let dir = tempfile::tempdir().unwrap();
    let node = TestNode::start(dir.path(), &[]).await;
    let mut client = node.client().await;
    let refused = ErrorCode::DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
    let created = client.ask(CreateDelegationTokenRequest::default(), 3).await;
    assert_eq!((created.error_code, created.issue_timestamp_ms), (refused, -1));
    assert_eq!(created.principal_name, "ANONYMOUS");
    assert_eq!(created.token_requester_principal_name, "ANONYMOUS");
    let renewed = client.ask(RenewDelegationTokenRequest::default(), 2).await;
    assert_eq!((renewed.error_code, renewed.expiry_timestamp_ms), (refused, -1));
    assert_eq!(client.ask(ExpireDelegationTokenRequest::default(), 2).await.error_code, refused);
    assert_eq!(client.ask(DescribeDelegationTokenRequest::default(), 3).await.error_code, refused);
    node.stop().await;
}

#[tokio::test]
async fn a_node_that_is_to_have_an_authorizer_that_is_not_here_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let options = server::RunOptions {
        overrides: vec![
            format!("log.dirs={}", dir.path().join("data").display()),
            "listeners=PLAINTEXT://localhost:0,CONTROLLER://localhost:0".to_owned(),
            "controller.quorum.voters=1@localhost:9093".to_owned(),
            "authorizer.class.name=com.example.OwnAuthorizer".to_owned(),
        ],
        ..Default::default()
    };
    let config = Arc::new(server::configuration(&options).unwrap());
    let error = server::start(config, &options).await.unwrap_err().to_string();
    assert!(error.contains("Class com.example.OwnAuthorizer could not be found."), "{error}");
}
