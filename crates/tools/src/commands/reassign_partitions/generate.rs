//! `kafka-reassign-partitions --generate`: moves that would spread topics over brokers.

use std::collections::BTreeMap;
use std::io::Write;

use client::Admin;
use controller::placement::{UsableBroker, place};
use model::{NodeId, TopicPartition};

use super::execute::replicas;
use super::{Assignment, current, failed, json, log_dirs, read_file, refused};
use crate::Failure;
use crate::options::Options;

pub(super) async fn run(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let brokers = broker_list(options.value("broker-list")?.unwrap_or_default())?;
    let topics = json::topics(&read_file(options, "topics-to-move-json-file")?)?;
    let repeated = json::repeated(&topics);
    if !repeated.is_empty() {
        let names: Vec<_> = repeated.into_iter().cloned().collect();
        return Err(refused(format!(
            "List of topics to reassign contains duplicate entries: [{}]",
            names.join(", ")
        )));
    }
    let now = current(admin, topics.iter().map(String::as_str)).await?;
    let dirs = log_dirs::current(admin, &replicas(&now)).await?;
    let usable = usable(admin, &brokers, !options.has("disable-rack-aware")).await?;
    let proposed = propose(&now, &usable)?;
    writeln!(out, "Current partition replica assignment\n{}\n", json::format(&now, &dirs))?;
    let proposed = json::format(&proposed, &BTreeMap::new());
    Ok(writeln!(out, "Proposed partition reassignment configuration\n{proposed}")?)
}

fn broker_list(text: &str) -> Result<Vec<NodeId>, Failure> {
    let parse = |id: &str| id.parse().map(NodeId).map_err(|_| refused(format!("For input string: \"{id}\"")));
    let brokers: Vec<NodeId> = text.split(',').map(parse).collect::<Result<_, _>>()?;
    let repeated = json::repeated(&brokers);
    if repeated.is_empty() {
        return Ok(brokers);
    }
    let ids: Vec<_> = repeated.into_iter().map(ToString::to_string).collect();
    Err(refused(format!("Broker list contains duplicate entries: [{}]", ids.join(", "))))
}

/// Kafka: `ReassignPartitionsCommand.getBrokerMetadata`.
async fn usable(admin: &Admin, brokers: &[NodeId], by_rack: bool) -> Result<Vec<UsableBroker>, Failure> {
    let cluster = admin.describe_cluster(false).await.map_err(failed)?;
    let found: Vec<_> = cluster
        .nodes
        .into_iter()
        .filter(|node| brokers.contains(&node.id))
        .map(|node| UsableBroker { id: node.id, rack: node.rack.filter(|_| by_rack), fenced: false })
        .collect();
    let rackless = found.iter().filter(|broker| broker.rack.is_none()).count();
    if by_rack && rackless != 0 && rackless != found.len() {
        return Err(refused(
            "Not all brokers have rack information. Add --disable-rack-aware in command line to make replica \
             assignment without rack information.",
        ));
    }
    Ok(found)
}

/// Places each topic anew, with as many replicas as its first partition has.
fn propose(now: &Assignment, usable: &[UsableBroker]) -> Result<Assignment, Failure> {
    let mut topics: BTreeMap<&str, (i32, usize)> = BTreeMap::new();
    for (name, replicas) in now {
        topics.entry(&name.topic).or_insert((0, replicas.len())).0 += 1;
    }
    let mut proposed = Assignment::new();
    for (topic, (partitions, replicas)) in topics {
        let replicas = i16::try_from(replicas).unwrap_or(i16::MAX);
        let placed = place(usable, partitions, replicas, seed()?).map_err(|error| {
            refused(format!(
                "org.apache.kafka.common.errors.InvalidReplicationFactorException: {}",
                error.message.unwrap_or_default()
            ))
        })?;
        for (index, brokers) in (0..).zip(placed) {
            proposed.insert(TopicPartition::new(topic, index), brokers);
        }
    }
    Ok(proposed)
}

fn seed() -> Result<u128, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::message(error.to_string()))?;
    Ok(u128::from_be_bytes(bytes))
}
