//! Describing streams groups. Kafka: `Admin.describeStreamsGroups`.

use std::collections::{BTreeMap, BTreeSet};

use protocol::streams_group_describe_response::{Assignment, Member, Subtopology, TaskIds};
use protocol::{ErrorCode, StreamsGroupDescribeRequest};

use super::Admin;
use crate::cluster::Broker;
use crate::error::{Error, Result};

/// A streams group.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamsGroupDescription {
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
    /// The epoch of its topology.
    pub topology_epoch: i32,
    /// The parts of its topology, in order of their ids.
    pub subtopologies: Vec<StreamsSubtopology>,
    /// Its members.
    pub members: Vec<StreamsMemberDescription>,
}

/// A part of the topology of a streams group.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamsSubtopology {
    /// Its id.
    pub id: String,
    /// The topics that it reads and others write.
    pub source_topics: Vec<String>,
    /// The topics that it reads and the application writes.
    pub repartition_source_topics: Vec<String>,
    /// The topics that keep its state.
    pub state_changelog_topics: Vec<String>,
}

/// A member of a streams group.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamsMemberDescription {
    /// Its id.
    pub member_id: String,
    /// Its epoch.
    pub member_epoch: i32,
    /// Its client id.
    pub client_id: String,
    /// The process that it is a thread of.
    pub process_id: String,
    /// Whether it uses the classic protocol.
    pub is_classic: bool,
    /// What it has.
    pub assignment: StreamsTasks,
    /// What it is to have.
    pub target_assignment: StreamsTasks,
}

/// Tasks by subtopology.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamsTasks {
    /// Those that process records.
    pub active: BTreeMap<String, BTreeSet<i32>>,
    /// Those that keep a copy of the state.
    pub standby: BTreeMap<String, BTreeSet<i32>>,
    /// Those that are to become active once their state is there.
    pub warmup: BTreeMap<String, BTreeSet<i32>>,
}

impl Admin {
    /// Describes streams groups; the result of each is under its id.
    pub async fn describe_streams_groups(
        &self,
        groups: &[String],
    ) -> BTreeMap<String, Result<StreamsGroupDescription>> {
        let mut done = BTreeMap::new();
        for group in groups {
            done.insert(group.clone(), self.describe_streams_group(group).await);
        }
        done
    }

    async fn describe_streams_group(&self, group: &str) -> Result<StreamsGroupDescription> {
        let make =
            |_| StreamsGroupDescribeRequest { group_ids: vec![group.to_owned()], ..Default::default() };
        let (node, response) = self
            .on_coordinator("describeStreamsGroups", group, 0, make, |response| {
                response.groups.first().map_or(ErrorCode::NONE, |group| group.error_code)
            })
            .await?;
        let described = response.groups.into_iter().next().ok_or_else(|| {
            Error::Protocol(format!("the coordinator's answer does not name the group {group}"))
        })?;
        Error::check_with(described.error_code, described.error_message)?;
        let topology = described.topology.unwrap_or_default();
        Ok(StreamsGroupDescription {
            group_id: described.group_id,
            state: described.group_state,
            coordinator: self.cluster().metadata().brokers.get(&node).cloned(),
            group_epoch: described.group_epoch,
            target_assignment_epoch: described.assignment_epoch,
            topology_epoch: topology.epoch,
            subtopologies: topology.subtopologies.into_iter().flatten().map(subtopology).collect(),
            members: described.members.into_iter().map(member).collect(),
        })
    }
}

fn subtopology(told: Subtopology) -> StreamsSubtopology {
    StreamsSubtopology {
        id: told.subtopology_id,
        source_topics: told.source_topics,
        repartition_source_topics: told.repartition_source_topics.into_iter().map(|it| it.name).collect(),
        state_changelog_topics: told.state_changelog_topics.into_iter().map(|it| it.name).collect(),
    }
}

fn member(told: Member) -> StreamsMemberDescription {
    StreamsMemberDescription {
        member_id: told.member_id,
        member_epoch: told.member_epoch,
        client_id: told.client_id,
        process_id: told.process_id,
        is_classic: told.is_classic,
        assignment: tasks(told.assignment),
        target_assignment: tasks(told.target_assignment),
    }
}

fn tasks(told: Assignment) -> StreamsTasks {
    let by_subtopology = |tasks: Vec<TaskIds>| {
        tasks.into_iter().map(|it| (it.subtopology_id, it.partitions.into_iter().collect())).collect()
    };
    StreamsTasks {
        active: by_subtopology(told.active_tasks),
        standby: by_subtopology(told.standby_tasks),
        warmup: by_subtopology(told.warmup_tasks),
    }
}
