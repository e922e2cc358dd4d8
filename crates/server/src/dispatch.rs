//! From a request to its handler: a `match` for each kind of listener and one for what both serve, and the table of what is
//! served.
//!
//! Invariants:
//! - what [`served_versions`] names is handled at every version it names, and nothing else is advertised
//! - a request for anything else never comes this far
//!
//! Not yet: versions that are not stable, with `unstable.api.versions.enable`; AddRaftVoter and RemoveRaftVoter, which Kafka's
//! broker forwards; requests to the controller whose `timeoutMs` is 0 are carried out, which Kafka gives up at once.
//!
//! Kafka: `KafkaApis.handle`, `ControllerApis.handle`.

mod controller;

use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;

use protocol::{ApiKey, RequestBody, ResponseBody};

use crate::broker::Broker;
use crate::controller::ControllerService;
use crate::handlers::*;
use crate::request::{ListenerRole, RequestContext};

/// What a request gets.
pub enum Answer {
    /// A response.
    Respond(ResponseBody),
    /// A response that comes of itself: the request was carried out, and the next need not wait for it.
    Later(Pin<Box<dyn Future<Output = ResponseBody> + Send>>),
    /// Nothing: a producer with `acks=0`.
    Nothing,
    /// The end of its connection, for this reason.
    Close(String),
}

impl<T: Into<ResponseBody>> From<T> for Answer {
    fn from(response: T) -> Self {
        Self::Respond(response.into())
    }
}

/// The broker's APIs that are served, at all versions of the release that is advertised.
const BROKER_APIS: &[ApiKey] = &[
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::SyncGroup,
    ApiKey::DescribeGroups,
    ApiKey::ListGroups,
    ApiKey::OffsetForLeaderEpoch,
    ApiKey::AddPartitionsToTxn,
    ApiKey::AddOffsetsToTxn,
    ApiKey::EndTxn,
    ApiKey::WriteTxnMarkers,
    ApiKey::TxnOffsetCommit,
    ApiKey::SaslHandshake,
    ApiKey::ApiVersions,
    ApiKey::DescribeAcls,
    ApiKey::CreateAcls,
    ApiKey::DeleteAcls,
    ApiKey::DescribeConfigs,
    ApiKey::AlterConfigs,
    ApiKey::AlterReplicaLogDirs,
    ApiKey::DescribeLogDirs,
    ApiKey::SaslAuthenticate,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::DeleteRecords,
    ApiKey::InitProducerId,
    ApiKey::CreatePartitions,
    ApiKey::CreateDelegationToken,
    ApiKey::RenewDelegationToken,
    ApiKey::ExpireDelegationToken,
    ApiKey::DescribeDelegationToken,
    ApiKey::DeleteGroups,
    ApiKey::ElectLeaders,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::AlterPartitionReassignments,
    ApiKey::ListPartitionReassignments,
    ApiKey::OffsetDelete,
    ApiKey::DescribeClientQuotas,
    ApiKey::AlterClientQuotas,
    ApiKey::DescribeUserScramCredentials,
    ApiKey::AlterUserScramCredentials,
    ApiKey::DescribeQuorum,
    ApiKey::UpdateFeatures,
    ApiKey::DescribeCluster,
    ApiKey::DescribeProducers,
    ApiKey::UnregisterBroker,
    ApiKey::DescribeTransactions,
    ApiKey::ListTransactions,
    ApiKey::ConsumerGroupHeartbeat,
    ApiKey::ConsumerGroupDescribe,
    ApiKey::GetTelemetrySubscriptions,
    ApiKey::PushTelemetry,
    ApiKey::ListConfigResources,
    ApiKey::DescribeTopicPartitions,
    ApiKey::ShareFetch,
    ApiKey::ShareAcknowledge,
    ApiKey::ShareGroupHeartbeat,
    ApiKey::ShareGroupDescribe,
    ApiKey::DescribeShareGroupOffsets,
    ApiKey::AlterShareGroupOffsets,
    ApiKey::DeleteShareGroupOffsets,
    ApiKey::InitializeShareGroupState,
    ApiKey::ReadShareGroupState,
    ApiKey::WriteShareGroupState,
    ApiKey::DeleteShareGroupState,
    ApiKey::ReadShareGroupStateSummary,
    ApiKey::StreamsGroupHeartbeat,
    ApiKey::StreamsGroupDescribe,
];

/// Returns the versions of an API that a listener serves; none if it does not serve the API.
pub fn served_versions(api: ApiKey, role: ListenerRole) -> Option<RangeInclusive<i16>> {
    let served = match role {
        ListenerRole::Broker { .. } => BROKER_APIS,
        ListenerRole::Controller => controller::CONTROLLER_APIS,
    };
    if served.contains(&api) { api.released_versions() } else { None }
}

/// What requests are dispatched to.
#[derive(Clone, Debug)]
pub struct Dispatcher {
    /// The broker role.
    pub broker: Arc<Broker>,
    /// The controller role.
    pub controller: Arc<ControllerService>,
}

impl Dispatcher {
    /// Has a request handled, whose version must be one that [`served_versions`] names.
    pub async fn dispatch(&self, context: &RequestContext, body: RequestBody) -> Answer {
        match context.listener.role {
            ListenerRole::Broker { .. } => match body {
                RequestBody::DescribeQuorum(request) => {
                    describe_quorum::handle(&self.controller, &self.broker, context, &request).into()
                }
                body => on_broker(&self.broker, context, body).await,
            },
            ListenerRole::Controller => {
                controller::on_controller(&self.controller, &self.broker, context, body).await
            }
        }
    }
}

async fn on_broker(broker: &Arc<Broker>, context: &RequestContext, body: RequestBody) -> Answer {
    match body {
        RequestBody::Produce(request) => produce::handle(broker, context, *request).await,
        RequestBody::Fetch(request) => fetch::handle(broker, context, *request).await.into(),
        RequestBody::ListOffsets(request) => list_offsets::handle(broker, context, &request).into(),
        RequestBody::Metadata(request) => metadata::handle(broker, context, &request).into(),
        RequestBody::FindCoordinator(request) => find_coordinator::handle(broker, context, &request).into(),
        RequestBody::DeleteRecords(request) => delete_records::handle(broker, context, &request).into(),
        RequestBody::DescribeCluster(request) => describe_cluster::handle(broker, context, &request).into(),
        RequestBody::DescribeTopicPartitions(request) => {
            describe_topic_partitions::handle(broker, context, &request).into()
        }
        RequestBody::ListConfigResources(request) => {
            list_config_resources::handle(broker, context, &request).into()
        }
        RequestBody::OffsetForLeaderEpoch(request) => {
            offset_for_leader_epoch::handle(broker, context, &request).into()
        }
        RequestBody::AlterReplicaLogDirs(request) => {
            alter_replica_log_dirs::handle(broker, context, &request).into()
        }
        RequestBody::DescribeLogDirs(request) => {
            describe_log_dirs::handle(broker, context, &request).await.into()
        }
        RequestBody::DescribeDelegationToken(request) => {
            describe_delegation_token::handle(broker, context, &request).into()
        }
        RequestBody::GetTelemetrySubscriptions(request) => {
            get_telemetry_subscriptions::handle(broker, context, &request).into()
        }
        RequestBody::PushTelemetry(request) => push_telemetry::handle(broker, context, *request).into(),
        RequestBody::DescribeClientQuotas(request) => {
            describe_client_quotas::handle(broker, context, &request).into()
        }
        RequestBody::DescribeProducers(request) => {
            describe_producers::handle(broker, context, *request).into()
        }
        RequestBody::InitProducerId(request) => {
            init_producer_id::handle(broker, context, *request).await.into()
        }
        RequestBody::AddPartitionsToTxn(request) => {
            add_partitions_to_txn::handle(broker, context, *request).await.into()
        }
        RequestBody::AddOffsetsToTxn(request) => {
            add_offsets_to_txn::handle(broker, context, &request).await.into()
        }
        RequestBody::EndTxn(request) => end_txn::handle(broker, context, *request).await.into(),
        RequestBody::WriteTxnMarkers(request) => {
            write_txn_markers::handle(broker, context, *request).await.into()
        }
        RequestBody::TxnOffsetCommit(request) => {
            txn_offset_commit::handle(broker, context, *request).await.into()
        }
        RequestBody::DescribeTransactions(request) => {
            describe_transactions::handle(broker, context, *request).await.into()
        }
        RequestBody::ListTransactions(request) => {
            list_transactions::handle(broker, context, *request).await.into()
        }
        body => match of_groups(broker, context, body).await {
            Ok(answer) => answer,
            Err(body) => on_either(broker, context, body).await.unwrap_or_else(|body| not_served(&body)),
        },
    }
}

/// Has a request of or about a group handled, of any kind; what is another comes back.
async fn of_groups(
    broker: &Arc<Broker>,
    context: &RequestContext,
    body: RequestBody,
) -> Result<Answer, RequestBody> {
    Ok(match body {
        RequestBody::OffsetCommit(request) => offset_commit::handle(broker, context, *request),
        RequestBody::OffsetFetch(request) => offset_fetch::handle(broker, context, *request).await.into(),
        RequestBody::JoinGroup(request) => join_group::handle(broker, context, *request).await.into(),
        RequestBody::Heartbeat(request) => heartbeat::handle(broker, context, *request).await.into(),
        RequestBody::LeaveGroup(request) => leave_group::handle(broker, context, *request).await.into(),
        RequestBody::SyncGroup(request) => sync_group::handle(broker, context, *request).await.into(),
        RequestBody::DescribeGroups(request) => {
            describe_groups::handle(broker, context, *request).await.into()
        }
        RequestBody::ConsumerGroupHeartbeat(request) => {
            consumer_group_heartbeat::handle(broker, context, *request).await.into()
        }
        RequestBody::ConsumerGroupDescribe(request) => {
            consumer_group_describe::handle(broker, context, *request).await.into()
        }
        RequestBody::StreamsGroupHeartbeat(request) => {
            streams_group_heartbeat::handle(broker, context, *request).await.into()
        }
        RequestBody::StreamsGroupDescribe(request) => {
            streams_group_describe::handle(broker, context, *request).await.into()
        }
        RequestBody::ListGroups(request) => list_groups::handle(broker, context, *request).await.into(),
        RequestBody::DeleteGroups(request) => delete_groups::handle(broker, context, *request).await.into(),
        RequestBody::OffsetDelete(request) => offset_delete::handle(broker, context, *request).await.into(),
        RequestBody::ShareFetch(request) => share_fetch::handle(broker, context, *request).await.into(),
        RequestBody::ShareAcknowledge(request) => {
            share_acknowledge::handle(broker, context, *request).await.into()
        }
        RequestBody::InitializeShareGroupState(request) => {
            initialize_share_group_state::handle(broker, context, *request).await.into()
        }
        RequestBody::ReadShareGroupState(request) => {
            read_share_group_state::handle(broker, context, *request).await.into()
        }
        RequestBody::WriteShareGroupState(request) => {
            write_share_group_state::handle(broker, context, *request).await.into()
        }
        RequestBody::DeleteShareGroupState(request) => {
            delete_share_group_state::handle(broker, context, *request).await.into()
        }
        RequestBody::ReadShareGroupStateSummary(request) => {
            read_share_group_state_summary::handle(broker, context, *request).await.into()
        }
        RequestBody::ShareGroupHeartbeat(request) => {
            share_group_heartbeat::handle(broker, context, *request).await.into()
        }
        RequestBody::ShareGroupDescribe(request) => {
            share_group_describe::handle(broker, context, *request).await.into()
        }
        RequestBody::DescribeShareGroupOffsets(request) => {
            describe_share_group_offsets::handle(broker, context, *request).await.into()
        }
        RequestBody::AlterShareGroupOffsets(request) => {
            alter_share_group_offsets::handle(broker, context, *request).await.into()
        }
        RequestBody::DeleteShareGroupOffsets(request) => {
            delete_share_group_offsets::handle(broker, context, *request).await.into()
        }
        body => return Err(body),
    })
}

/// Has a request handled that both kinds of listeners serve in the same way; what is another comes back.
async fn on_either(
    broker: &Arc<Broker>,
    context: &RequestContext,
    body: RequestBody,
) -> Result<Answer, RequestBody> {
    Ok(match body {
        RequestBody::ApiVersions(request) => api_versions::handle(broker, context, &request).into(),
        RequestBody::DescribeConfigs(request) => describe_configs::handle(broker, context, *request).into(),
        RequestBody::DescribeUserScramCredentials(request) => {
            describe_user_scram_credentials::handle(broker, context, &request).into()
        }
        RequestBody::DescribeAcls(request) => describe_acls::handle(broker, context, *request),
        RequestBody::CreateAcls(request) => create_acls::handle(broker, context, *request).await,
        RequestBody::DeleteAcls(request) => delete_acls::handle(broker, context, *request).await,
        RequestBody::CreateDelegationToken(request) => {
            create_delegation_token::handle(broker, context, *request).await.into()
        }
        RequestBody::RenewDelegationToken(request) => {
            renew_delegation_token::handle(broker, context, *request).await.into()
        }
        RequestBody::ExpireDelegationToken(request) => {
            expire_delegation_token::handle(broker, context, *request).await.into()
        }
        RequestBody::AlterConfigs(request) => alter_configs::handle(broker, context, *request).await.into(),
        RequestBody::IncrementalAlterConfigs(request) => {
            incremental_alter_configs::handle(broker, context, *request).await.into()
        }
        RequestBody::CreateTopics(request) => create_topics::handle(broker, context, *request).await.into(),
        RequestBody::DeleteTopics(request) => delete_topics::handle(broker, context, *request).await.into(),
        RequestBody::CreatePartitions(request) => {
            create_partitions::handle(broker, context, *request).await.into()
        }
        RequestBody::ElectLeaders(request) => elect_leaders::handle(broker, context, *request).await.into(),
        RequestBody::AlterPartitionReassignments(request) => {
            alter_partition_reassignments::handle(broker, context, *request).await.into()
        }
        RequestBody::ListPartitionReassignments(request) => {
            list_partition_reassignments::handle(broker, context, *request).await.into()
        }
        RequestBody::AlterClientQuotas(request) => {
            alter_client_quotas::handle(broker, context, *request).await.into()
        }
        RequestBody::AlterUserScramCredentials(request) => {
            alter_user_scram_credentials::handle(broker, context, *request).await.into()
        }
        RequestBody::UpdateFeatures(request) => {
            update_features::handle(broker, context, *request).await.into()
        }
        RequestBody::UnregisterBroker(request) => {
            unregister_broker::handle(broker, context, *request).await.into()
        }
        body => return Err(body),
    })
}

fn not_served(body: &RequestBody) -> Answer {
    Answer::Close(format!("a request for {}, which is not served on this listener", body.api_key().name()))
}
