//! Where queries about a partition are to go: the endpoints of the group's processes, with what each has.
//!
//! Kafka: `EndpointToPartitionsManager`, `StreamsGroup.buildEndpointToPartitions`.

use std::collections::BTreeSet;

use protocol::streams_group_heartbeat_response::{Endpoint, EndpointToPartitions, TopicPartition};

use super::configure::ConfiguredTopology;
use super::group::StreamsGroup;
use super::member::StreamsMember;
use super::tasks::Tasks;
use crate::group::metadata::Metadata;

impl StreamsGroup {
    /// Tells the endpoints of all members, of `updated` in the place of its earlier self. Nothing is told of tasks of a
    /// topology that cannot run yet.
    pub(super) fn endpoints(
        &self,
        updated: &StreamsMember,
        metadata: &Metadata,
    ) -> Vec<EndpointToPartitions> {
        let Some(configured) = &self.configured else { return Vec::new() };
        let others = self.members.values().filter(|member| member.id != updated.id);
        others.chain([updated]).filter_map(|member| endpoint(member, configured, metadata)).collect()
    }
}

fn endpoint(
    member: &StreamsMember,
    configured: &ConfiguredTopology,
    metadata: &Metadata,
) -> Option<EndpointToPartitions> {
    let endpoint = member.user_endpoint.as_ref()?;
    let tasks = member.assigned.tasks();
    Some(EndpointToPartitions {
        user_endpoint: Endpoint { host: endpoint.host.clone(), port: endpoint.port, ..Default::default() },
        active_partitions: partitions(&tasks.active, configured, metadata),
        standby_partitions: partitions(&tasks.standby, configured, metadata),
        ..Default::default()
    })
}

fn partitions(tasks: &Tasks, configured: &ConfiguredTopology, metadata: &Metadata) -> Vec<TopicPartition> {
    let mut partitions = Vec::new();
    for (subtopology, tasks) in tasks {
        let topics = configured.subtopologies.get(subtopology).into_iter().flat_map(|it| it.topics());
        for topic in topics.collect::<BTreeSet<_>>() {
            let count = metadata.topic_id(topic).and_then(|id| metadata.partition_count(id));
            // A topic with fewer partitions than others of its subtopology.
            let most = usize::try_from(count.unwrap_or(0)).unwrap_or(0);
            partitions.push(TopicPartition {
                topic: topic.clone(),
                partitions: tasks.iter().copied().take(most).collect(),
                ..Default::default()
            });
        }
    }
    partitions
}
