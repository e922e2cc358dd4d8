//! `kafka-leader-election`: elects leaders of partitions. Kafka: `LeaderElectionCommand`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use client::admin::ElectionType;
use client::{ConfigMap, Error};
use model::TopicPartition;
use protocol::ErrorCode;
use serde_json::Value;

use crate::Failure;
use crate::options::{Opt, Options, flag, value};
use crate::session::{admin, block_on, client_config, exception, read_file};

const INTRO: &str = "Elects leaders of partitions: the preferred replica, or any that is alive.";

const OPTIONS: &[Opt] = &[
    value("admin.config", "String: config file", "The old name of --command-config."),
    flag("all-topic-partitions", "All partitions that need it."),
    value("bootstrap-server", "String: host:port", "REQUIRED: The brokers to connect to."),
    value("command-config", "String: Config file", "A file with properties of the client."),
    value(
        "election-type",
        "[PREFERRED,UNCLEAN]: election type",
        "REQUIRED: preferred: the first replica, if another leads though it is in sync. unclean: any replica that is \
         alive, if none leads; records may be lost.",
    ),
    value("partition", "Integer: partition id", "The partition of --topic."),
    value(
        "path-to-json-file",
        "String: Path to JSON file",
        "The partitions: {\"partitions\": [{\"topic\": \"foo\", \"partition\": 1}]}",
    ),
    value("topic", "String: topic name", "The topic of --partition."),
];

const SCOPES: [&str; 3] = ["topic", "all-topic-partitions", "path-to-json-file"];
const TIMEOUT_MS: i32 = 30_000;

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse(INTRO, OPTIONS, args)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    check(&options)?;
    let election = election_type(options.value("election-type")?.unwrap_or_default())?;
    let partitions = partitions(&options)?;
    let config = configuration(&options, out)?;
    block_on(async {
        let elected = admin(&config)?.elect_leaders(election, partitions.as_deref()).await;
        show(election, elected.map_err(|error| whole_failure(error, out))?, out)
    })
}

/// Kafka: `LeaderElectionCommandOptions.validate`.
fn check(options: &Options) -> Result<(), Failure> {
    let required = ["bootstrap-server", "election-type"];
    let missing: Vec<_> = required.into_iter().filter(|name| !options.has(name)).collect();
    let refuse = |text: String| Err(Failure::message(text));
    if !missing.is_empty() {
        return refuse(format!("Missing required option(s): {}", missing.join(", ")));
    }
    options.exclude("admin.config", &["command-config"])?;
    if SCOPES.iter().filter(|scope| options.has(scope)).count() != 1 {
        let scopes = SCOPES.join(", ");
        return refuse(format!("One and only one of the following options is required: {scopes}"));
    }
    match (options.has("topic"), options.has("partition")) {
        (true, false) => refuse("Missing required option(s): partition".to_owned()),
        (false, true) => refuse("Option partition is only allowed if topic is used".to_owned()),
        _ => Ok(()),
    }
}

fn election_type(text: &str) -> Result<ElectionType, Failure> {
    match text.to_ascii_lowercase().as_str() {
        "preferred" => Ok(ElectionType::Preferred),
        "unclean" => Ok(ElectionType::Unclean),
        _ => Err(Failure::message(format!("Cannot parse argument '{text}' of option election-type"))),
    }
}

fn configuration(options: &Options, out: &mut dyn Write) -> Result<ConfigMap, Failure> {
    let mut file = options.value("command-config")?;
    if let Some(old) = options.value("admin.config")? {
        writeln!(
            out,
            "Option --admin.config has been deprecated and will be removed in a future version. Use --command-config \
             instead."
        )?;
        file = Some(old);
    }
    let mut config = client_config(file, options.value("bootstrap-server")?)?;
    let mut or_else = |key: &str, value: i32| {
        config.entry(key.to_owned()).or_insert_with(|| value.to_string());
    };
    or_else("default.api.timeout.ms", TIMEOUT_MS);
    or_else("request.timeout.ms", TIMEOUT_MS / 2);
    Ok(config)
}

/// The partitions that are meant; `None` for all.
fn partitions(options: &Options) -> Result<Option<Vec<TopicPartition>>, Failure> {
    if let Some(path) = options.value("path-to-json-file")? {
        let text = read_file(path)?;
        return parse(&text).map(Some);
    }
    let topic = options.value("topic")?;
    let partition = options.number("partition")?;
    Ok(topic.zip(partition).map(|(topic, partition)| vec![TopicPartition::new(topic, partition)]))
}

fn parse(text: &str) -> Result<Vec<TopicPartition>, Failure> {
    let refuse = |text: &str| Failure::message(text);
    let json: Value = serde_json::from_str(text).map_err(|_| refuse("Replica election data is empty"))?;
    let entries = json.get("partitions").and_then(Value::as_array);
    let entries = entries.ok_or_else(|| refuse("Replica election data is missing \"partitions\" field"))?;
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut repeated = Vec::new();
    for entry in entries {
        let topic = entry.get("topic").and_then(Value::as_str);
        let partition = entry.get("partition").and_then(Value::as_i64).and_then(|id| i32::try_from(id).ok());
        let (Some(topic), Some(partition)) = (topic, partition) else {
            return Err(Failure::message(format!("Expected `topic` and `partition` in {entry}")));
        };
        let name = TopicPartition::new(topic, partition);
        if !seen.insert(name.clone()) {
            repeated.push(name.to_string());
        }
        found.push(name);
    }
    if repeated.is_empty() {
        return Ok(found);
    }
    let text = format!("Replica election data contains duplicate partitions: [{}]", repeated.join(", "));
    Err(Failure::message(text))
}

/// Kafka tells of these on standard output too.
fn whole_failure(error: Error, out: &mut dyn Write) -> Failure {
    let text = match &error {
        Error::Timeout(_) => "Timeout waiting for election results",
        error if error.is(ErrorCode::REQUEST_TIMED_OUT) => "Timeout waiting for election results",
        error if error.is(ErrorCode::CLUSTER_AUTHORIZATION_FAILED) => {
            "Not authorized to perform leader election"
        }
        _ => return Failure::message(format!("{}: {error}", exception(&error))),
    };
    match writeln!(out, "{text}") {
        Ok(()) => Failure::message(text),
        Err(error) => error.into(),
    }
}

fn show(
    election: ElectionType,
    elected: BTreeMap<TopicPartition, Result<(), Error>>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let kind = match election {
        ElectionType::Preferred => "PREFERRED",
        ElectionType::Unclean => "UNCLEAN",
    };
    let (mut done, mut needless, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (partition, result) in elected {
        match result {
            Ok(()) => done.push(partition.to_string()),
            Err(error) if error.is(ErrorCode::ELECTION_NOT_NEEDED) => needless.push(partition.to_string()),
            Err(error) => refused.push((partition, error)),
        }
    }
    if !done.is_empty() {
        let names = done.join(", ");
        writeln!(out, "Successfully completed leader election ({kind}) for partitions {names}")?;
    }
    if !needless.is_empty() {
        writeln!(out, "Valid replica already elected for partitions {}", needless.join(", "))?;
    }
    for (partition, error) in &refused {
        let name = exception(error);
        writeln!(
            out,
            "Error completing leader election ({kind}) for partition: {partition}: {name}: {error}"
        )?;
    }
    match refused.len() {
        0 => Ok(()),
        count => Err(Failure::message(format!("{count} replica(s) could not be elected"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        match parse(text) {
            Err(Failure::Message(text, 1)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn partitions_are_read_from_json_and_refused_in_kafkas_words() {
        let found = parse(r#"{"partitions":[{"topic":"a","partition":1}]}"#).expect("valid");
        assert_eq!(found, [TopicPartition::new("a", 1)]);
        assert_eq!(refusal("{}"), "Replica election data is missing \"partitions\" field");
        let twice = r#"{"partitions":[{"topic":"a","partition":1},{"topic":"a","partition":1}]}"#;
        assert_eq!(refusal(twice), "Replica election data contains duplicate partitions: [a-1]");
    }
}
