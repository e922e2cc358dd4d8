//! One member of a classic group.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use machine::Ticket;
use protocol::describe_groups_response::DescribedGroupMember;
use protocol::group_metadata_value::MemberMetadata;
use protocol::join_group_request::JoinGroupRequestProtocol;
use protocol::join_group_response::JoinGroupResponseMember;

/// A member, and which of its requests wait. Kafka: `ClassicGroupMember`.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) id: Arc<str>,
    pub(super) instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) client_host: String,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    /// The assignors that the member knows, the preferred one first, each with its subscription.
    pub(super) protocols: Vec<JoinGroupRequestProtocol>,
    pub(super) assignment: Bytes,
    pub(super) awaiting_join: Option<Ticket>,
    pub(super) awaiting_sync: Option<Ticket>,
    /// Whether the member joined in the rebalance that runs: it cannot send heartbeats yet, and its session ends even
    /// while its request waits.
    pub(super) is_new: bool,
}

impl Member {
    pub(super) fn is_static(&self) -> bool {
        self.instance_id.is_some()
    }

    /// Tells whether the member needs no heartbeat at present, for one of its requests waits here.
    pub(super) fn has_satisfied_heartbeat(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }

    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|supported| supported.name == protocol)
    }

    /// Returns the member's subscription under `protocol`; empty if it does not know that protocol.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let supported = self.protocols.iter().find(|supported| supported.name == protocol);
        supported.map(|supported| supported.metadata.clone()).unwrap_or_default()
    }

    pub(super) fn matches(&self, protocols: &[JoinGroupRequestProtocol]) -> bool {
        self.protocols.len() == protocols.len()
            && self.protocols.iter().zip(protocols).all(|(a, b)| a.name == b.name && a.metadata == b.metadata)
    }

    /// Returns the member's first choice among `candidates`.
    pub(super) fn vote<'a>(&self, candidates: &BTreeSet<&'a str>) -> Option<&'a str> {
        self.protocols.iter().find_map(|supported| candidates.get(supported.name.as_str()).copied())
    }

    pub(super) fn as_join_member(&self, protocol: &str) -> JoinGroupResponseMember {
        JoinGroupResponseMember {
            member_id: self.id.to_string(),
            group_instance_id: self.instance_id.clone(),
            metadata: self.metadata(protocol),
            ..Default::default()
        }
    }

    /// Describes the member; the subscription is shown only while the group is stable, when there is a `protocol`.
    pub(super) fn describe(&self, protocol: Option<&str>) -> DescribedGroupMember {
        DescribedGroupMember {
            member_id: self.id.to_string(),
            group_instance_id: self.instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            member_metadata: protocol.map(|protocol| self.metadata(protocol)).unwrap_or_default(),
            member_assignment: self.assignment.clone(),
            ..Default::default()
        }
    }

    pub(super) fn to_record(&self, protocol: &str, assignment: Bytes) -> MemberMetadata {
        MemberMetadata {
            member_id: self.id.to_string(),
            group_instance_id: self.instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout: self.rebalance_timeout_ms,
            session_timeout: self.session_timeout_ms,
            subscription: self.metadata(protocol),
            assignment,
            ..Default::default()
        }
    }

    pub(super) fn from_record(record: MemberMetadata, protocol: &str) -> Self {
        let rebalance_timeout_ms =
            if record.rebalance_timeout == -1 { record.session_timeout } else { record.rebalance_timeout };
        Self {
            id: record.member_id.into(),
            instance_id: record.group_instance_id,
            client_id: record.client_id,
            client_host: record.client_host,
            rebalance_timeout_ms,
            session_timeout_ms: record.session_timeout,
            protocols: own_protocols(&[JoinGroupRequestProtocol {
                name: protocol.into(),
                metadata: record.subscription,
                ..Default::default()
            }]),
            assignment: Bytes::copy_from_slice(&record.assignment),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
        }
    }
}

/// Copies the protocols out of the frame or read buffer that they came in, which would else stay in memory with them.
pub(super) fn own_protocols(protocols: &[JoinGroupRequestProtocol]) -> Vec<JoinGroupRequestProtocol> {
    let own = |protocol: &JoinGroupRequestProtocol| JoinGroupRequestProtocol {
        name: protocol.name.clone(),
        metadata: Bytes::copy_from_slice(&protocol.metadata),
        ..Default::default()
    };
    protocols.iter().map(own).collect()
}
