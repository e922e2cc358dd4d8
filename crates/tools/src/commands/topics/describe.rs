//! `kafka-topics --describe`. Kafka: `TopicCommand.TopicService.describeTopic`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use client::Admin;
use client::admin::{
    ConfigEntry, ConfigResource, ConfigSource, PartitionReassignment, ResourceType, TopicDescription,
    TopicPartitionInfo,
};
use model::{NodeId, TopicPartition, Uuid};

use super::{Ended, REPORTS, existing};
use crate::options::Options;

/// What is shown of the topics.
struct Report<'a> {
    options: &'a Options,
    live: BTreeSet<NodeId>,
    reassignments: BTreeMap<TopicPartition, PartitionReassignment>,
}

pub(super) async fn run(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Ended> {
    let topics = find(admin, options).await?;
    if topics.is_empty() {
        return Ok(());
    }
    let mut report = Report { options, live: BTreeSet::new(), reassignments: BTreeMap::new() };
    report.live = admin.brokers().await?.into_iter().map(|broker| broker.id).collect();
    let resource = |topic: &TopicDescription| ConfigResource::new(ResourceType::Topic, topic.name.clone());
    let resources: Vec<_> = topics.iter().map(resource).collect();
    let mut configs = admin.describe_configs(&resources, false, false).await?;
    let partitions: Vec<_> = topics
        .iter()
        .flat_map(|topic| {
            topic.partitions.iter().map(|info| TopicPartition::new(topic.name.as_str(), info.partition))
        })
        .collect();
    report.reassignments = admin.list_partition_reassignments(Some(&partitions)).await.unwrap_or_default();
    for topic in &topics {
        let config = configs.remove(&resource(topic)).unwrap_or_else(|| Ok(Vec::new()))?;
        report.show(topic, &config, out)?;
    }
    Ok(())
}

async fn find(admin: &Admin, options: &Options) -> Result<Vec<TopicDescription>, Ended> {
    let id = options.value("topic-id")?.map(str::parse::<Uuid>).transpose();
    let id = id.map_err(|error| Ended::Failed(error.to_string()))?;
    if let Some(id) = id.filter(|id| *id != Uuid::ZERO) {
        let listed = admin.list_topics(!options.has("exclude-internal")).await?;
        if !listed.iter().any(|topic| topic.id == id) {
            let missing = Err(Ended::Failed(format!("TopicId '{id}' does not exist as expected")));
            return if options.has("if-exists") { Ok(Vec::new()) } else { missing };
        }
        let found = admin.describe_topics_by_id(&[id]).await?;
        return found.into_values().map(|topic| topic.map_err(Ended::from)).collect();
    }
    let names = existing(admin, options).await?;
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let found = admin.describe_topics(&names).await?;
    found.into_values().map(|topic| topic.map_err(Ended::from)).collect()
}

impl Report<'_> {
    fn show(
        &self,
        topic: &TopicDescription,
        config: &[ConfigEntry],
        out: &mut dyn Write,
    ) -> Result<(), Ended> {
        let reports = REPORTS.iter().any(|report| self.options.has(report));
        let only_overridden = self.options.has("topics-with-overrides");
        let set: Vec<_> = config.iter().filter(|entry| entry.source != ConfigSource::DefaultConfig).collect();
        if !reports && (!only_overridden || !set.is_empty()) {
            let pairs: Vec<_> = set
                .iter()
                .map(|entry| format!("{}={}", entry.name, entry.value.as_deref().unwrap_or("null")))
                .collect();
            let id = if topic.id == Uuid::ZERO { String::new() } else { format!("\tTopicId: {}", topic.id) };
            let replicas = topic.partitions.first().map_or(0, |info| self.replication_factor(topic, info));
            writeln!(
                out,
                "Topic: {}{id}\tPartitionCount: {}\tReplicationFactor: {replicas}\tConfigs: {}",
                topic.name,
                topic.partitions.len(),
                pairs.join(",")
            )?;
        }
        if !only_overridden {
            for info in
                topic.partitions.iter().filter(|info| !reports || self.is_reported(topic, info, config))
            {
                self.show_partition(topic, info, out)?;
            }
        }
        Ok(())
    }

    fn reassignment(
        &self,
        topic: &TopicDescription,
        info: &TopicPartitionInfo,
    ) -> Option<&PartitionReassignment> {
        self.reassignments.get(&TopicPartition::new(topic.name.as_str(), info.partition))
    }

    /// The number of replicas, without those that come while the partition moves.
    fn replication_factor(&self, topic: &TopicDescription, info: &TopicPartitionInfo) -> usize {
        match self.reassignment(topic, info) {
            Some(moving)
                if info
                    .replicas
                    .iter()
                    .any(|id| moving.adding.contains(id) || moving.removing.contains(id)) =>
            {
                moving.replicas.len().saturating_sub(moving.adding.len())
            }
            _ => info.replicas.len(),
        }
    }

    fn is_reported(
        &self,
        topic: &TopicDescription,
        info: &TopicPartitionInfo,
        config: &[ConfigEntry],
    ) -> bool {
        let min_isr = config.iter().find(|entry| entry.name == "min.insync.replicas");
        let min_isr: usize = min_isr.and_then(|entry| entry.value.as_deref()?.parse().ok()).unwrap_or(1);
        let is = |report: &str, applies: bool| self.options.has(report) && applies;
        is("under-replicated-partitions", self.replication_factor(topic, info) > info.isr.len())
            || is("unavailable-partitions", info.leader.is_none_or(|leader| !self.live.contains(&leader)))
            || is("under-min-isr-partitions", info.leader.is_none() || info.isr.len() < min_isr)
            || is("at-min-isr-partitions", info.isr.len() == min_isr)
    }

    fn show_partition(
        &self,
        topic: &TopicDescription,
        info: &TopicPartitionInfo,
        out: &mut dyn Write,
    ) -> Result<(), Ended> {
        let list = |ids: &[NodeId]| ids.iter().map(NodeId::to_string).collect::<Vec<_>>().join(",");
        let maybe = |ids: &Option<Vec<NodeId>>| ids.as_deref().map_or_else(|| "N/A".to_owned(), list);
        let leader = info.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string());
        let moving = self.reassignment(topic, info).map_or_else(String::new, |moving| {
            format!(
                "\tAdding Replicas: {}\tRemoving Replicas: {}",
                list(&moving.adding),
                list(&moving.removing)
            )
        });
        Ok(writeln!(
            out,
            "\tTopic: {}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}{moving}\tElr: {}\tLastKnownElr: {}",
            topic.name,
            info.partition,
            list(&info.replicas),
            list(&info.isr),
            maybe(&info.elr),
            maybe(&info.last_known_elr)
        )?)
    }
}
