//! Describing groups: consumer groups of either protocol, and classic groups of any protocol.
//! Kafka: `Admin.describeConsumerGroups`, `Admin.describeClassicGroups`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use model::{NodeId, TopicPartition};
use protocol::consumer_group_describe_response as consumer;
use protocol::describe_groups_response::DescribedGroupMember;
use protocol::{ConsumerGroupDescribeRequest, DescribeGroupsRequest, ErrorCode};

use super::Admin;
use crate::cluster::Broker;
use crate::consumer_protocol;
use crate::error::{Error, Result};

/// Which protocol a group's members speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupType {
    /// The members assign.
    Classic,
    /// The broker assigns (KIP-848).
    Consumer,
}

/// A consumer group.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerGroupDescription {
    /// Its id.
    pub group_id: String,
    /// Which protocol it uses.
    pub group_type: GroupType,
    /// Whether it only keeps offsets, without members.
    pub is_simple: bool,
    /// Its state, as the broker names it.
    pub state: String,
    /// The broker that coordinates it.
    pub coordinator: Option<Broker>,
    /// The assignor that its members agreed on.
    pub assignor: String,
    /// Its members.
    pub members: Vec<MemberDescription>,
    /// Its epoch; for [`GroupType::Consumer`].
    pub group_epoch: Option<i32>,
    /// The epoch of the assignment that members are moved to; for [`GroupType::Consumer`].
    pub target_assignment_epoch: Option<i32>,
}

/// A member of a consumer group.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberDescription {
    /// Its id.
    pub member_id: String,
    /// Its name as a static member.
    pub group_instance_id: Option<String>,
    /// Its rack.
    pub rack: Option<String>,
    /// Its client id.
    pub client_id: String,
    /// The host that it connects from.
    pub host: String,
    /// What it has.
    pub assignment: BTreeSet<TopicPartition>,
    /// What it shall have; for [`GroupType::Consumer`].
    pub target_assignment: Option<BTreeSet<TopicPartition>>,
    /// Its epoch; for [`GroupType::Consumer`].
    pub member_epoch: Option<i32>,
    /// Whether it speaks the consumer protocol in a consumer group; `None` where that is not known.
    pub upgraded: Option<bool>,
}

/// A group of the classic protocol, whatever its members do.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassicGroupDescription {
    /// Its id.
    pub group_id: String,
    /// The protocol that its members speak: `consumer`, `connect`, … or empty.
    pub protocol: String,
    /// What the members agreed on: an assignor, for instance.
    pub protocol_data: String,
    /// Its state, as the broker names it.
    pub state: String,
    /// The broker that coordinates it.
    pub coordinator: Option<Broker>,
    /// Its members.
    pub members: Vec<ClassicMember>,
}

/// A member of a classic group.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassicMember {
    /// Its id.
    pub member_id: String,
    /// Its name as a static member.
    pub group_instance_id: Option<String>,
    /// Its client id.
    pub client_id: String,
    /// The host that it connects from.
    pub host: String,
    /// What it said when it joined.
    pub metadata: Bytes,
    /// What the leader gave it.
    pub assignment: Bytes,
}

impl Admin {
    /// Describes consumer groups of both protocols; the result of each is under its id.
    pub async fn describe_consumer_groups(
        &self,
        groups: &[String],
    ) -> BTreeMap<String, Result<ConsumerGroupDescription>> {
        let mut done = BTreeMap::new();
        for group in groups {
            let described = match self.describe_new_group(group).await {
                Err(error) if may_be_classic(&error) => self.describe_old_group(group).await,
                other => other,
            };
            done.insert(group.clone(), described);
        }
        done
    }

    /// Describes classic groups of any protocol; the result of each is under its id.
    pub async fn describe_classic_groups(
        &self,
        groups: &[String],
    ) -> BTreeMap<String, Result<ClassicGroupDescription>> {
        let mut done = BTreeMap::new();
        for group in groups {
            done.insert(group.clone(), self.describe_classic_group(group).await);
        }
        done
    }

    async fn describe_new_group(&self, group: &str) -> Result<ConsumerGroupDescription> {
        let make =
            |_| ConsumerGroupDescribeRequest { group_ids: vec![group.to_owned()], ..Default::default() };
        let (node, response) = self
            .on_coordinator("describeConsumerGroups", group, i16::MAX, make, |response| {
                response.groups.first().map_or(ErrorCode::NONE, |group| group.error_code)
            })
            .await?;
        let described = response.groups.into_iter().next().ok_or_else(|| missing(group))?;
        Error::check_with(described.error_code, described.error_message)?;
        Ok(ConsumerGroupDescription {
            group_id: described.group_id,
            group_type: GroupType::Consumer,
            is_simple: false,
            state: described.group_state,
            coordinator: self.known_broker(node),
            assignor: described.assignor_name,
            members: described.members.into_iter().map(from_consumer_member).collect(),
            group_epoch: Some(described.group_epoch),
            target_assignment_epoch: Some(described.assignment_epoch),
        })
    }

    async fn describe_old_group(&self, group: &str) -> Result<ConsumerGroupDescription> {
        let described = self.describe_classic_group(group).await?;
        if !described.protocol.is_empty() && described.protocol != "consumer" {
            let protocol = described.protocol;
            return Err(Error::IllegalArgument(format!(
                "GroupId {group} is not a consumer group ({protocol})."
            )));
        }
        Ok(ConsumerGroupDescription {
            is_simple: described.protocol.is_empty(),
            group_id: described.group_id,
            group_type: GroupType::Classic,
            state: described.state,
            coordinator: described.coordinator,
            assignor: described.protocol_data,
            members: described.members.into_iter().map(from_classic_member).collect(),
            group_epoch: None,
            target_assignment_epoch: None,
        })
    }

    async fn describe_classic_group(&self, group: &str) -> Result<ClassicGroupDescription> {
        let make = |_| DescribeGroupsRequest { groups: vec![group.to_owned()], ..Default::default() };
        let (node, response) = self
            .on_coordinator("describeGroups", group, i16::MAX, make, |response| {
                response.groups.first().map_or(ErrorCode::NONE, |group| group.error_code)
            })
            .await?;
        let described = response.groups.into_iter().next().ok_or_else(|| missing(group))?;
        Error::check_with(described.error_code, described.error_message)?;
        let member = |member: DescribedGroupMember| ClassicMember {
            member_id: member.member_id,
            group_instance_id: member.group_instance_id,
            client_id: member.client_id,
            host: member.client_host,
            metadata: member.member_metadata,
            assignment: member.member_assignment,
        };
        Ok(ClassicGroupDescription {
            group_id: described.group_id,
            protocol: described.protocol_type,
            protocol_data: described.protocol_data,
            state: described.group_state,
            coordinator: self.known_broker(node),
            members: described.members.into_iter().map(member).collect(),
        })
    }

    fn known_broker(&self, node: NodeId) -> Option<Broker> {
        self.cluster().metadata().brokers.get(&node).cloned()
    }
}

/// The group may be a classic one: the broker knows no other kind, or this one is not of it.
fn may_be_classic(error: &Error) -> bool {
    matches!(error, Error::UnsupportedVersion(_))
        || error.is(ErrorCode::GROUP_ID_NOT_FOUND)
        || error.is(ErrorCode::UNSUPPORTED_VERSION)
}

fn missing(group: &str) -> Error {
    Error::Protocol(format!("the coordinator's answer does not name the group {group}"))
}

fn partitions(assignment: consumer::Assignment) -> BTreeSet<TopicPartition> {
    let mut set = BTreeSet::new();
    for topic in assignment.topic_partitions {
        let name = |partition: &i32| TopicPartition::new(topic.topic_name.as_str(), *partition);
        set.extend(topic.partitions.iter().map(name));
    }
    set
}

fn from_consumer_member(member: consumer::Member) -> MemberDescription {
    MemberDescription {
        member_id: member.member_id,
        group_instance_id: member.instance_id,
        rack: member.rack_id,
        client_id: member.client_id,
        host: member.client_host,
        assignment: partitions(member.assignment),
        target_assignment: Some(partitions(member.target_assignment)),
        member_epoch: Some(member.member_epoch),
        upgraded: match member.member_type {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
    }
}

fn from_classic_member(member: ClassicMember) -> MemberDescription {
    let assigned = consumer_protocol::decode_assignment(&member.assignment).unwrap_or_default();
    MemberDescription {
        assignment: assigned.partitions.into_iter().collect(),
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        rack: None,
        client_id: member.client_id,
        host: member.host,
        target_assignment: None,
        member_epoch: None,
        upgraded: None,
    }
}
