//! Throttles of moves: on brokers how fast, on topics which replicas.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use client::Admin;
use client::admin::{AlterConfigOp, ConfigResource, PartitionReassignment, ResourceType};
use model::{NodeId, TopicPartition};

use super::json::Moves;
use super::verify::touched;
use super::{Assignment, failed, joined, plural};
use crate::Failure;

const LEADER_RATE: &str = "leader.replication.throttled.rate";
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
const LOG_DIR_RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";
const LEADER_REPLICAS: &str = "leader.replication.throttled.replicas";
const FOLLOWER_REPLICAS: &str = "follower.replication.throttled.replicas";

type Changes = BTreeMap<ConfigResource, Vec<AlterConfigOp>>;

fn broker(id: NodeId) -> ConfigResource {
    ConfigResource::new(ResourceType::Broker, id.to_string())
}

async fn apply(admin: &Admin, changes: &Changes) -> Result<(), Failure> {
    let done = admin.incremental_alter_configs(changes, false).await.map_err(failed)?;
    done.into_values().try_for_each(|result| result.map_err(failed))
}

/// Takes the throttles off all brokers and the topics of the moves.
pub(super) async fn clear(admin: &Admin, moves: &Moves, out: &mut dyn Write) -> Result<(), Failure> {
    let (mut brokers, topics) = touched(moves);
    let cluster = admin.describe_cluster(false).await.map_err(failed)?;
    brokers.extend(cluster.nodes.iter().map(|node| node.id));
    writeln!(out, "Clearing broker-level throttles on broker{} {}", plural(brokers.len()), joined(&brokers))?;
    let delete = |keys: &[&str]| keys.iter().map(|key| AlterConfigOp::delete(*key)).collect::<Vec<_>>();
    let rates = |id: NodeId| (broker(id), delete(&[LEADER_RATE, FOLLOWER_RATE, LOG_DIR_RATE]));
    apply(admin, &brokers.into_iter().map(rates).collect()).await?;
    writeln!(out, "Clearing topic-level throttles on topic{} {}", plural(topics.len()), joined(&topics))?;
    let replicas = |name: &str| {
        let resource = ConfigResource::new(ResourceType::Topic, name);
        (resource, delete(&[LEADER_REPLICAS, FOLLOWER_REPLICAS]))
    };
    apply(admin, &topics.into_iter().map(replicas).collect()).await
}

/// A partition's move: from where its records are read, and who reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PartitionMove {
    sources: BTreeSet<NodeId>,
    destinations: BTreeSet<NodeId>,
}

/// Moves that are under way, and those that are asked for. Kafka: `ReassignPartitionsCommand.calculateProposedMoveMap`.
fn all_moves(
    under_way: &BTreeMap<TopicPartition, PartitionReassignment>,
    proposed: &Assignment,
    current: &Assignment,
) -> BTreeMap<TopicPartition, PartitionMove> {
    let mut moves = BTreeMap::new();
    for (name, moving) in under_way {
        let destinations: BTreeSet<_> = moving.adding.iter().copied().collect();
        let sources = moving.replicas.iter().copied().filter(|broker| !destinations.contains(broker));
        moves.insert(name.clone(), PartitionMove { sources: sources.collect(), destinations });
    }
    for (name, replicas) in proposed {
        let now = || current.get(name).into_iter().flatten().copied().collect();
        let sources: BTreeSet<NodeId> = moves.get(name).map_or_else(now, |one| one.sources.clone());
        let destinations = replicas.iter().copied().filter(|broker| !sources.contains(broker)).collect();
        moves.insert(name.clone(), PartitionMove { sources, destinations });
    }
    moves
}

/// Throttles moves between brokers at `rate` bytes/s.
pub(super) async fn set_between_brokers(
    admin: &Admin,
    under_way: &BTreeMap<TopicPartition, PartitionReassignment>,
    proposed: &Assignment,
    current: &Assignment,
    rate: i64,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let moves = all_moves(under_way, proposed, current);
    apply(admin, &of_topics(&moves)).await?;
    let brokers: BTreeSet<NodeId> =
        moves.values().flat_map(|one| one.sources.union(&one.destinations)).copied().collect();
    let rates = |id: NodeId| {
        let set = |key: &str| AlterConfigOp::set(key, rate.to_string());
        (broker(id), vec![set(LEADER_RATE), set(FOLLOWER_RATE)])
    };
    apply(admin, &brokers.into_iter().map(rates).collect()).await?;
    Ok(writeln!(out, "The inter-broker throttle limit was set to {rate} B/s")?)
}

/// For each topic, the replicas that are throttled as `partition:broker`.
fn of_topics(moves: &BTreeMap<TopicPartition, PartitionMove>) -> Changes {
    let mut topics: BTreeMap<&str, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for (name, one) in moves {
        let replica = |broker: &NodeId| format!("{}:{broker}", name.partition);
        let (leaders, followers) = topics.entry(&name.topic).or_default();
        leaders.extend(one.sources.iter().map(replica));
        followers.extend(one.destinations.iter().map(replica));
    }
    let change = |(name, (leaders, followers)): (&str, (BTreeSet<String>, BTreeSet<String>))| {
        let set = |key: &str, replicas: BTreeSet<String>| AlterConfigOp::set(key, joined(replicas));
        let resource = ConfigResource::new(ResourceType::Topic, name);
        (resource, vec![set(LEADER_REPLICAS, leaders), set(FOLLOWER_REPLICAS, followers)])
    };
    topics.into_iter().map(change).collect()
}

/// Throttles moves between the directories of brokers at `rate` bytes/s.
pub(super) async fn set_between_log_dirs(
    admin: &Admin,
    brokers: BTreeSet<NodeId>,
    rate: i64,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let change = |id: NodeId| (broker(id), vec![AlterConfigOp::set(LOG_DIR_RATE, rate.to_string())]);
    apply(admin, &brokers.into_iter().map(change).collect()).await?;
    Ok(writeln!(out, "The replica-alter-dir throttle limit was set to {rate} B/s")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(ids: &[i32]) -> Vec<NodeId> {
        ids.iter().copied().map(NodeId).collect()
    }

    #[test]
    fn leaders_are_throttled_where_records_come_from_and_followers_where_they_go() {
        let (a, b) = (TopicPartition::new("t", 0), TopicPartition::new("t", 1));
        let under_way = BTreeMap::from([(
            b,
            PartitionReassignment { replicas: nodes(&[4, 5]), adding: nodes(&[5]), removing: nodes(&[4]) },
        )]);
        let proposed = Assignment::from([(a.clone(), nodes(&[2, 3]))]);
        let current = Assignment::from([(a, nodes(&[1, 2]))]);
        let changes = of_topics(&all_moves(&under_way, &proposed, &current));
        let expected = vec![
            AlterConfigOp::set(LEADER_REPLICAS, "0:1,0:2,1:4"),
            AlterConfigOp::set(FOLLOWER_REPLICAS, "0:3,1:5"),
        ];
        assert_eq!(changes.into_values().collect::<Vec<_>>(), [expected]);
    }
}
