//! What can be asked of a node, what one needs for it, and what one is told without it: a row for each API and need.

use std::future::Future;
use std::pin::Pin;

use model::AclOperation::*;
use model::AclResourceType::{Cluster, Group, Topic, TransactionalId};
use model::{AclOperation, AclResourceType};
use protocol::*;

use crate::harness::{self, Client};

/// An operation on a named thing.
pub type Need = (AclOperation, AclResourceType, &'static str);

/// A row of the table.
pub struct Question {
    /// The request.
    pub name: &'static str,
    /// What one needs, all of it.
    pub needs: &'static [Need],
    /// What one is told without.
    pub refused: ErrorCode,
    /// Asks; the whole answer as text.
    pub ask: Asking,
}

/// Asks as a client.
pub type Asking = for<'a> fn(&'a mut Client) -> Pin<Box<dyn Future<Output = String> + Send + 'a>>;

const CLUSTER: &str = "kafka-cluster";

macro_rules! ask {
    ($needs:expr, $refused:ident, $version:literal, $request:expr) => {
        Question {
            name: stringify!($request),
            needs: &$needs,
            refused: ErrorCode::$refused,
            ask: |client| Box::pin(async move { format!("{:?}", client.ask($request, $version).await) }),
        }
    };
}

/// Fills in a request's fields; the others are as the schema has them.
macro_rules! new {
    ($($kind:ident)::+ { $($field:ident : $value:expr),* $(,)? }) => {
        $($kind)::+ { $($field: $value,)* ..Default::default() }
    };
}

#[path = "questions/groups.rs"]
mod groups;

fn text(name: &str) -> String {
    name.to_owned()
}

/// Commits an offset of one partition for the group `group`.
pub fn commit_of(topic: &str) -> OffsetCommitRequest {
    use offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
    let partitions = vec![new!(OffsetCommitRequestPartition { committed_offset: 0 })];
    let topics = vec![new!(OffsetCommitRequestTopic { name: text(topic), partitions: partitions })];
    new!(OffsetCommitRequest { group_id: text("group"), topics: topics })
}

/// Asks who coordinates a key.
pub fn find_coordinator(key_type: i8, key: &str) -> FindCoordinatorRequest {
    new!(FindCoordinatorRequest { key_type: key_type, coordinator_keys: vec![text(key)] })
}

fn create(topic: &str) -> CreateTopicsRequest {
    let topic = new!(create_topics_request::CreatableTopic {
        name: text(topic),
        num_partitions: 1,
        replication_factor: 1
    });
    new!(CreateTopicsRequest { topics: vec![topic], validate_only: true, timeout_ms: 9000 })
}

fn add_partitions() -> AddPartitionsToTxnRequest {
    let topic = new!(add_partitions_to_txn_request::AddPartitionsToTxnTopic {
        name: text("topic"),
        partitions: vec![0]
    });
    let v3_and_below_topics = vec![topic];
    new!(AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: text("id"),
        v3_and_below_topics: v3_and_below_topics
    })
}

fn commit_in_transaction() -> TxnOffsetCommitRequest {
    use txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
    let partitions = vec![new!(TxnOffsetCommitRequestPartition { committed_offset: 0 })];
    let topics = vec![new!(TxnOffsetCommitRequestTopic { name: text("topic"), partitions: partitions })];
    new!(TxnOffsetCommitRequest { transactional_id: text("id"), group_id: text("group"), topics: topics })
}

fn alter(resource_type: i8, name: &str) -> IncrementalAlterConfigsRequest {
    use incremental_alter_configs_request::AlterConfigsResource;
    let resource = new!(AlterConfigsResource { resource_type: resource_type, resource_name: text(name) });
    new!(IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: true })
}

fn alter_all(resource_type: i8, name: &str) -> AlterConfigsRequest {
    use alter_configs_request::AlterConfigsResource;
    let resource = new!(AlterConfigsResource { resource_type: resource_type, resource_name: text(name) });
    new!(AlterConfigsRequest { resources: vec![resource], validate_only: true })
}

fn describe(resource_type: i8, name: &str) -> DescribeConfigsRequest {
    use describe_configs_request::DescribeConfigsResource;
    let resource = new!(DescribeConfigsResource { resource_type: resource_type, resource_name: text(name) });
    new!(DescribeConfigsRequest { resources: vec![resource] })
}

/// All rows.
pub fn questions() -> Vec<Question> {
    let mut rows = of_topics();
    rows.extend(groups::of_groups());
    rows.extend(groups::of_other_groups());
    rows.extend(of_transactions());
    rows.extend(of_configs());
    rows.extend(of_the_cluster());
    rows
}

fn of_topics() -> Vec<Question> {
    use delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
    use offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
    vec![
        ask!([(Write, Topic, "topic")], TOPIC_AUTHORIZATION_FAILED, 12, {
            harness::produce_request("topic", 0, harness::batch(&["value"]), -1)
        }),
        ask!(
            [(Read, Topic, "topic")],
            TOPIC_AUTHORIZATION_FAILED,
            12,
            harness::fetch_request("topic", 0, 0, 0)
        ),
        ask!([(Describe, Topic, "topic")], TOPIC_AUTHORIZATION_FAILED, 8, {
            use list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
            let partitions = vec![new!(ListOffsetsPartition { timestamp: -1 })];
            let topics = vec![new!(ListOffsetsTopic { name: text("topic"), partitions: partitions })];
            new!(ListOffsetsRequest { replica_id: -1, topics: topics })
        }),
        ask!([(Alter, Topic, "topic")], TOPIC_AUTHORIZATION_FAILED, 12, {
            let topic = new!(metadata_request::MetadataRequestTopic { name: Some(text("topic")) });
            new!(MetadataRequest { topics: Some(vec![topic]), allow_auto_topic_creation: false })
        }),
        ask!([(Delete, Topic, "topic")], TOPIC_AUTHORIZATION_FAILED, 0, {
            let topic = new!(describe_topic_partitions_request::TopicRequest { name: text("topic") });
            new!(DescribeTopicPartitionsRequest { topics: vec![topic] })
        }),
        ask!([(Describe, Topic, "topic")], TOPIC_AUTHORIZATION_FAILED, 4, {
            let partitions = vec![OffsetForLeaderPartition::default()];
            let topic = new!(OffsetForLeaderTopic { topic: text("topic"), partitions: partitions });
            new!(OffsetForLeaderEpochRequest { replica_id: -1, topics: vec![topic] })
        }),
        ask!([(Read, Topic, "topic")], TOPIC_AUTHORIZATION_FAILED, 0, {
            let topic = new!(describe_producers_request::TopicRequest {
                name: text("topic"),
                partition_indexes: vec![0]
            });
            new!(DescribeProducersRequest { topics: vec![topic] })
        }),
        ask!([(Delete, Topic, "topic")], TOPIC_AUTHORIZATION_FAILED, 2, {
            let partitions = vec![DeleteRecordsPartition::default()];
            let topic = new!(DeleteRecordsTopic { name: text("topic"), partitions: partitions });
            new!(DeleteRecordsRequest { topics: vec![topic] })
        }),
        ask!(
            [(Create, Topic, "new"), (DescribeConfigs, Topic, "new")],
            TOPIC_AUTHORIZATION_FAILED,
            7,
            create("new")
        ),
        ask!([(Create, Cluster, CLUSTER), (DescribeConfigs, Topic, "new")], TOPIC_AUTHORIZATION_FAILED, 7, {
            create("new")
        }),
        ask!([(Alter, Topic, "topic")], TOPIC_AUTHORIZATION_FAILED, 3, {
            let topic =
                new!(create_partitions_request::CreatePartitionsTopic { name: text("topic"), count: 2 });
            new!(CreatePartitionsRequest { topics: vec![topic], validate_only: true })
        }),
        ask!([(Delete, Topic, "absent")], TOPIC_AUTHORIZATION_FAILED, 5, {
            new!(DeleteTopicsRequest { topic_names: vec![text("absent")] })
        }),
        ask!([(Delete, Cluster, CLUSTER)], TOPIC_AUTHORIZATION_FAILED, 5, {
            new!(DeleteTopicsRequest { topic_names: vec![text("absent")] })
        }),
    ]
}

fn of_transactions() -> Vec<Question> {
    const BOTH: [Need; 2] = [(Write, TransactionalId, "id"), (Write, Topic, "topic")];
    const ALL: [Need; 3] = [(Write, TransactionalId, "id"), (Read, Group, "group"), (Read, Topic, "topic")];
    vec![
        ask!([(IdempotentWrite, Cluster, CLUSTER)], CLUSTER_AUTHORIZATION_FAILED, 4, {
            new!(InitProducerIdRequest { transactional_id: None, producer_id: -1, producer_epoch: -1 })
        }),
        ask!([(Write, Topic, "topic")], CLUSTER_AUTHORIZATION_FAILED, 4, {
            new!(InitProducerIdRequest { transactional_id: None, producer_id: -1, producer_epoch: -1 })
        }),
        ask!([(Write, TransactionalId, "id")], TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 4, {
            new!(InitProducerIdRequest { transactional_id: Some(text("id")), transaction_timeout_ms: 9000 })
        }),
        ask!(BOTH, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 3, add_partitions()),
        ask!(
            [(Write, TransactionalId, "id"), (Read, Group, "group")],
            TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            3,
            new!(AddOffsetsToTxnRequest { transactional_id: text("id"), group_id: text("group") })
        ),
        ask!(ALL, TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 3, commit_in_transaction()),
        ask!([(Write, TransactionalId, "id")], TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 3, {
            new!(EndTxnRequest { transactional_id: text("id") })
        }),
        ask!([(Describe, TransactionalId, "id")], TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 0, {
            new!(DescribeTransactionsRequest { transactional_ids: vec![text("id")] })
        }),
        ask!(
            [(Write, TransactionalId, "id")],
            TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            4,
            find_coordinator(1, "id")
        ),
        ask!(
            [(ClusterAction, Cluster, CLUSTER)],
            CLUSTER_AUTHORIZATION_FAILED,
            5,
            AddPartitionsToTxnRequest::default()
        ),
        ask!([(Alter, Cluster, CLUSTER)], CLUSTER_AUTHORIZATION_FAILED, 1, {
            use write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
            let topic = new!(WritableTxnMarkerTopic { name: text("absent"), partition_indexes: vec![0] });
            new!(WriteTxnMarkersRequest { markers: vec![new!(WritableTxnMarker { topics: vec![topic] })] })
        }),
    ]
}

fn of_configs() -> Vec<Question> {
    vec![
        ask!([(DescribeConfigs, Topic, "topic")], TOPIC_AUTHORIZATION_FAILED, 4, describe(2, "topic")),
        ask!([(AlterConfigs, Cluster, CLUSTER)], CLUSTER_AUTHORIZATION_FAILED, 4, describe(4, "1")),
        ask!([(DescribeConfigs, Cluster, CLUSTER)], CLUSTER_AUTHORIZATION_FAILED, 4, describe(16, "metrics")),
        ask!([(DescribeConfigs, Group, "group")], GROUP_AUTHORIZATION_FAILED, 4, describe(32, "group")),
        ask!([(AlterConfigs, Topic, "topic")], TOPIC_AUTHORIZATION_FAILED, 1, alter(2, "topic")),
        ask!([(AlterConfigs, Cluster, CLUSTER)], CLUSTER_AUTHORIZATION_FAILED, 1, alter(4, "1")),
        ask!([(AlterConfigs, Cluster, CLUSTER)], CLUSTER_AUTHORIZATION_FAILED, 1, alter(8, "1")),
        ask!([(AlterConfigs, Group, "group")], GROUP_AUTHORIZATION_FAILED, 1, alter(32, "group")),
        ask!([(AlterConfigs, Topic, "topic")], TOPIC_AUTHORIZATION_FAILED, 2, alter_all(2, "topic")),
        ask!([(AlterConfigs, Cluster, CLUSTER)], CLUSTER_AUTHORIZATION_FAILED, 2, alter_all(4, "1")),
        ask!(
            [(DescribeConfigs, Cluster, CLUSTER)],
            CLUSTER_AUTHORIZATION_FAILED,
            1,
            ListConfigResourcesRequest::default()
        ),
        ask!(
            [(DescribeConfigs, Cluster, CLUSTER)],
            CLUSTER_AUTHORIZATION_FAILED,
            1,
            DescribeClientQuotasRequest::default()
        ),
        ask!([(AlterConfigs, Cluster, CLUSTER)], CLUSTER_AUTHORIZATION_FAILED, 1, {
            let entry = alter_client_quotas_request::EntryData::default();
            new!(AlterClientQuotasRequest { entries: vec![entry], validate_only: true })
        }),
    ]
}

fn of_the_cluster() -> Vec<Question> {
    vec![
        ask!([(Describe, Cluster, CLUSTER)], CLUSTER_AUTHORIZATION_FAILED, 3, {
            new!(DescribeAclsRequest { resource_type_filter: 2, operation: 1, permission_type: 1 })
        }),
        ask!([(Alter, Cluster, CLUSTER)], CLUSTER_AUTHORIZATION_FAILED, 3, {
            let filter = new!(delete_acls_request::DeleteAclsFilter {
                resource_type_filter: 2,
                operation: 1,
                permission_type: 1
            });
            new!(DeleteAclsRequest { filters: vec![filter] })
        }),
        ask!([(Alter, Cluster, CLUSTER)], CLUSTER_AUTHORIZATION_FAILED, 3, {
            let creation =
                new!(create_acls_request::AclCreation { resource_type: 2, operation: 3, permission_type: 3 });
            new!(CreateAclsRequest { creations: vec![creation] })
        }),
        ask!(
            [(Describe, Cluster, CLUSTER)],
            CLUSTER_AUTHORIZATION_FAILED,
            4,
            DescribeLogDirsRequest::default()
        ),
        ask!([(Alter, Cluster, CLUSTER)], CLUSTER_AUTHORIZATION_FAILED, 2, {
            use alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
            let topic = new!(AlterReplicaLogDirTopic { name: text("topic"), partitions: vec![0] });
            let dir = new!(AlterReplicaLogDir { path: text("/nowhere"), topics: vec![topic] });
            new!(AlterReplicaLogDirsRequest { dirs: vec![dir] })
        }),
        ask!([(Alter, Cluster, CLUSTER)], CLUSTER_AUTHORIZATION_FAILED, 2, {
            new!(ElectLeadersRequest { topic_partitions: Some(Vec::new()) })
        }),
        ask!(
            [(Alter, Cluster, CLUSTER)],
            CLUSTER_AUTHORIZATION_FAILED,
            0,
            AlterPartitionReassignmentsRequest::default()
        ),
        ask!(
            [(Describe, Cluster, CLUSTER)],
            CLUSTER_AUTHORIZATION_FAILED,
            0,
            ListPartitionReassignmentsRequest::default()
        ),
        ask!(
            [(Describe, Cluster, CLUSTER)],
            CLUSTER_AUTHORIZATION_FAILED,
            0,
            DescribeUserScramCredentialsRequest::default()
        ),
        ask!([(Alter, Cluster, CLUSTER)], CLUSTER_AUTHORIZATION_FAILED, 0, {
            use alter_user_scram_credentials_request::ScramCredentialDeletion;
            let deletion = new!(ScramCredentialDeletion { name: text("nobody"), mechanism: 1 });
            new!(AlterUserScramCredentialsRequest { deletions: vec![deletion] })
        }),
        ask!(
            [(Describe, Cluster, CLUSTER)],
            CLUSTER_AUTHORIZATION_FAILED,
            2,
            DescribeQuorumRequest::default()
        ),
        ask!([(Alter, Cluster, CLUSTER)], CLUSTER_AUTHORIZATION_FAILED, 1, UpdateFeaturesRequest::default()),
        ask!(
            [(Alter, Cluster, CLUSTER)],
            CLUSTER_AUTHORIZATION_FAILED,
            0,
            new!(UnregisterBrokerRequest { broker_id: 99 })
        ),
        ask!(
            [(ClusterAction, Cluster, CLUSTER)],
            CLUSTER_AUTHORIZATION_FAILED,
            6,
            find_coordinator(2, "nonsense")
        ),
        ask!([(ClusterAction, Cluster, CLUSTER)], CLUSTER_AUTHORIZATION_FAILED, 0, {
            use read_share_group_state_request::{PartitionData, ReadStateData};
            let topic = new!(ReadStateData { partitions: vec![PartitionData::default()] });
            new!(ReadShareGroupStateRequest { group_id: text("group"), topics: vec![topic] })
        }),
        ask!(
            [(CreateTokens, AclResourceType::User, "User:carol")],
            DELEGATION_TOKEN_AUTHORIZATION_FAILED,
            3,
            {
                new!(CreateDelegationTokenRequest {
                    owner_principal_type: Some(text("User")),
                    owner_principal_name: Some(text("carol"))
                })
            }
        ),
    ]
}
