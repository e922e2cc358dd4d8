//! Whatever is advertised is answered, at every version, by what a client of that version can read.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

#[path = "harness/harness.rs"]
mod harness;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use harness::{Client, TestNode, batch, fetch_request, produce_request};
use model::{AclOperation, AclPatternType, AclPermission, AclResourceType, Uuid};
use protocol::{ApiKey, ErrorCode, Request};

/// The advertised versions by API, without those of Produce that are advertised and refused.
async fn advertised(client: &mut Client) -> BTreeMap<i16, RangeInclusive<i16>> {
    let request = protocol::ApiVersionsRequest {
        client_software_name: "test".to_owned(),
        client_software_version: "1".to_owned(),
        ..Default::default()
    };
    let response = client.ask(request, 4).await;
    assert_eq!(response.error_code, ErrorCode::NONE);
    let range = |key: &protocol::api_versions_response::ApiVersion| {
        let least = if key.api_key == ApiKey::Produce.id() { 3 } else { key.min_version };
        (key.api_key, least..=key.max_version)
    };
    response.api_keys.iter().map(range).collect()
}

struct Every {
    client: Client,
    versions: BTreeMap<i16, RangeInclusive<i16>>,
}

impl Every {
    /// Asks at every advertised version; `of` makes the request of a version.
    async fn version<R: Request>(&mut self, of: impl Fn(i16) -> R) {
        let Some(versions) = self.versions.get(&R::API.id()).cloned() else {
            panic!("{} is not advertised", R::API.name());
        };
        for version in versions {
            println!("{} v{version}", R::API.name());
            self.client.ask(of(version), version).await;
        }
    }

    /// Asks with an empty request at every version, if the API is advertised.
    async fn empty<R: Request + Default>(&mut self) {
        if self.versions.contains_key(&R::API.id()) {
            self.version(|_| R::default()).await;
        }
    }
}

macro_rules! empty {
    ($every:ident: $($request:ident)*) => {
        $($every.empty::<protocol::$request>().await;)*
    };
}

async fn start(dir: &std::path::Path) -> (TestNode, Every) {
    let sink = format!("monedula.telemetry.sink=file:{}", dir.join("telemetry").display());
    let node = TestNode::start(dir, &[&sink]).await;
    let mut client = node.client().await;
    let versions = advertised(&mut client).await;
    (node, Every { client, versions })
}

#[tokio::test]
async fn an_empty_request_is_answered_at_every_version() {
    let dir = tempfile::tempdir().unwrap();
    let (node, mut every) = start(dir.path()).await;
    empty!(every: FetchRequest ListOffsetsRequest MetadataRequest OffsetCommitRequest OffsetFetchRequest
        FindCoordinatorRequest JoinGroupRequest HeartbeatRequest LeaveGroupRequest SyncGroupRequest DescribeGroupsRequest
        ListGroupsRequest ApiVersionsRequest CreateTopicsRequest DeleteTopicsRequest DeleteRecordsRequest
        InitProducerIdRequest OffsetForLeaderEpochRequest AddPartitionsToTxnRequest AddOffsetsToTxnRequest EndTxnRequest
        WriteTxnMarkersRequest TxnOffsetCommitRequest CreateAclsRequest DeleteAclsRequest
        DescribeConfigsRequest AlterConfigsRequest AlterReplicaLogDirsRequest DescribeLogDirsRequest
        CreatePartitionsRequest CreateDelegationTokenRequest RenewDelegationTokenRequest ExpireDelegationTokenRequest
        DescribeDelegationTokenRequest DeleteGroupsRequest ElectLeadersRequest IncrementalAlterConfigsRequest
        AlterPartitionReassignmentsRequest ListPartitionReassignmentsRequest OffsetDeleteRequest
        DescribeClientQuotasRequest AlterClientQuotasRequest DescribeUserScramCredentialsRequest
        AlterUserScramCredentialsRequest DescribeQuorumRequest UpdateFeaturesRequest DescribeClusterRequest
        DescribeProducersRequest UnregisterBrokerRequest DescribeTransactionsRequest ListTransactionsRequest
        ListConfigResourcesRequest DescribeTopicPartitionsRequest SaslHandshakeRequest SaslAuthenticateRequest
        GetTelemetrySubscriptionsRequest PushTelemetryRequest);
    // One with unknown elements, as an empty one has, ends the connection.
    let any = |_| protocol::DescribeAclsRequest {
        resource_type_filter: AclResourceType::Any as i8,
        pattern_type_filter: AclPatternType::Any as i8,
        operation: AclOperation::Any as i8,
        permission_type: AclPermission::Any as i8,
        ..Default::default()
    };
    every.version(any).await;
    node.stop().await;
}

#[tokio::test]
async fn produce_and_fetch_work_at_every_version() {
    let dir = tempfile::tempdir().unwrap();
    let (node, mut every) = start(dir.path()).await;
    every.client.create_topic("t", 1, &[]).await;
    let id = every.client.wait_for_topic("t").await;
    for version in every.versions[&0].clone() {
        let mut request = produce_request("t", 0, batch(&["v"]), 1);
        if version >= 13 {
            request.topic_data[0].name.clear();
            request.topic_data[0].topic_id = id;
        }
        let row = every.client.ask(request, version).await.responses.remove(0);
        assert_eq!(row.partition_responses[0].error_code, ErrorCode::NONE, "produce v{version}");
        assert_eq!(row.topic_id, if version >= 13 { id } else { Uuid::ZERO });
    }
    for version in every.versions[&1].clone() {
        let mut request = fetch_request("t", 0, 0, 0);
        if version >= 13 {
            request.topics[0].topic.clear();
            request.topics[0].topic_id = id;
        }
        if version >= 15 {
            request.replica_state.replica_id = -1;
        }
        let row = every.client.ask(request, version).await.responses.remove(0);
        assert_eq!(row.partitions[0].error_code, ErrorCode::NONE, "fetch v{version}");
        assert!(!harness::values(&row.partitions[0].records).is_empty(), "fetch v{version}");
    }
    node.stop().await;
}

#[tokio::test]
async fn what_names_topics_and_groups_works_at_every_version() {
    use protocol::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    use protocol::metadata_request::MetadataRequestTopic;
    let dir = tempfile::tempdir().unwrap();
    let (node, mut every) = start(dir.path()).await;
    every.client.create_topic("t", 2, &[]).await;
    let topics = ["t", "missing", "not/valid"];
    every
        .version(|_| protocol::MetadataRequest {
            topics: Some(
                topics
                    .map(|name| MetadataRequestTopic { name: Some(name.to_owned()), ..Default::default() })
                    .to_vec(),
            ),
            ..Default::default()
        })
        .await;
    every
        .version(|_| protocol::ListOffsetsRequest {
            replica_id: -1,
            topics: vec![ListOffsetsTopic {
                name: "t".to_owned(),
                partitions: (-6..=-1)
                    .map(|timestamp| ListOffsetsPartition {
                        partition_index: -timestamp as i32 % 2,
                        timestamp,
                        current_leader_epoch: -1,
                        ..Default::default()
                    })
                    .take(2)
                    .collect(),
                ..Default::default()
            }],
            ..Default::default()
        })
        .await;
    every
        .version(|version| {
            let mut request = protocol::FindCoordinatorRequest { key_type: 0, ..Default::default() };
            match version {
                0..=3 => request.key = "g".to_owned(),
                _ => request.coordinator_keys = vec!["g".to_owned()],
            }
            request
        })
        .await;
    node.stop().await;
}
