//! The groups of one partition: DescribeGroups 0-6, ListGroups 0-5, DeleteGroups 0-3.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::delete_groups_response::DeletableGroupResult;
use protocol::describe_groups_response::DescribedGroup;
use protocol::list_groups_response::ListedGroup;
use protocol::{ErrorCode, ListGroupsRequest};

use super::GroupOutcome;
use super::classic::ClassicGroup;
use super::consumer::ConsumerGroup;
use super::machine::GroupMachine;
use super::share::ShareGroup;
use super::streams::StreamsGroup;

/// Groups by id.
pub(super) type Groups = BTreeMap<Arc<str>, Group>;

/// A group of any kind.
#[derive(Debug)]
pub(super) enum Group {
    /// One of JoinGroup and SyncGroup.
    Classic(ClassicGroup),
    /// One of KIP-848.
    Consumer(ConsumerGroup),
    /// One of KIP-932.
    Share(ShareGroup),
    /// One of KIP-1071.
    Streams(StreamsGroup),
}

impl Group {
    pub(super) fn state(&self) -> &'static str {
        match self {
            Self::Classic(group) => group.state().name(),
            Self::Consumer(group) => group.state().name(),
            Self::Share(group) => group.state(),
            Self::Streams(group) => group.state().name(),
        }
    }

    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Classic(_) => "classic",
            Self::Consumer(_) => "consumer",
            Self::Share(_) => "share",
            Self::Streams(_) => "streams",
        }
    }

    /// Tells whether the group has no members.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Classic(group) => group.is_empty(),
            Self::Consumer(group) => group.is_empty(),
            Self::Share(group) => group.is_empty(),
            Self::Streams(group) => group.is_empty(),
        }
    }

    fn list(&self) -> ListedGroup {
        match self {
            Self::Classic(group) => group.list(),
            Self::Consumer(group) => group.list(),
            Self::Share(group) => group.list(),
            Self::Streams(group) => group.list(),
        }
    }

    fn validate_delete(&self) -> Result<(), ErrorCode> {
        if self.is_empty() { Ok(()) } else { Err(ErrorCode::NON_EMPTY_GROUP) }
    }
}

impl GroupMachine {
    /// Describes groups. From v6 on a group that is not there is an error; before, it is dead.
    pub(super) fn describe(&self, version: i16, ids: Vec<String>) -> Vec<DescribedGroup> {
        let describe = |id: String| match self.groups.get(id.as_str()) {
            Some(Group::Classic(group)) => group.describe(),
            Some(Group::Consumer(_) | Group::Share(_) | Group::Streams(_)) => {
                dead(version, format!("Group {id} is not a classic group."), id)
            }
            None => dead(version, format!("Group {id} not found."), id),
        };
        ids.into_iter().map(describe).collect()
    }

    /// Lists groups, of the states and types that are asked for, if any are; letters' case does not matter.
    pub(super) fn list(&self, request: &ListGroupsRequest) -> Vec<ListedGroup> {
        let passes = |filter: &[String], value: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.trim().eq_ignore_ascii_case(value))
        };
        let wanted = |group: &Group| {
            passes(&request.states_filter, group.state()) && passes(&request.types_filter, group.type_name())
        };
        self.groups.values().filter(|group| wanted(group)).map(Group::list).collect()
    }

    /// Deletes groups without members, with their offsets.
    pub(super) fn delete(&mut self, ids: Vec<String>, out: &mut GroupOutcome) -> Vec<DeletableGroupResult> {
        let delete = |id: String| {
            let error_code = self.delete_one(&id, out).err().unwrap_or(ErrorCode::NONE);
            DeletableGroupResult { group_id: id, error_code, ..Default::default() }
        };
        ids.into_iter().map(delete).collect()
    }

    fn delete_one(&self, id: &str, out: &mut GroupOutcome) -> Result<(), ErrorCode> {
        let group = self.groups.get(id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
        group.validate_delete()?;
        self.offsets.tombstone_all(id, out);
        self.tombstone_group(group, out);
        Ok(())
    }

    /// Writes what removes the group itself.
    pub(super) fn tombstone_group(&self, group: &Group, out: &mut GroupOutcome) {
        match group {
            Group::Classic(group) => out.records.push(group.tombstone()),
            Group::Consumer(group) => out.records.extend(group.tombstones()),
            Group::Share(group) => out.records.extend(group.tombstones()),
            Group::Streams(group) => out.records.extend(group.tombstones()),
        }
    }
}

fn dead(version: i16, message: String, group_id: String) -> DescribedGroup {
    let mut group = DescribedGroup { group_id, group_state: "Dead".into(), ..Default::default() };
    if version >= 6 {
        group.error_code = ErrorCode::GROUP_ID_NOT_FOUND;
        group.error_message = Some(message);
    }
    group
}
