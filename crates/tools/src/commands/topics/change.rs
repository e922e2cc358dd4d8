//! Creating topics, giving them partitions, deleting them.

use std::collections::BTreeMap;
use std::io::Write;

use client::Admin;
use client::admin::{CreateTopicsOptions, NewPartitions, NewTopic, TopicName};
use config::{ConfigMap, LogConfig};
use protocol::ErrorCode;

use super::{Ended, existing};
use crate::options::Options;

pub(super) async fn create(admin: &Admin, options: &Options, out: &mut dyn Write) -> Result<(), Ended> {
    let name = options.value("topic")?.unwrap_or_default();
    let partitions = options.number::<i32>("partitions")?;
    let replication = options.number::<i32>("replication-factor")?;
    let assignments =
        options.value("replica-assignment")?.map(parse_assignment).transpose()?.unwrap_or_default();
    let configs = parse_configs(options)?;
    if name.contains(['.', '_']) {
        writeln!(
            out,
            "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could \
             collide. To avoid issues it is best to use either, but not both."
        )?;
    }
    let refused = "The replication factor must be between 1 and 32767 inclusive";
    let replication_factor = match replication.map(i16::try_from).transpose() {
        Ok(factor) if factor.is_none_or(|factor| factor >= 1) => factor,
        _ => return Err(Ended::Failed(refused.into())),
    };
    if partitions.is_some_and(|partitions| partitions < 1) {
        return Err(Ended::Failed("The partitions must be greater than 0".into()));
    }
    let topic = NewTopic { name: name.to_owned(), partitions, replication_factor, assignments, configs };
    let how = CreateTopicsOptions { retry_on_quota_violation: false, ..Default::default() };
    let created = admin.create_topics(&[topic], how).await?;
    for (name, result) in created {
        match result {
            Ok(_) => writeln!(out, "Created topic {name}.")?,
            Err(error) if error.is(ErrorCode::TOPIC_ALREADY_EXISTS) && options.has("if-not-exists") => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Parses the keys of the new topic, and checks them before anything is sent.
fn parse_configs(options: &Options) -> Result<BTreeMap<String, String>, Ended> {
    let malformed = "requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\".";
    let mut configs = ConfigMap::new();
    for pair in options.values("config") {
        let parts: Vec<_> = pair.split('=').map(str::trim).collect();
        let [key, value] = parts[..] else { return Err(Ended::Failed(malformed.into())) };
        configs.insert(key.to_owned(), value.to_owned());
    }
    let empty = ConfigMap::new();
    let checked = LogConfig::validate_names(&configs).and_then(|()| LogConfig::new(&empty, &configs));
    checked.map_err(|error| Ended::Failed(error.to_string()))?;
    Ok(configs)
}

/// Parses `1:2,2:3`: the brokers of each partition. Kafka: `TopicCommand.parseReplicaAssignment`.
fn parse_assignment(text: &str) -> Result<BTreeMap<i32, Vec<i32>>, Ended> {
    let mut assignment: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (index, part) in (0..).zip(text.split(',')) {
        let number = |text: &str| {
            let text = text.trim();
            text.parse::<i32>().map_err(|_| Ended::Failed(format!("For input string: \"{text}\"")))
        };
        let brokers: Vec<i32> = part.split(':').map(number).collect::<Result<_, _>>()?;
        let repeated = brokers.iter().enumerate().find(|(at, broker)| brokers[..*at].contains(broker));
        if let Some((_, broker)) = repeated {
            let text = format!("Partition replica lists may not contain duplicate entries: {broker}");
            return Err(Ended::Failed(text));
        }
        if assignment.get(&0).is_some_and(|first| first.len() != brokers.len()) {
            return Err(Ended::Failed(format!(
                "Partition {index} has different replication factor: {brokers:?}"
            )));
        }
        assignment.insert(index, brokers);
    }
    Ok(assignment)
}

pub(super) async fn alter(admin: &Admin, options: &Options) -> Result<(), Ended> {
    let total = options.number("partitions")?.unwrap_or(-1);
    let assignment = options.value("replica-assignment")?.map(parse_assignment).transpose()?;
    let topics = existing(admin, options).await?;
    let mut changes = BTreeMap::new();
    for (name, described) in admin.describe_topics(&topics).await? {
        let old = described?.partitions.len();
        let new = assignment.as_ref().map(|assignment| assignment.values().skip(old).cloned().collect());
        changes.insert(name, NewPartitions { total, assignments: new });
    }
    if changes.is_empty() {
        return Ok(());
    }
    for result in admin.create_partitions(&changes, false).await?.into_values() {
        result?;
    }
    Ok(())
}

pub(super) async fn delete(admin: &Admin, options: &Options) -> Result<(), Ended> {
    let topics = existing(admin, options).await?;
    if topics.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = topics.into_iter().map(TopicName::Name).collect();
    for result in admin.delete_topics(&names).await?.into_values() {
        result?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        match parse_assignment(text) {
            Err(Ended::Failed(text)) => text,
            _ => panic!("{text} is not refused"),
        }
    }

    #[test]
    fn replicas_chosen_by_hand_are_read_by_partition() {
        let assignment = parse_assignment("1:2, 2:3").ok().expect("valid");
        assert_eq!(assignment, BTreeMap::from([(0, vec![1, 2]), (1, vec![2, 3])]));
        assert_eq!(refusal("1:1"), "Partition replica lists may not contain duplicate entries: 1");
        assert_eq!(refusal("1,1:2"), "Partition 1 has different replication factor: [1, 2]");
    }
}
