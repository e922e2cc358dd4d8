//! The admin client: one file for each operation. Kafka: `Admin`, `KafkaAdminClient`.
//!
//! Invariants: every operation ends by its deadline (`default.api.timeout.ms`, or what [`Admin::with_timeout`] says);
//! failures that may pass are tried again with backoff, at the node that is right by then; where an operation
//! names several things, each has its own result.

mod abort_transaction;
mod acls;
mod alter_configs;
mod alter_group_offsets;
mod alter_replica_log_dirs;
mod call;
mod client_quotas;
mod configs;
mod create_partitions;
mod create_topics;
mod delegation_tokens;
mod delete_group_offsets;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_quorum;
mod describe_share_groups;
mod describe_streams_groups;
mod describe_topics;
mod describe_transactions;
mod elect_leaders;
mod features;
mod incremental_alter_configs;
mod list_config_resources;
mod list_group_offsets;
mod list_groups;
mod list_offsets;
mod list_topics;
mod list_transactions;
mod raft_voters;
mod reassignments;
mod remove_members;
mod share_group_offsets;
mod unregister_broker;
mod user_scram_credentials;

use std::time::Duration;

use model::NodeId;

use crate::cluster::{Broker, Cluster, Interest, Purpose};
use crate::config::{AdminConfig, ConfigMap};
use crate::connection::ApiVersions;
use crate::error::Result;

pub use model::{AclBinding, AclBindingFilter, AclOperation, AclPatternType, AclPermission, AclResourceType};

pub use abort_transaction::AbortTransactionSpec;
pub use alter_configs::AlterConfigs;
pub use client_quotas::{ClientQuotaEntity, QuotaMatch};
pub use configs::{
    AlterConfigOp, ConfigEntry, ConfigResource, ConfigSource, ConfigSynonym, ConfigType, OpType, ResourceType,
};
pub use create_partitions::NewPartitions;
pub use create_topics::{CreateTopicsOptions, CreatedTopic, NewTopic};
pub use delegation_tokens::{DelegationToken, Principal};
pub use delete_topics::TopicName;
pub use describe_cluster::ClusterDescription;
pub use describe_groups::{
    ClassicGroupDescription, ClassicMember, ConsumerGroupDescription, GroupType, MemberDescription,
};
pub use describe_log_dirs::{LogDirDescription, ReplicaInfo};
pub use describe_producers::ProducerState;
pub use describe_quorum::{QuorumInfo, QuorumNode, QuorumReplica};
pub use describe_share_groups::{ShareGroupDescription, ShareMemberDescription};
pub use describe_streams_groups::{
    StreamsGroupDescription, StreamsMemberDescription, StreamsSubtopology, StreamsTasks,
};
pub use describe_topics::{TopicDescription, TopicPartitionInfo};
pub use describe_transactions::TransactionDescription;
pub use elect_leaders::ElectionType;
pub use features::{FeatureMetadata, FeatureUpdate, UpgradeType};
pub use list_groups::{GroupListing, ListGroupsOptions};
pub use list_offsets::{ListedOffset, OffsetSpec};
pub use list_topics::TopicListing;
pub use list_transactions::{ListTransactionsOptions, TransactionListing};
pub use reassignments::PartitionReassignment;
pub use remove_members::MemberToRemove;
pub use share_group_offsets::SharePartitionOffset;
pub use user_scram_credentials::ScramAlteration;

pub(crate) use alter_group_offsets::{NAMED_VERSION as COMMIT_NAMED_VERSION, topics as commit_topics};
pub(crate) use list_group_offsets::{
    Committed, NAMED_VERSION as FETCH_NAMED_VERSION, read as read_committed, request as committed_request,
};
pub(crate) use list_offsets::{read as read_offsets, request as offsets_request};

/// An admin client, shared by cloning.
#[derive(Clone, Debug)]
pub struct Admin {
    cluster: Cluster,
    timeout: Duration,
    retries: u32,
}

impl Admin {
    /// Makes a client. Nothing is sent before the first operation. Must be called within a tokio runtime.
    pub fn new(config: AdminConfig) -> Self {
        let cluster = Cluster::new(config.client, Interest::Brokers);
        Self { cluster, timeout: config.default_api_timeout, retries: config.retries }
    }

    /// Makes a client from Kafka's keys.
    pub fn from_map(map: &ConfigMap) -> Result<Self> {
        AdminConfig::from_map(map).map(Self::new)
    }

    /// Makes a client that shares another client's connections.
    pub(crate) fn of_cluster(cluster: Cluster, timeout: Duration) -> Self {
        Self { cluster, timeout, retries: u32::MAX }
    }

    /// The same client, whose operations may take `timeout`. Kafka: `AbstractOptions.timeoutMs`.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// The cluster underneath.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The brokers that are alive (or the controllers, of a client of those).
    pub async fn brokers(&self) -> Result<Vec<Broker>> {
        let mut call = self.call("listNodes");
        let metadata = call.metadata().await?;
        Ok(metadata.brokers.values().cloned().collect())
    }

    /// The versions of each API that `node` serves.
    pub async fn api_versions(&self, node: NodeId) -> Result<ApiVersions> {
        let mut call = self.call("apiVersions");
        call.metadata().await?;
        loop {
            match call.within(self.cluster.connection(node, Purpose::Data)).await {
                Ok(connection) => return Ok(connection.versions().clone()),
                Err(error) => call.again(error).await?,
            }
        }
    }

    /// Closes the connections.
    pub fn close(&self) {
        self.cluster.close();
    }
}
