//! What transcripts say of streams groups.
//!
//! ```text
//! stream ann epoch=0 topology=0:t;store=s    a heartbeat of a member that joins with a topology of one subtopology, `0`,
//!                                            that reads t and has a store with the changelog s
//! stream ann epoch=2 active=0-0,0-1          one that says what it has; standby=, process=, endpoint=host:1, shutdown=yes
//! describe-streams admin
//! ```
//! Subtopologies are parted by `/`; each has `;sink=`, `;from=topic*count` (repartition topic), `;copartition=0+r0`.

use std::collections::BTreeMap;
use std::fmt::Write;

use protocol::streams_group_describe_response::{Assignment, DescribedGroup};
use protocol::streams_group_heartbeat_request as request;
use protocol::streams_group_heartbeat_response::TaskIds;
use protocol::{ErrorCode, StreamsGroupHeartbeatRequest};

use super::offsets::partition;
use super::{Command, list};
use crate::group::{GroupRequest, StreamsEntry, StreamsHeartbeat};

pub(super) fn heartbeat(group_id: String, fresh: u64, command: &Command<'_>) -> GroupRequest {
    let member_epoch = command.number("epoch", 0);
    let joins = member_epoch == 0;
    let says = joins || command.option("active").is_some() || command.option("standby").is_some();
    let owned = |name| says.then(|| owned_tasks(&command.text(name, "")));
    let endpoint = command.option("endpoint").map(|endpoint| {
        let (host, port) = endpoint.split_once(':').expect("host and port");
        request::Endpoint { host: host.into(), port: port.parse().expect("a port"), ..Default::default() }
    });
    GroupRequest::StreamsHeartbeat(
        command.context(fresh),
        StreamsGroupHeartbeatRequest {
            group_id,
            member_id: command.text("member", command.word(1)),
            member_epoch,
            endpoint_information_epoch: command.number("endpoints", 0),
            rack_id: command.option("rack"),
            rebalance_timeout_ms: command.millis("rebalance", if joins { 60_000 } else { -1 }),
            topology: command.option("topology").map(|text| topology(&text, command)),
            active_tasks: owned("active"),
            standby_tasks: owned("standby"),
            warmup_tasks: owned("warmup"),
            process_id: command.option("process").or_else(|| joins.then(|| command.word(1).to_owned())),
            user_endpoint: endpoint,
            client_tags: joins.then(Vec::new),
            shutdown_application: command.option("shutdown").is_some(),
            ..Default::default()
        },
    )
}

fn owned_tasks(text: &str) -> Vec<request::TaskIds> {
    let mut tasks: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (subtopology, task) in text.split(',').filter_map(partition) {
        tasks.entry(subtopology).or_default().push(task);
    }
    let one = |(subtopology_id, partitions): (&str, Vec<i32>)| request::TaskIds {
        subtopology_id: subtopology_id.into(),
        partitions,
        ..Default::default()
    };
    tasks.into_iter().map(one).collect()
}

fn topology(text: &str, command: &Command<'_>) -> request::Topology {
    let subtopologies = text.split('/').map(subtopology).collect();
    request::Topology { epoch: command.number("topology-epoch", 0), subtopologies, ..Default::default() }
}

fn subtopology(text: &str) -> request::Subtopology {
    let (id, parts) = text.split_once(':').expect("an id and topics");
    let mut subtopology = request::Subtopology { subtopology_id: id.into(), ..Default::default() };
    for part in parts.split(';').filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            None => subtopology.source_topics = list(part),
            Some(("sink", topics)) => subtopology.repartition_sink_topics = list(topics),
            Some(("from", topics)) => {
                subtopology.repartition_source_topics = topics.split(',').map(topic).collect();
            }
            Some(("store", topics)) => {
                subtopology.state_changelog_topics = topics.split(',').map(topic).collect();
            }
            Some(("copartition", indexes)) => {
                let index = |text: &str| text.parse().expect("an index");
                let (repartition, sources): (Vec<&str>, Vec<&str>) =
                    indexes.split('+').partition(|index| index.starts_with('r'));
                subtopology.copartition_groups.push(request::CopartitionGroup {
                    source_topics: sources.into_iter().map(index).collect(),
                    repartition_source_topics: repartition.iter().map(|text| index(&text[1..])).collect(),
                    ..Default::default()
                });
            }
            Some((name, _)) => panic!("no part {name} of a subtopology"),
        }
    }
    subtopology
}

fn topic(text: &str) -> request::TopicInfo {
    let (name, count) = text.split_once('*').unwrap_or((text, "0"));
    let partitions = count.parse().expect("a number");
    request::TopicInfo { name: name.into(), partitions, ..Default::default() }
}

fn tasks<'a>(tasks: impl IntoIterator<Item = (&'a String, &'a Vec<i32>)>) -> String {
    let tasks = tasks.into_iter();
    let shown =
        tasks.flat_map(|(subtopology, tasks)| tasks.iter().map(move |task| format!("{subtopology}-{task}")));
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() { "nothing".into() } else { shown.join(",") }
}

fn answered(answered: &[TaskIds]) -> String {
    tasks(answered.iter().map(|task| (&task.subtopology_id, &task.partitions)))
}

pub(super) fn show_heartbeat(beat: &StreamsHeartbeat) -> String {
    let response = &beat.response;
    if response.error_code != ErrorCode::NONE {
        let message = response.error_message.as_deref().unwrap_or_default();
        return format!("{}: {message}", response.error_code.name());
    }
    let mut shown = format!("{} at {}", response.member_id, response.member_epoch);
    if let (Some(active), Some(standby)) = (&response.active_tasks, &response.standby_tasks) {
        _ = write!(shown, " is to have {}", answered(active));
        if !standby.is_empty() {
            _ = write!(shown, " and as standby {}", answered(standby));
        }
    }
    for status in response.status.iter().flatten() {
        _ = write!(shown, " [{}: {}]", status.status_code, status.status_detail);
    }
    for topic in &beat.missing_topics {
        _ = write!(shown, " (make {} of {})", topic.name, topic.num_partitions);
    }
    if let Some(endpoints) = &response.partitions_by_user_endpoint {
        _ = write!(shown, " endpoints of {}:", response.endpoint_information_epoch);
        for endpoint in endpoints {
            let host = &endpoint.user_endpoint;
            let of = |partitions: &[protocol::streams_group_heartbeat_response::TopicPartition]| {
                tasks(partitions.iter().map(|topic| (&topic.topic, &topic.partitions)))
            };
            let (active, standby) = (of(&endpoint.active_partitions), of(&endpoint.standby_partitions));
            _ = write!(shown, " {}:{} has {active} and {standby}", host.host, host.port);
        }
    }
    shown
}

fn assignment(assignment: &Assignment) -> String {
    let of = |of: &[protocol::streams_group_describe_response::TaskIds]| {
        tasks(of.iter().map(|task| (&task.subtopology_id, &task.partitions)))
    };
    let active = of(&assignment.active_tasks);
    match of(&assignment.standby_tasks).as_str() {
        "nothing" => active,
        standby => format!("{active} and as standby {standby}"),
    }
}

pub(super) fn show_groups(groups: &[DescribedGroup]) -> String {
    let one = |group: &DescribedGroup| {
        if group.error_code != ErrorCode::NONE {
            let message = group.error_message.as_deref().unwrap_or_default();
            return format!("{} {}: {message}", group.group_id, group.error_code.name());
        }
        let topology = group.topology.iter().flat_map(|topology| topology.subtopologies.iter().flatten());
        let topology = topology.map(|subtopology| {
            let topics =
                subtopology.repartition_source_topics.iter().chain(&subtopology.state_changelog_topics);
            let topics = topics.map(|topic| format!(" {}*{}", topic.name, topic.partitions));
            let sources = subtopology.source_topics.join(",");
            format!(" {{{} {sources}{}}}", subtopology.subtopology_id, topics.collect::<String>())
        });
        let members = group.members.iter().map(|member| {
            let (has, target) = (assignment(&member.assignment), assignment(&member.target_assignment));
            format!(
                " [{} in {} at {} has {has} of {target}]",
                member.member_id, member.process_id, member.member_epoch
            )
        });
        format!(
            "{} {} epoch={} assigned={}{}{}",
            group.group_id,
            group.group_state,
            group.group_epoch,
            group.assignment_epoch,
            topology.collect::<String>(),
            members.collect::<String>()
        )
    };
    groups.iter().map(one).collect::<Vec<_>>().join("; ")
}

pub(super) fn show_entry(group: &str, entry: &StreamsEntry) -> String {
    let what = match entry {
        StreamsEntry::Epoch(Some(value)) => {
            let configs = value.last_assignment_configs.iter().flatten();
            let configs: Vec<String> =
                configs.map(|config| format!("{}={}", config.key, config.value)).collect();
            format!(
                "epoch {}, topology {} fits, {}",
                value.epoch,
                value.validated_topology_epoch,
                configs.join(",")
            )
        }
        StreamsEntry::Epoch(None) => "gone".into(),
        StreamsEntry::Topology(Some(value)) => {
            format!("topology {} of {} subtopologies", value.epoch, value.subtopologies.len())
        }
        StreamsEntry::Topology(None) => "topology gone".into(),
        StreamsEntry::Member(member, None) => format!("{member} gone"),
        StreamsEntry::Member(member, Some(value)) => {
            format!("{member} in {} runs topology {}", value.process_id, value.topology_epoch)
        }
        StreamsEntry::TargetEpoch(Some(value)) => format!("target of epoch {}", value.assignment_epoch),
        StreamsEntry::TargetEpoch(None) => "target gone".into(),
        StreamsEntry::Target(member, None) => format!("{member}'s target gone"),
        StreamsEntry::Target(member, Some(value)) => {
            let of = |of: &[protocol::streams_group_target_assignment_member_value::TaskIds]| {
                tasks(of.iter().map(|task| (&task.subtopology_id, &task.partitions)))
            };
            let (active, standby) = (of(&value.active_tasks), of(&value.standby_tasks));
            format!("{member} is to have {active}, as standby {standby}")
        }
        StreamsEntry::Current(member, None) => format!("{member}'s assignment gone"),
        StreamsEntry::Current(member, Some(value)) => {
            let of = |of: &[protocol::streams_group_current_member_assignment_value::TaskIds]| {
                tasks(of.iter().map(|task| (&task.subtopology_id, &task.partitions)))
            };
            let (active, standby) = (of(&value.active_tasks), of(&value.standby_tasks));
            let mut shown = format!("{member} at {} has {active}, as standby {standby}", value.member_epoch);
            let given = value.active_tasks_pending_revocation.iter();
            let given: Vec<_> = given.chain(&value.standby_tasks_pending_revocation).cloned().collect();
            if !given.is_empty() {
                _ = write!(shown, ", gives up {}", of(&given));
            }
            if value.state == 3 {
                shown.push_str(", waits");
            }
            shown
        }
    };
    format!("{group}: {what}")
}
