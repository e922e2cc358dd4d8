//! Removing members from a group. Kafka: `Admin.removeMembersFromConsumerGroup`.

use protocol::leave_group_request::MemberIdentity;
use protocol::{ErrorCode, LeaveGroupRequest};

use super::Admin;
use crate::error::{Error, Result};

/// A member to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberToRemove {
    /// A static member, by its `group.instance.id`.
    Instance(String),
    /// Any member, by its id.
    Member(String),
}

impl MemberToRemove {
    fn identity(&self, reason: Option<String>) -> MemberIdentity {
        let (member_id, group_instance_id) = match self {
            Self::Instance(instance) => (String::new(), Some(instance.clone())),
            Self::Member(id) => (id.clone(), None),
        };
        MemberIdentity { member_id, group_instance_id, reason, ..Default::default() }
    }
}

impl Admin {
    /// Removes members; gives the result of each in the order given.
    pub async fn remove_members(
        &self,
        group: &str,
        members: &[MemberToRemove],
        reason: &str,
    ) -> Result<Vec<Result<()>>> {
        let make = |version: i16| {
            let reason = Some(reason.to_owned()).filter(|_| version >= 5);
            LeaveGroupRequest {
                group_id: group.to_owned(),
                members: members.iter().map(|member| member.identity(reason.clone())).collect(),
                ..Default::default()
            }
        };
        let (_, response) = self
            .on_coordinator("removeMembersFromConsumerGroup", group, i16::MAX, make, |response| {
                response.error_code
            })
            .await?;
        Error::check(response.error_code)?;
        let result = |member: &MemberToRemove| {
            let found = response.members.iter().find(|answer| match member {
                MemberToRemove::Instance(instance) => answer.group_instance_id.as_ref() == Some(instance),
                MemberToRemove::Member(id) => answer.member_id == *id,
            });
            Error::check(found.map_or(ErrorCode::UNKNOWN_MEMBER_ID, |member| member.error_code))
        };
        Ok(members.iter().map(result).collect())
    }
}
