//! A node with an authorizer: every API refuses who may not, and serves who may.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "authorization/questions.rs"]
mod questions;

#[path = "harness/harness.rs"]
mod harness;

use std::net::SocketAddr;

use bytes::Bytes;
use harness::{Client, TestNode};
use model::{AclOperation, AclPatternType, AclPermission, AclResourceType};
use protocol::create_acls_request::AclCreation;
use protocol::delete_acls_request::DeleteAclsFilter;
use protocol::metadata_request::MetadataRequestTopic;
use protocol::{
    ConsumerGroupHeartbeatRequest, CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest,
    DescribeClusterRequest, ErrorCode, ListGroupsRequest, MetadataRequest, MetadataResponse,
    OffsetCommitRequest, SaslAuthenticateRequest, SaslHandshakeRequest,
};
use questions::{Need, questions};

const JAAS: &str = "listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice=\"alice\" user_bob=\"bob\";";

/// A node that lets anybody in on PLAINTEXT as a super user, and alice and bob on SECURE.
async fn start(dir: &std::path::Path) -> (TestNode, SocketAddr) {
    let overrides = [
        "listeners=PLAINTEXT://localhost:0,SECURE://localhost:0,CONTROLLER://localhost:0",
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_PLAINTEXT",
        "inter.broker.listener.name=PLAINTEXT",
        "listener.name.secure.sasl.enabled.mechanisms=PLAIN",
        JAAS,
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users=User:root;User:ANONYMOUS",
    ];
    let node = TestNode::start(dir, &overrides).await;
    let address = node.address_of("SECURE");
    (node, address)
}

async fn log_in(address: SocketAddr, user: &str) -> Client {
    let mut client = Client::connect(address).await;
    let request = SaslHandshakeRequest { mechanism: "PLAIN".to_owned(), ..Default::default() };
    assert_eq!(client.ask(request, 1).await.error_code, ErrorCode::NONE);
    let auth_bytes = Bytes::from(format!("\0{user}\0{user}"));
    let answer = client.ask(SaslAuthenticateRequest { auth_bytes, ..Default::default() }, 2).await;
    assert_eq!(answer.error_code, ErrorCode::NONE);
    client
}

async fn allow(root: &mut Client, user: &str, needs: &[Need]) {
    set(root, AclPermission::Allow, user, needs).await;
}

async fn set(root: &mut Client, permission: AclPermission, user: &str, needs: &[Need]) {
    let creation = |(operation, kind, name): &Need| AclCreation {
        resource_type: *kind as i8,
        resource_name: (*name).to_owned(),
        resource_pattern_type: AclPatternType::Literal as i8,
        principal: format!("User:{user}"),
        host: "*".to_owned(),
        operation: *operation as i8,
        permission_type: permission as i8,
        ..Default::default()
    };
    let creations = needs.iter().map(creation).collect();
    let response = root.ask(CreateAclsRequest { creations, ..Default::default() }, 3).await;
    assert!(response.results.iter().all(|result| result.error_code.is_none()), "{response:?}");
}

async fn forget_all(root: &mut Client) -> usize {
    let filter = DeleteAclsFilter {
        resource_type_filter: AclResourceType::Any as i8,
        resource_name_filter: None,
        pattern_type_filter: AclPatternType::Any as i8,
        principal_filter: None,
        host_filter: None,
        operation: AclOperation::Any as i8,
        permission_type: AclPermission::Any as i8,
        ..Default::default()
    };
    let response = root.ask(DeleteAclsRequest { filters: vec![filter], ..Default::default() }, 3).await;
    response.filter_results[0].matching_acls.len()
}

#[tokio::test]
async fn every_api_refuses_who_may_not_and_serves_who_may() {
    let dir = tempfile::tempdir().unwrap();
    let (node, address) = start(dir.path()).await;
    let mut root = node.client().await;
    root.create_topic("topic", 1, &[]).await;
    let (mut alice, mut bob) = (log_in(address, "alice").await, log_in(address, "bob").await);
    for question in questions() {
        let (name, refused) = (question.name, question.refused.name());
        let answer = (question.ask)(&mut alice).await;
        assert!(answer.contains(refused), "{name}, without a right: {answer}");
        allow(&mut root, "alice", question.needs).await;
        let answer = (question.ask)(&mut alice).await;
        assert!(!answer.contains(refused), "{name}, with {:?}: {answer}", question.needs);
        let answer = (question.ask)(&mut bob).await;
        assert!(answer.contains(refused), "{name}, of another user: {answer}");
        assert_eq!(forget_all(&mut root).await, question.needs.len(), "{name}");
    }
    node.stop().await;
}

async fn metadata(client: &mut Client, names: Option<&[&str]>) -> MetadataResponse {
    let topic = |name: &&str| MetadataRequestTopic { name: Some((*name).to_owned()), ..Default::default() };
    let request = MetadataRequest {
        topics: names.map(|names| names.iter().map(topic).collect()),
        allow_auto_topic_creation: false,
        include_topic_authorized_operations: true,
        ..Default::default()
    };
    client.ask(request, 12).await
}

#[tokio::test]
async fn what_one_may_not_know_of_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let (node, address) = start(dir.path()).await;
    let mut root = node.client().await;
    for topic in ["mine", "other"] {
        root.create_topic(topic, 1, &[]).await;
    }
    for group in ["mine", "other"] {
        let commit = || OffsetCommitRequest { group_id: group.to_owned(), ..questions::commit_of("mine") };
        while root.ask(commit(), 8).await.topics[0].partitions[0].error_code.is_error() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            root.ask(questions::find_coordinator(0, group), 4).await;
        }
    }
    let mut alice = log_in(address, "alice").await;
    assert!(metadata(&mut alice, None).await.topics.is_empty());
    assert!(alice.ask(ListGroupsRequest::default(), 4).await.groups.is_empty());
    allow(&mut root, "alice", &[(AclOperation::Read, AclResourceType::Topic, "mine")]).await;
    allow(&mut root, "alice", &[(AclOperation::Delete, AclResourceType::Group, "mine")]).await;
    let told = metadata(&mut alice, None).await.topics;
    assert_eq!(told.len(), 1);
    // Read, and Describe which it implies.
    assert_eq!(
        (told[0].name.as_deref(), told[0].topic_authorized_operations),
        (Some("mine"), 1 << 3 | 1 << 8)
    );
    let groups = alice.ask(ListGroupsRequest::default(), 4).await.groups;
    assert_eq!(groups.iter().map(|group| &*group.group_id).collect::<Vec<_>>(), ["mine"]);
    let named = metadata(&mut alice, Some(&["mine", "other", "absent"])).await.topics;
    let codes: Vec<_> = named.iter().map(|topic| topic.error_code).collect();
    let refused = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    assert_eq!(codes, [ErrorCode::NONE, refused, refused], "{named:?}");
    set(
        &mut root,
        AclPermission::Deny,
        "*",
        &[(AclOperation::Describe, AclResourceType::Cluster, "kafka-cluster")],
    )
    .await;
    let request =
        DescribeClusterRequest { include_cluster_authorized_operations: true, ..Default::default() };
    assert_eq!(alice.ask(request, 1).await.cluster_authorized_operations, 0);
    node.stop().await;
}

#[tokio::test]
async fn a_regular_expression_matches_only_what_the_member_may_know_of() {
    let dir = tempfile::tempdir().unwrap();
    let (node, address) = start(dir.path()).await;
    let mut root = node.client().await;
    for topic in ["mine", "other"] {
        root.create_topic(topic, 1, &[]).await;
    }
    let mine = root.wait_for_topic("mine").await;
    allow(&mut root, "alice", &[(AclOperation::Read, AclResourceType::Group, "group")]).await;
    allow(&mut root, "alice", &[(AclOperation::Describe, AclResourceType::Topic, "mine")]).await;
    root.ask(questions::find_coordinator(0, "group"), 4).await;
    let mut alice = log_in(address, "alice").await;
    let mut beat = ConsumerGroupHeartbeatRequest {
        group_id: "group".to_owned(),
        member_id: "alice".to_owned(),
        rebalance_timeout_ms: 9000,
        topic_partitions: Some(Vec::new()),
        subscribed_topic_regex: Some(".*".to_owned()),
        ..Default::default()
    };
    // The group's first epoch is of before the topics were looked up.
    let assigned = loop {
        let answer = alice.ask(beat.clone(), 1).await;
        if answer.error_code.is_none() {
            beat.member_epoch = answer.member_epoch;
        }
        match answer.assignment {
            Some(assignment) if answer.member_epoch > 1 => break assignment.topic_partitions,
            _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    };
    assert_eq!(assigned.iter().map(|topic| topic.topic_id).collect::<Vec<_>>(), [mine]);
    node.stop().await;
}

#[tokio::test]
async fn entries_outlive_the_node() {
    let dir = tempfile::tempdir().unwrap();
    let (node, _) = start(dir.path()).await;
    let mut root = node.client().await;
    allow(&mut root, "alice", &[(AclOperation::Read, AclResourceType::Topic, "topic")]).await;
    node.stop().await;
    let (node, address) = start(dir.path()).await;
    let all = || DescribeAclsRequest {
        resource_type_filter: AclResourceType::Any as i8,
        pattern_type_filter: AclPatternType::Any as i8,
        operation: AclOperation::Any as i8,
        permission_type: AclPermission::Any as i8,
        resource_name_filter: None,
        principal_filter: None,
        host_filter: None,
        ..Default::default()
    };
    let described = node.client().await.ask(all(), 3).await;
    assert_eq!(described.resources.len(), 1);
    assert_eq!((&*described.resources[0].resource_name, described.resources[0].acls.len()), ("topic", 1));
    let mut alice = log_in(address, "alice").await;
    let named = metadata(&mut alice, Some(&["topic"])).await.topics;
    assert_eq!(named[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let refused = alice.ask(all(), 3).await;
    assert_eq!(refused.error_code, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    assert!(refused.error_message.unwrap().ends_with(" needs DESCRIBE permission."));
    node.stop().await;
}
