//! `kafka-get-offsets`: offsets of partitions, by time. Kafka: `GetOffsetShell`.

use std::collections::BTreeMap;
use std::io::Write;

use client::admin::OffsetSpec;
use client::config::IsolationLevel;
use client::{Admin, ConfigMap};
use model::{Timestamp, TopicPartition};

use crate::Failure;
use crate::options::{Opt, Options, flag, value};
use crate::session::{TopicFilter, admin, block_on, client_config};

const INTRO: &str = "Tells the offsets of partitions: their ends, or those of a time.";

const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "String: HOST1:PORT1,...,HOST3:PORT3", "REQUIRED: The brokers to connect to."),
    value("command-config", "String: config file", "A file with properties of the client."),
    flag("exclude-internal-topics", "Leave out Kafka's own topics."),
    value("partitions", "String: partition ids", "The partitions, between commas; all, if unset."),
    value(
        "time",
        "String: <timestamp> / -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload",
        "Which offset: an end, or that of the first record at or after a time. (default: latest)",
    ),
    value("topic", "String: topic", "The topics, as a regular expression; all, if unset."),
    value(
        "topic-partitions",
        "String: topic1:1,topic2:0-3,topic3,topic4:5-,topic5:-3",
        "Topics, as regular expressions, each with its partitions: one, or a range whose end does not count.",
    ),
];

/// What partitions of which topics.
struct Rule {
    topics: TopicFilter,
    partitions: Partitions,
}

enum Partitions {
    Some(Vec<i32>),
    Range(i32, i32),
}

impl Partitions {
    fn have(&self, partition: i32) -> bool {
        match self {
            Self::Some(ids) => ids.is_empty() || ids.contains(&partition),
            Self::Range(from, to) => (*from..*to).contains(&partition),
        }
    }
}

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let told = |failure| match failure {
        Failure::Message(text, code) => Failure::Message(format!("Error occurred: {text}"), code),
        other => other,
    };
    let options = Options::parse(INTRO, OPTIONS, args).map_err(told)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    options.require(&["bootstrap-server"])?;
    execute(&options, out).map_err(told)
}

fn execute(options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let by_pair = options.value("topic-partitions")?;
    if by_pair.is_some() && (options.has("topic") || options.has("partitions")) {
        return Err(Failure::message("--topic-partitions cannot be used with --topic or --partitions"));
    }
    let spec = parse_time(options.value_or("time", "latest")?)?;
    let rules = match by_pair {
        Some(text) => text.split(',').map(parse_rule).collect::<Result<_, _>>()?,
        None => vec![Rule {
            topics: TopicFilter::new(options.value_or("topic", ".*")?)?,
            partitions: Partitions::Some(parse_partitions(options.value_or("partitions", "")?)?),
        }],
    };
    let mut config: ConfigMap =
        client_config(options.value("command-config")?, options.value("bootstrap-server")?)?;
    config.insert("client.id".into(), "GetOffsetShell".into());
    let excludes = options.has("exclude-internal-topics");
    let offsets = block_on(async {
        let admin = admin(&config)?;
        fetch(&admin, &rules, spec, excludes).await
    })?;
    for (name, offset) in offsets {
        writeln!(out, "{name}:{offset}")?;
    }
    Ok(())
}

async fn fetch(
    admin: &Admin,
    rules: &[Rule],
    spec: OffsetSpec,
    excludes_internal: bool,
) -> Result<Vec<(String, i64)>, Failure> {
    let failed = crate::session::failed;
    let listed = admin.list_topics(!excludes_internal).await.map_err(failed)?;
    let is_meant = |topic: &str| rules.iter().any(|rule| rule.topics.allows(topic, excludes_internal));
    let names: Vec<String> =
        listed.into_iter().map(|topic| topic.name).filter(|name| is_meant(name)).collect();
    let mut wanted = BTreeMap::new();
    for topic in admin.describe_topics(&names).await.map_err(failed)?.into_values() {
        let topic = topic.map_err(failed)?;
        for info in &topic.partitions {
            let has = |rule: &&Rule| {
                rule.topics.allows(&topic.name, excludes_internal) && rule.partitions.have(info.partition)
            };
            if rules.iter().any(|rule| has(&rule)) {
                wanted.insert(TopicPartition::new(topic.name.as_str(), info.partition), spec);
            }
        }
    }
    if wanted.is_empty() {
        return Err(Failure::message("Could not match any topic-partitions with the specified filters"));
    }
    let mut found = Vec::new();
    for (partition, offset) in admin.list_offsets(&wanted, IsolationLevel::ReadUncommitted).await {
        match offset {
            Ok(offset) if offset.offset.0 >= 0 => {
                found.push((
                    partition.to_string(),
                    format!("{}:{}", partition.topic, partition.partition),
                    offset.offset.0,
                ));
            }
            Ok(_) => {}
            Err(error) => {
                complain!("Skip getting offsets for topic-partition {partition} due to error: {error}");
            }
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, name, offset)| (name, offset)).collect())
}

fn parse_time(text: &str) -> Result<OffsetSpec, Failure> {
    Ok(match text {
        "latest" | "-1" => OffsetSpec::Latest,
        "earliest" | "-2" => OffsetSpec::Earliest,
        "max-timestamp" | "-3" => OffsetSpec::MaxTimestamp,
        "earliest-local" | "-4" => OffsetSpec::EarliestLocal,
        "latest-tiered" | "-5" => OffsetSpec::LatestTiered,
        "earliest-pending-upload" | "-6" => OffsetSpec::EarliestPendingUpload,
        _ => match text.parse() {
            Ok(timestamp) => OffsetSpec::Timestamp(Timestamp(timestamp)),
            Err(_) => {
                return Err(Failure::message(format!(
                    "Malformed time argument {text}. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / \
                     -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified long \
                     format timestamp"
                )));
            }
        },
    })
}

fn parse_partitions(text: &str) -> Result<Vec<i32>, Failure> {
    let refuse = |_| {
        Failure::message(format!(
            "--partitions expects a comma separated list of numeric partition ids, but received: {text}"
        ))
    };
    text.split(',').filter(|part| !part.is_empty()).map(|part| part.parse().map_err(refuse)).collect()
}

/// Parses `topic`, `topic:1`, `topic:1-3`, `topic:1-` or `topic:-3`; the topic may be empty.
fn parse_rule(text: &str) -> Result<Rule, Failure> {
    let refuse = || Failure::message(format!("Invalid rule specification: {text}"));
    let (topic, partitions) = text.split_once(':').map_or((text, None), |(topic, rest)| (topic, Some(rest)));
    let number = |text: &str, default: i32| {
        if text.is_empty() { Ok(default) } else { text.parse::<i32>().map_err(|_| refuse()) }
    };
    let partitions = match partitions.map(|text| text.split_once('-').ok_or(text)) {
        None => Partitions::Some(Vec::new()),
        Some(Ok((from, to))) => Partitions::Range(number(from, 0)?, number(to, i32::MAX)?),
        Some(Err("")) => Partitions::Some(Vec::new()),
        Some(Err(one)) => Partitions::Some(vec![number(one, 0)?]),
    };
    let topics = TopicFilter::new(if topic.is_empty() { ".*" } else { topic })?;
    Ok(Rule { topics, partitions })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_name_one_partition_or_a_range_whose_end_does_not_count() {
        for (text, has, has_not) in [("a:1", 1, 2), ("a:1-3", 2, 3), ("a:1-", 9, 0), (":-3", 2, 3)] {
            let rule = parse_rule(text).expect("valid");
            assert!(rule.topics.allows("a", false));
            assert!(rule.partitions.have(has) && !rule.partitions.have(has_not), "{text}");
        }
        assert!(parse_rule("a:x").is_err());
    }

    #[test]
    fn times_have_names_and_numbers() {
        assert_eq!(parse_time("-2").ok(), Some(OffsetSpec::Earliest));
        assert_eq!(parse_time("17").ok(), Some(OffsetSpec::Timestamp(Timestamp(17))));
        assert!(parse_time("foo").is_err());
    }
}
