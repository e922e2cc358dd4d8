//! The files of moves and of topics, and moves as JSON.

use std::collections::{BTreeMap, BTreeSet};

use model::{NodeId, TopicPartition};
use serde_json::{Value, json};

use super::{Assignment, Replica, joined, refused};
use crate::Failure;

/// The directory that leaves it to the broker.
pub(super) const ANY_LOG_DIR: &str = "any";

/// What a file asks for.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// The replicas of each partition, in the order of the file.
    pub(super) partitions: Vec<(TopicPartition, Vec<NodeId>)>,
    /// The directories of those replicas for which there is one.
    pub(super) log_dirs: BTreeMap<Replica, String>,
}

impl Moves {
    /// The replicas of each partition.
    pub(super) fn assignment(&self) -> Assignment {
        self.partitions.iter().cloned().collect()
    }
}

fn parsed(text: &str) -> Result<Value, Failure> {
    let json: Value =
        serde_json::from_str(text).map_err(|_| refused("The input string is not a valid JSON"))?;
    match json.get("version").map_or(Some(1), Value::as_i64) {
        Some(1) => Ok(json),
        _ => Err(refused(format!("Not supported version field value {}", json["version"]))),
    }
}

fn entries<'a>(json: &'a Value, field: &str) -> &'a [Value] {
    json.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(entry: &'a Value, field: &str) -> Result<&'a str, Failure> {
    let value = entry.get(field).and_then(Value::as_str);
    value.ok_or_else(|| refused(format!("Expected a string `{field}` in {entry}")))
}

fn number(value: Option<&Value>, entry: &Value) -> Result<i32, Failure> {
    let number = value.and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok());
    number.ok_or_else(|| refused(format!("Expected numbers in {entry}")))
}

/// Reads a file of topics.
pub(super) fn topics(file: &str) -> Result<Vec<String>, Failure> {
    let json = parsed(file)?;
    entries(&json, "topics").iter().map(|entry| text(entry, "topic").map(str::to_owned)).collect()
}

/// Reads a file of moves. Kafka: `ReassignPartitionsCommand.parsePartitionReassignmentData`.
pub(super) fn moves(file: &str) -> Result<Moves, Failure> {
    let json = parsed(file)?;
    let mut moves = Moves::default();
    for entry in entries(&json, "partitions") {
        let partition = number(entry.get("partition"), entry)?;
        let name = TopicPartition::new(text(entry, "topic")?, partition);
        let replicas = entry.get("replicas").and_then(Value::as_array);
        let replicas = replicas.ok_or_else(|| refused(format!("Expected `replicas` in {entry}")))?;
        let replicas: Vec<NodeId> = replicas
            .iter()
            .map(|replica| number(Some(replica), entry).map(NodeId))
            .collect::<Result<_, _>>()?;
        let dirs = match entry.get("log_dirs").and_then(Value::as_array) {
            None => vec![ANY_LOG_DIR; replicas.len()],
            Some(dirs) => dirs.iter().map(|dir| dir.as_str().unwrap_or_default()).collect(),
        };
        if dirs.len() != replicas.len() {
            let replicas: Vec<_> = replicas.iter().map(ToString::to_string).collect();
            return Err(refused(format!(
                "Size of replicas list [{}] is different from size of log dirs list [{}] for partition {name}",
                replicas.join(", "),
                dirs.join(", ")
            )));
        }
        let named = replicas.iter().zip(dirs).filter(|(_, dir)| *dir != ANY_LOG_DIR);
        moves.log_dirs.extend(named.map(|(broker, dir)| ((*broker, name.clone()), dir.to_owned())));
        moves.partitions.push((name, replicas));
    }
    Ok(moves)
}

/// Refuses moves that cannot be meant. Kafka: `ReassignPartitionsCommand.parseExecuteAssignmentArgs`.
pub(super) fn check(moves: &Moves) -> Result<(), Failure> {
    if moves.partitions.is_empty() {
        return Err(refused("Partition reassignment list cannot be empty"));
    }
    if moves.partitions.iter().any(|(_, replicas)| replicas.is_empty()) {
        return Err(refused("Partition replica list cannot be empty"));
    }
    let repeated = repeated(moves.partitions.iter().map(|(name, _)| name));
    if !repeated.is_empty() {
        let names = joined(repeated);
        return Err(refused(format!("Partition reassignment contains duplicate topic partitions: {names}")));
    }
    let mut bad = Vec::new();
    for (name, replicas) in &moves.partitions {
        let repeated = self::repeated(replicas);
        if !repeated.is_empty() {
            bad.push(format!("{name} contains multiple entries for {}", joined(repeated)));
        }
    }
    if bad.is_empty() {
        return Ok(());
    }
    Err(refused(format!("Partition replica lists may not contain duplicate entries: {}", bad.join(". "))))
}

/// What stands in a list more than once.
pub(super) fn repeated<'a, T: Ord + 'a>(items: impl IntoIterator<Item = &'a T>) -> BTreeSet<&'a T> {
    let mut seen = BTreeSet::new();
    items.into_iter().filter(|item| !seen.insert(*item)).collect()
}

/// Writes an assignment as a file of moves. Kafka: `ReassignPartitionsCommand.formatAsReassignmentJson`.
pub(super) fn format(assignment: &Assignment, log_dirs: &BTreeMap<Replica, String>) -> String {
    let partitions: Vec<_> = assignment
        .iter()
        .map(|(name, replicas)| {
            let dir =
                |broker: &NodeId| log_dirs.get(&(*broker, name.clone())).map_or(ANY_LOG_DIR, String::as_str);
            json!({
                "topic": *name.topic,
                "partition": name.partition,
                "replicas": replicas.iter().map(|broker| broker.0).collect::<Vec<_>>(),
                "log_dirs": replicas.iter().map(dir).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({ "version": 1, "partitions": partitions }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(file: &str) -> String {
        let checked = moves(file).and_then(|moves| check(&moves));
        checked.expect_err("refused").text().to_owned()
    }

    #[test]
    fn moves_are_read_and_written() {
        let file = r#"{"version":1,"partitions":[{"topic":"a","partition":1,"replicas":[2,3],"log_dirs":["any","/x"]}]}"#;
        let moves = moves(file).expect("valid");
        assert_eq!(format(&moves.assignment(), &moves.log_dirs), file);
    }

    #[test]
    fn moves_that_cannot_be_meant_are_refused_in_kafkas_words() {
        for (file, text) in [
            ("{}", "Error: Partition reassignment list cannot be empty"),
            ("{", "Error: The input string is not a valid JSON"),
            (r#"{"version":2}"#, "Error: Not supported version field value 2"),
            (
                r#"{"partitions":[{"topic":"a","partition":0,"replicas":[]}]}"#,
                "Error: Partition replica list cannot be empty",
            ),
            (
                r#"{"partitions":[{"topic":"a","partition":0,"replicas":[1,1]}]}"#,
                "Error: Partition replica lists may not contain duplicate entries: a-0 contains multiple entries for 1",
            ),
            (
                r#"{"partitions":[{"topic":"a","partition":0,"replicas":[1],"log_dirs":[]}]}"#,
                "Error: Size of replicas list [1] is different from size of log dirs list [] for partition a-0",
            ),
        ] {
            assert_eq!(refusal(file), text);
        }
    }
}
