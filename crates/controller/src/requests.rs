//! The requests that the controller decides on.

use std::collections::BTreeSet;

use protocol::{RequestBody, ResponseBody};
use quota::MutationQuota;
use security::Principal;

use crate::TokenRequest;

macro_rules! controller_requests {
    ($($name:ident($request:ident)),+ $(,)?) => {
        /// A request that the controller decides on. The broker forwards it after authorization.
        #[derive(Clone, Debug)]
        pub enum ControllerRequest {
            $(
                #[doc = concat!("A `", stringify!($request), "`.")]
                $name(Box<protocol::$request>),
            )+
            /// A request for quotas, with those names of hosts among its addresses that can be resolved.
            WithHosts(Box<protocol::AlterClientQuotasRequest>, BTreeSet<String>),
            /// A request about delegation tokens, and who asks.
            Token(TokenRequest, Principal),
            /// A request whose changes count against its client's quota.
            Limited(Box<ControllerRequest>, MutationQuota),
        }

        /// Takes the requests that the controller decides on, and gives the others back.
        impl TryFrom<RequestBody> for ControllerRequest {
            type Error = RequestBody;

            fn try_from(body: RequestBody) -> Result<Self, RequestBody> {
                match body {
                    $(RequestBody::$name(request) => Ok(Self::$name(request)),)+
                    other => Err(other),
                }
            }
        }

        $(
            impl From<protocol::$request> for ControllerRequest {
                fn from(request: protocol::$request) -> Self {
                    Self::$name(Box::new(request))
                }
            }
        )+
    };
}

controller_requests! {
    AllocateProducerIds(AllocateProducerIdsRequest),
    AlterClientQuotas(AlterClientQuotasRequest),
    AlterConfigs(AlterConfigsRequest),
    AlterPartition(AlterPartitionRequest),
    AlterPartitionReassignments(AlterPartitionReassignmentsRequest),
    AlterUserScramCredentials(AlterUserScramCredentialsRequest),
    AssignReplicasToDirs(AssignReplicasToDirsRequest),
    BrokerHeartbeat(BrokerHeartbeatRequest),
    BrokerRegistration(BrokerRegistrationRequest),
    ControllerRegistration(ControllerRegistrationRequest),
    CreateAcls(CreateAclsRequest),
    CreatePartitions(CreatePartitionsRequest),
    CreateTopics(CreateTopicsRequest),
    DeleteAcls(DeleteAclsRequest),
    DeleteTopics(DeleteTopicsRequest),
    ElectLeaders(ElectLeadersRequest),
    IncrementalAlterConfigs(IncrementalAlterConfigsRequest),
    ListPartitionReassignments(ListPartitionReassignmentsRequest),
    UnregisterBroker(UnregisterBrokerRequest),
    UpdateFeatures(UpdateFeaturesRequest),
}

impl ControllerRequest {
    /// Counts the partitions that the request creates or deletes against `quota`.
    #[must_use]
    pub fn limited(self, quota: MutationQuota) -> Self {
        Self::Limited(Box::new(self), quota)
    }
}

/// Records to append and the response to give once they are committed.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) records: Vec<protocol::MetadataRecord>,
    pub(crate) response: ResponseBody,
}

impl Decision {
    pub(crate) fn new(records: Vec<protocol::MetadataRecord>, response: impl Into<ResponseBody>) -> Self {
        Self { records, response: response.into() }
    }

    /// Answers without a change.
    pub(crate) fn answer(response: impl Into<ResponseBody>) -> Self {
        Self::new(Vec::new(), response)
    }
}
