//! Plays a transcript: blocks of commands, `----`, and what then happens.
//!
//! ```text
//! join ann protocols=range(t)      a JoinGroup of client ann, at the newest version unless version=N is given
//! ----
//! ann: MEMBER_ID_REQUIRED member=ann-1
//! + group g, generation 0, empty   a record that is appended
//! ```
//! The group is `g` unless group=NAME is given. A line that begins with `#` is a remark.

pub(super) mod consumer;
mod share;
mod streams;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use model::{ProducerEpoch, ProducerId, Uuid};
use protocol::join_group_request::JoinGroupRequestProtocol;
use protocol::leave_group_request::MemberIdentity;
use protocol::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use protocol::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use protocol::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use protocol::sync_group_request::SyncGroupRequestAssignment;
use protocol::txn_offset_commit_request::{TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic};
use protocol::{
    ErrorCode, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest,
    OffsetDeleteRequest, SyncGroupRequest, TxnOffsetCommitRequest,
};

use super::scene::{Happened, Scene};
use crate::group::{
    DeletedTopic, GroupCoordinatorConfig, GroupRecord, GroupRequest, GroupResponse, MigrationPolicy,
    Producer, RequestContext,
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
        }
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
            GroupRequest::Join(command.context(scene.fresh), join(group, command))
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
        "sync" => GroupRequest::Sync(sync(group, command)),
        "heartbeat" => GroupRequest::Heartbeat(HeartbeatRequest {
            group_id: group,
            generation_id: command.number("generation", 1),
            member_id: command.text("member", ""),
            group_instance_id: command.option("instance"),
            ..Default::default()
        }),
        "leave" => GroupRequest::Leave(leave(group, command)),
        "describe" => GroupRequest::Describe(command.number("version", 6), vec![group]),
        "list" => GroupRequest::List(ListGroupsRequest {
            states_filter: command.option("states").map(|states| list(&states)).unwrap_or_default(),
            types_filter: command.option("types").map(|types| list(&types)).unwrap_or_default(),
            ..Default::default()
        }),
        "delete" => GroupRequest::Delete(list(&group)),
        "commit" => GroupRequest::OffsetCommit(command.context(0), commit(group, command)),
        "txn-commit" => GroupRequest::TxnOffsetCommit(txn_commit(group, command)),
        "end-txn" => GroupRequest::EndTransaction {
            producer: producer(command),
            coordinator_epoch: 0,
            commit: command.word(2) == "commit",
        },
        "fetch" => GroupRequest::OffsetFetch {
            group: fetch(group, command),
            require_stable: command.option("stable").is_some(),
        },
        "delete-offsets" => GroupRequest::OffsetDelete(delete_offsets(group, command)),
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

fn join(group_id: String, command: &Command<'_>) -> JoinGroupRequest {
    let protocols = command.text("protocols", "range(t)");
    JoinGroupRequest {
        group_id,
        session_timeout_ms: command.millis("session", 10_000),
        rebalance_timeout_ms: command.millis("rebalance", 60_000),
        member_id: command.text("member", ""),
        group_instance_id: command.option("instance"),
        protocol_type: command.text("type", "consumer"),
        protocols: protocols.split(';').filter(|protocol| !protocol.is_empty()).map(join_protocol).collect(),
        ..Default::default()
    }
}

/// Reads `range(t1,t2)` as an assignor with a consumer's subscription, `range` as one with metadata that is none.
fn join_protocol(text: &str) -> JoinGroupRequestProtocol {
    let (name, topics) = match text.split_once('(') {
        Some((name, topics)) => (name, Some(topics.trim_end_matches(')'))),
        None => (text, None),
    };
    let metadata =
        topics.map(|topics| subscription(&list(topics))).unwrap_or_else(|| Bytes::from_static(b"?"));
    JoinGroupRequestProtocol { name: name.into(), metadata, ..Default::default() }
}

fn subscription(topics: &[String]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(3);
    out.put_i32(i32::try_from(topics.len()).expect("few topics"));
    for topic in topics {
        out.put_i16(i16::try_from(topic.len()).expect("a short name"));
        out.extend_from_slice(topic.as_bytes());
    }
    out.put_i32(-1);
    // No owned partitions, no generation, no rack.
    out.put_i32(0);
    out.put_i32(-1);
    out.put_i16(-1);
    out.freeze()
}

fn sync(group_id: String, command: &Command<'_>) -> SyncGroupRequest {
    let assign = |text: &&str| {
        let (member, assignment) = text.split_once('@')?;
        Some(SyncGroupRequestAssignment {
            member_id: member.into(),
            assignment: Bytes::copy_from_slice(assignment.as_bytes()),
            ..Default::default()
        })
    };
    SyncGroupRequest {
        group_id,
        generation_id: command.number("generation", 1),
        member_id: command.text("member", ""),
        group_instance_id: command.option("instance"),
        protocol_type: command.option("type"),
        protocol_name: command.option("protocol"),
        assignments: command.words.iter().filter_map(assign).collect(),
        ..Default::default()
    }
}

fn leave(group_id: String, command: &Command<'_>) -> LeaveGroupRequest {
    let members = command.option("member").unwrap_or_default();
    let identity = |member_id: &str| MemberIdentity {
        member_id: member_id.into(),
        group_instance_id: command.option("instance"),
        ..Default::default()
    };
    LeaveGroupRequest { group_id, members: members.split(',').map(identity).collect(), ..Default::default() }
}

/// Reads `t-0@5` as partition 0 of t at offset 5.
fn offset(text: &str) -> Option<(&str, i32, i64)> {
    let (partition, offset) = text.split_once('@')?;
    let (topic, partition) = partition.rsplit_once('-')?;
    Some((topic, partition.parse().ok()?, offset.parse().ok()?))
}

/// Reads `t-0` as partition 0 of t.
fn partition(text: &str) -> Option<(&str, i32)> {
    let (topic, partition) = text.rsplit_once('-')?;
    Some((topic, partition.parse().ok()?))
}

fn commit(group_id: String, command: &Command<'_>) -> OffsetCommitRequest {
    let topics =
        command.words.iter().filter_map(|word| offset(word)).map(|(topic, partition, committed_offset)| {
            let partition = OffsetCommitRequestPartition {
                partition_index: partition,
                committed_offset,
                committed_metadata: command.option("metadata"),
                ..Default::default()
            };
            OffsetCommitRequestTopic {
                name: topic.into(),
                topic_id: topic_id(command),
                partitions: vec![partition],
                ..Default::default()
            }
        });
    OffsetCommitRequest {
        group_id,
        generation_id_or_member_epoch: command.number("generation", -1),
        member_id: command.text("member", ""),
        group_instance_id: command.option("instance"),
        retention_time_ms: i64::from(command.millis("retention", -1)),
        topics: topics.collect(),
        ..Default::default()
    }
}

fn txn_commit(group_id: String, command: &Command<'_>) -> TxnOffsetCommitRequest {
    let topics =
        command.words.iter().filter_map(|word| offset(word)).map(|(topic, partition, committed_offset)| {
            let partition = TxnOffsetCommitRequestPartition {
                partition_index: partition,
                committed_offset,
                ..Default::default()
            };
            TxnOffsetCommitRequestTopic {
                name: topic.into(),
                partitions: vec![partition],
                ..Default::default()
            }
        });
    TxnOffsetCommitRequest {
        transactional_id: "t".into(),
        group_id,
        producer_id: command.number("producer", 1),
        generation_id_or_member_epoch: command.number("generation", -1),
        member_id: command.text("member", ""),
        topics: topics.collect(),
        ..Default::default()
    }
}

fn fetch(group_id: String, command: &Command<'_>) -> OffsetFetchRequestGroup {
    let topics = command.words.iter().skip(2).filter_map(|word| partition(word)).map(|(topic, partition)| {
        OffsetFetchRequestTopics {
            name: topic.into(),
            topic_id: topic_id(command),
            partition_indexes: vec![partition],
            ..Default::default()
        }
    });
    let topics: Vec<_> = topics.collect();
    OffsetFetchRequestGroup {
        group_id,
        topics: Some(topics).filter(|topics| !topics.is_empty()),
        member_id: command.option("member"),
        member_epoch: command.number("epoch", -1),
        ..Default::default()
    }
}

fn delete_offsets(group_id: String, command: &Command<'_>) -> OffsetDeleteRequest {
    let topics = command.words.iter().skip(2).filter_map(|word| partition(word)).map(|(topic, partition)| {
        OffsetDeleteRequestTopic {
            name: topic.into(),
            partitions: vec![OffsetDeleteRequestPartition {
                partition_index: partition,
                ..Default::default()
            }],
            ..Default::default()
        }
    });
    OffsetDeleteRequest { group_id, topics: topics.collect(), ..Default::default() }
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

fn bytes(bytes: &Bytes) -> String {
    if bytes.is_empty() { "nothing".into() } else { String::from_utf8_lossy(bytes).into_owned() }
}

fn show_response(response: &GroupResponse) -> String {
    match response {
        GroupResponse::Join(joined) if joined.error_code != ErrorCode::NONE => {
            format!("{} member={}", joined.error_code.name(), joined.member_id)
        }
        GroupResponse::Join(joined) => {
            let members: Vec<&str> = joined.members.iter().map(|member| member.member_id.as_str()).collect();
            let mut shown = format!(
                "joined generation={} protocol={} leader={} member={}",
                joined.generation_id,
                joined.protocol_name.as_deref().unwrap_or("none"),
                joined.leader,
                joined.member_id
            );
            if !members.is_empty() {
                _ = write!(shown, " members={}", members.join(","));
            }
            if joined.skip_assignment {
                shown.push_str(" skip-assignment");
            }
            shown
        }
        GroupResponse::Sync(synced) if synced.error_code != ErrorCode::NONE => {
            synced.error_code.name().into()
        }
        GroupResponse::Sync(synced) => {
            let assignment = consumer::show_assignment(&synced.assignment);
            format!("assigned {}", assignment.unwrap_or_else(|| bytes(&synced.assignment)))
        }
        GroupResponse::Heartbeat(beat) => beat.error_code.name().into(),
        GroupResponse::Leave(left) => {
            let members = left.members.iter().map(|member| {
                let name = member.group_instance_id.as_deref().unwrap_or(&member.member_id);
                format!("{name} {}", member.error_code.name())
            });
            members.collect::<Vec<_>>().join(", ")
        }
        GroupResponse::Describe(groups) => {
            let shown = groups.iter().map(|group| {
                let members = group.members.iter().map(|member| {
                    let assignment = consumer::show_assignment(&member.member_assignment);
                    let assignment = assignment.unwrap_or_else(|| bytes(&member.member_assignment));
                    format!(" [{} at {} has {assignment}]", member.member_id, member.client_host)
                });
                let members: String = members.collect();
                let message =
                    group.error_message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
                let error = match group.error_code {
                    ErrorCode::NONE => String::new(),
                    error => format!(" {}{message}", error.name()),
                };
                format!(
                    "{} {} type={} protocol={}{members}{error}",
                    group.group_id, group.group_state, group.protocol_type, group.protocol_data
                )
            });
            shown.collect::<Vec<_>>().join("; ")
        }
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
        GroupResponse::OffsetCommit(committed) => {
            let topics = committed.topics.iter().flat_map(|topic| {
                let of = |partition: &protocol::offset_commit_response::OffsetCommitResponsePartition| {
                    format!("{}-{} {}", topic.name, partition.partition_index, partition.error_code.name())
                };
                topic.partitions.iter().map(of).collect::<Vec<_>>()
            });
            topics.collect::<Vec<_>>().join(", ")
        }
        GroupResponse::TxnOffsetCommit(committed) => {
            let topics = committed.topics.iter().flat_map(|topic| {
                let of =
                    |partition: &protocol::txn_offset_commit_response::TxnOffsetCommitResponsePartition| {
                        format!(
                            "{}-{} {}",
                            topic.name,
                            partition.partition_index,
                            partition.error_code.name()
                        )
                    };
                topic.partitions.iter().map(of).collect::<Vec<_>>()
            });
            topics.collect::<Vec<_>>().join(", ")
        }
        GroupResponse::OffsetFetch(fetched) if fetched.error_code != ErrorCode::NONE => {
            fetched.error_code.name().into()
        }
        GroupResponse::OffsetFetch(fetched) => {
            let topics = fetched.topics.iter().flat_map(|topic| {
                let of = |partition: &protocol::offset_fetch_response::OffsetFetchResponsePartitions| {
                    let metadata = partition.metadata.as_deref().unwrap_or("null");
                    let mut shown = format!(
                        "{}-{}@{}",
                        topic.name, partition.partition_index, partition.committed_offset
                    );
                    if partition.error_code != ErrorCode::NONE {
                        _ = write!(shown, " {}", partition.error_code.name());
                    }
                    if !metadata.is_empty() {
                        _ = write!(shown, " \"{metadata}\"");
                    }
                    shown
                };
                topic.partitions.iter().map(of).collect::<Vec<_>>()
            });
            let shown = topics.collect::<Vec<_>>().join(", ");
            if shown.is_empty() { "no offsets".into() } else { shown }
        }
        GroupResponse::OffsetDelete(deleted) if deleted.error_code != ErrorCode::NONE => {
            deleted.error_code.name().into()
        }
        GroupResponse::OffsetDelete(deleted) => {
            let topics = deleted.topics.iter().flat_map(|topic| {
                let of = |partition: &protocol::offset_delete_response::OffsetDeleteResponsePartition| {
                    format!("{}-{} {}", topic.name, partition.partition_index, partition.error_code.name())
                };
                topic.partitions.iter().map(of).collect::<Vec<_>>()
            });
            topics.collect::<Vec<_>>().join(", ")
        }
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
