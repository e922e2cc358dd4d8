//! Describing share groups. Kafka: `Admin.describeShareGroups`.

use std::collections::{BTreeMap, BTreeSet};

use model::TopicPartition;
use protocol::share_group_describe_response::Member;
use protocol::{ErrorCode, ShareGroupDescribeRequest};

use super::Admin;
use crate::cluster::Broker;
use crate::error::{Error, Result};

/// A share group.
#[derive(Clone, Debug, PartialEq)]
pub struct ShareGroupDescription {
    /// Its id.
    pub group_id: String,
    /// Its state, as the broker names it.
    pub state: String,
    /// The broker that coordinates it.
    pub coordinator: Option<Broker>,
    /// Its epoch.
    pub group_epoch: i32,
    /// The epoch of the assignment that members are moved to.
    pub target_assignment_epoch: i32,
    /// Its members.
    pub members: Vec<ShareMemberDescription>,
}

/// A member of a share group.
#[derive(Clone, Debug, PartialEq)]
pub struct ShareMemberDescription {
    /// Its id.
    pub member_id: String,
    /// Its client id.
    pub client_id: String,
    /// The host that it connects from.
    pub host: String,
    /// Its epoch.
    pub member_epoch: i32,
    /// What it has.
    pub assignment: BTreeSet<TopicPartition>,
}

impl Admin {
    /// Describes share groups; the result of each is under its id.
    pub async fn describe_share_groups(
        &self,
        groups: &[String],
    ) -> BTreeMap<String, Result<ShareGroupDescription>> {
        let mut done = BTreeMap::new();
        for group in groups {
            done.insert(group.clone(), self.describe_share_group(group).await);
        }
        done
    }

    async fn describe_share_group(&self, group: &str) -> Result<ShareGroupDescription> {
        let make = |_| ShareGroupDescribeRequest { group_ids: vec![group.to_owned()], ..Default::default() };
        let (node, response) = self
            .on_coordinator("describeShareGroups", group, i16::MAX, make, |response| {
                response.groups.first().map_or(ErrorCode::NONE, |group| group.error_code)
            })
            .await?;
        let described = response.groups.into_iter().next().ok_or_else(|| {
            Error::Protocol(format!("the coordinator's answer does not name the group {group}"))
        })?;
        Error::check_with(described.error_code, described.error_message)?;
        Ok(ShareGroupDescription {
            group_id: described.group_id,
            state: described.group_state,
            coordinator: self.cluster().metadata().brokers.get(&node).cloned(),
            group_epoch: described.group_epoch,
            target_assignment_epoch: described.assignment_epoch,
            members: described.members.into_iter().map(member).collect(),
        })
    }
}

fn member(member: Member) -> ShareMemberDescription {
    let mut assignment = BTreeSet::new();
    for topic in member.assignment.topic_partitions {
        let name = |partition: &i32| TopicPartition::new(topic.topic_name.as_str(), *partition);
        assignment.extend(topic.partitions.iter().map(name));
    }
    ShareMemberDescription {
        member_id: member.member_id,
        client_id: member.client_id,
        host: member.client_host,
        member_epoch: member.member_epoch,
        assignment,
    }
}
