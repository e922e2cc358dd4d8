//! Plays a transcript: blocks of commands, `----`, and what then happens.
//!
//! ```text
//! join ann protocols=range(t)      a JoinGroup of client ann, at the newest version unless version=N is given
//! ----
//! ann: MEMBER_ID_REQUIRED member=ann-1
//! + group g, generation 0, empty   a record that is appended
//! ```
//! The group is `g` unless group=NAME is given. A line that begins with `#` is a remark.

mod classic;
pub(super) mod consumer;
mod offsets;
mod share;
mod streams;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use model::{ProducerEpoch, ProducerId, Uuid};
use protocol::ListGroupsRequest;

use super::scene::{Happened, Scene};
use crate::group::{
    DeletedTopic, GroupCoordinatorConfig, GroupRecord, GroupRequest, GroupResponse, MigrationPolicy,
    Producer, RequestContext, TopicGate,
};

/// Plays a transcript and returns it with what really happens.
pub(super) fn play(text: &str) -> String {
    let mut scene = Scene::new(GroupCoordinatorConfig::default());
    let mut played = String::new();
    let mut expected = false;
    let mut shown = String::new();
    for line in text.lines() {
        if line.is_empty() {
            expected = false;
            played.push('\n');
        } else if expected {
            continue;
        } else if line == "----" {
            expected = true;
            _ = write!(played, "----\n{}", std::mem::take(&mut shown));
        } else {
            _ = writeln!(played, "{line}");
            if !line.starts_with('#') {
                shown.push_str(&act(&mut scene, line));
                super::assert_log_tells_all(&scene.log, &scene.machine);
            }
        }
    }
    played
}

struct Command<'a> {
    words: Vec<&'a str>,
    options: BTreeMap<&'a str, &'a str>,
}

impl<'a> Command<'a> {
    fn parse(line: &'a str) -> Self {
        let (options, words): (Vec<&str>, Vec<&str>) =
            line.split_whitespace().partition(|word| word.contains('=') && !word.contains('@'));
        Self { words, options: options.iter().filter_map(|option| option.split_once('=')).collect() }
    }

    fn word(&self, index: usize) -> &'a str {
        self.words.get(index).copied().unwrap_or_default()
    }

    fn text(&self, name: &str, default: &'a str) -> String {
        self.options.get(name).copied().unwrap_or(default).to_owned()
    }

    fn option(&self, name: &str) -> Option<String> {
        self.options.get(name).map(|value| (*value).to_owned())
    }

    fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> T {
        self.options.get(name).map_or(default, |value| value.parse().ok().expect("a number"))
    }

    fn millis(&self, name: &str, default: i32) -> i32 {
        let of = |value: &&str| i32::try_from(duration(value).as_millis()).expect("a short time");
        self.options.get(name).map_or(default, of)
    }

    fn context(&self, fresh: u64) -> RequestContext {
        RequestContext {
            api_version: self.number("version", 9),
            client_id: self.word(1).into(),
            client_host: "/127.0.0.1".into(),
            fresh_id: fresh.to_string(),
            fresh_uuid: Uuid::from_u128(fresh.into()),
            topic_gate: self.option("hidden").map(|names| Arc::new(Hides(names)) as _),
        }
    }
}

/// Keeps these topics secret, whose names stand between commas.
#[derive(Debug)]
struct Hides(String);

impl TopicGate for Hides {
    fn hidden(&self, topics: &BTreeMap<&str, usize>) -> BTreeSet<String> {
        let hidden: BTreeSet<&str> = self.0.split(',').collect();
        topics.keys().filter(|topic| hidden.contains(*topic)).map(|topic| (*topic).to_owned()).collect()
    }
}

fn duration(text: &str) -> Duration {
    let unit = text.find(|c: char| !c.is_ascii_digit()).expect("a unit");
    let count: u64 = text[..unit].parse().expect("a number");
    match &text[unit..] {
        "ms" => Duration::from_millis(count),
        "s" => Duration::from_secs(count),
        "m" => Duration::from_secs(count * 60),
        "h" => Duration::from_secs(count * 3600),
        "d" => Duration::from_secs(count * 24 * 3600),
        unit => panic!("no unit of time: {unit}"),
    }
}

fn act(scene: &mut Scene, line: &str) -> String {
    let command = Command::parse(line);
    let group = command.text("group", "g");
    let happened = match command.word(0) {
        "config" => {
            configure(&mut scene.config, &command);
            *scene = Scene::new(scene.config.clone());
            return String::new();
        }
        "topics" => {
            let (image, request) = consumer::change(&scene.image, &consumer::topics(&command));
            scene.image = image;
            scene.ask("metadata", request);
            return String::new();
        }
        "advance" => scene.advance(duration(command.word(1))),
        "restart" => scene.restart(),
        // Counts from the next restart on.
        "max-size" => {
            scene.config.max_size = command.word(1).parse().expect("a number");
            return String::new();
        }
        name => {
            let request = request(scene, name, group, &command);
            scene.ask(command.word(1), request)
        }
    };
    show(&happened)
}

fn configure(config: &mut GroupCoordinatorConfig, command: &Command<'_>) {
    for (name, value) in &command.options {
        match *name {
            "group.initial.rebalance.delay" => config.initial_rebalance_delay = duration(value),
            "group.max.size" => config.max_size = value.parse().expect("a number"),
            "group.consumer.max.size" => config.consumer_max_size = value.parse().expect("a number"),
            "group.share.max.size" => config.share.max_size = value.parse().expect("a number"),
            "group.streams.max.size" => config.streams_max_size = value.parse().expect("a number"),
            "group.streams.assignment.interval" => config.streams_assignment_interval = duration(value),
            "group.streams.initial.rebalance.delay" => {
                config.streams_initial_rebalance_delay = duration(value)
            }
            "group.streams.num.standby.replicas" => {
                config.streams_num_standby_replicas = value.parse().expect("a number");
            }
            "group.consumer.assignment.interval" => config.consumer_assignment_interval = duration(value),
            "group.consumer.migration.policy" => {
                config.consumer_migration_policy = MigrationPolicy::by_name(value);
            }
            "offset.metadata.max.bytes" => config.offset_metadata_max_size = value.parse().expect("a number"),
            "offsets.retention" => config.offsets_retention = duration(value),
            "offsets.retention.check.interval" => config.offsets_retention_check_interval = duration(value),
            name => panic!("no setting {name}"),
        }
    }
}

fn request(scene: &mut Scene, name: &str, group: String, command: &Command<'_>) -> GroupRequest {
    match name {
        "join" => {
            scene.fresh += 1;
            GroupRequest::Join(command.context(scene.fresh), classic::join(group, command))
        }
        "beat" => {
            scene.fresh += 1;
            consumer::heartbeat(group, scene.fresh, command)
        }
        "stream" => {
            scene.fresh += 1;
            streams::heartbeat(group, scene.fresh, command)
        }
        "describe-streams" => GroupRequest::StreamsDescribe(vec![group]),
        "describe-consumer" => GroupRequest::ConsumerDescribe(vec![group]),
        "sync" => GroupRequest::Sync(classic::sync(group, command)),
        "heartbeat" => GroupRequest::Heartbeat(classic::heartbeat(group, command)),
        "leave" => GroupRequest::Leave(classic::leave(group, command)),
        "describe" => GroupRequest::Describe(command.number("version", 6), vec![group]),
        "list" => GroupRequest::List(ListGroupsRequest {
            states_filter: command.option("states").map(|states| list(&states)).unwrap_or_default(),
            types_filter: command.option("types").map(|types| list(&types)).unwrap_or_default(),
            ..Default::default()
        }),
        "delete" => GroupRequest::Delete(list(&group)),
        "commit" => GroupRequest::OffsetCommit(command.context(0), offsets::commit(group, command)),
        "txn-commit" => GroupRequest::TxnOffsetCommit(offsets::txn_commit(group, command)),
        "end-txn" => GroupRequest::EndTransaction {
            producer: producer(command),
            coordinator_epoch: 0,
            commit: command.word(2) == "commit",
        },
        "fetch" => GroupRequest::OffsetFetch {
            group: offsets::fetch(group, command),
            require_stable: command.option("stable").is_some(),
        },
        "delete-offsets" => GroupRequest::OffsetDelete(offsets::delete_offsets(group, command)),
        "topics-deleted" => GroupRequest::TopicsDeleted(
            command.words[2..]
                .iter()
                .map(|name| DeletedTopic { name: (*name).into(), id: topic_id(command) })
                .collect(),
        ),
        name => match share::request(name, group, command) {
            Some(request) => GroupRequest::Share(request),
            None => panic!("no command {name}"),
        },
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(Into::into).collect()
}

fn topic_id(command: &Command<'_>) -> Uuid {
    Uuid::from_u128(command.number("topic-id", 0))
}

fn producer(command: &Command<'_>) -> Producer {
    Producer { id: ProducerId(command.number("producer", 1)), epoch: ProducerEpoch(0) }
}

fn show(happened: &Happened) -> String {
    let mut shown = String::new();
    for (client, response) in &happened.answers {
        let shown_response = show_response(response);
        _ = writeln!(shown, "{}", format!("{client}: {shown_response}").trim_end());
    }
    for record in &happened.records {
        _ = writeln!(shown, "+ {}", show_record(record));
    }
    shown
}

fn show_response(response: &GroupResponse) -> String {
    match response {
        GroupResponse::Join(joined) => classic::show_joined(joined),
        GroupResponse::Sync(synced) => classic::show_synced(synced),
        GroupResponse::Heartbeat(beat) => beat.error_code.name().into(),
        GroupResponse::Leave(left) => classic::show_left(left),
        GroupResponse::Describe(groups) => classic::show_groups(groups),
        GroupResponse::List(groups) => {
            let shown = groups.iter().map(|group| {
                format!(
                    "{} {} {} {}",
                    group.group_id, group.group_type, group.group_state, group.protocol_type
                )
            });
            shown.map(|group| group.trim_end().to_owned()).collect::<Vec<_>>().join("; ")
        }
        GroupResponse::Delete(results) => {
            let shown =
                results.iter().map(|result| format!("{} {}", result.group_id, result.error_code.name()));
            shown.collect::<Vec<_>>().join(", ")
        }
        GroupResponse::OffsetCommit(committed) => offsets::show_committed(committed),
        GroupResponse::TxnOffsetCommit(committed) => offsets::show_txn_committed(committed),
        GroupResponse::OffsetFetch(fetched) => offsets::show_fetched(fetched),
        GroupResponse::OffsetDelete(deleted) => offsets::show_deleted(deleted),
        GroupResponse::ConsumerHeartbeat(beat) => consumer::show_heartbeat(beat),
        GroupResponse::ConsumerDescribe(groups) => consumer::show_groups(groups),
        GroupResponse::Share(response) => share::show_response(response),
        GroupResponse::StreamsHeartbeat(beat) => streams::show_heartbeat(beat),
        GroupResponse::StreamsDescribe(groups) => streams::show_groups(groups),
        GroupResponse::Done => "done".into(),
    }
}

fn show_record(record: &GroupRecord) -> String {
    match record {
        GroupRecord::Offset { key, value, producer } => {
            let value = match value {
                Some(value) if value.expire_timestamp >= 0 => {
                    format!("@{} until {}", value.offset, value.expire_timestamp)
                }
                Some(value) => format!("@{}", value.offset),
                None => " gone".into(),
            };
            let pending = producer.map(|producer| format!(" pending in {}", producer.id)).unwrap_or_default();
            format!("offset of {}: {}-{}{value}{pending}", key.group, key.topic, key.partition)
        }
        GroupRecord::Group { id, value: None } => format!("group {id} gone"),
        GroupRecord::Group { id, value: Some(value) } => {
            let members: Vec<&str> = value.members.iter().map(|member| member.member_id.as_str()).collect();
            let members = if members.is_empty() { "empty".into() } else { members.join(",") };
            format!("group {id}, generation {}, {members}", value.generation)
        }
        GroupRecord::Consumer { id, entry } => consumer::show_entry(id, entry),
        GroupRecord::Share { id, entry } => share::show_entry(id, entry),
        GroupRecord::Streams { id, entry } => streams::show_entry(id, entry),
        GroupRecord::EndTransaction { producer, commit, .. } => {
            format!("transaction of {} {}", producer.id, if *commit { "committed" } else { "aborted" })
        }
    }
}
