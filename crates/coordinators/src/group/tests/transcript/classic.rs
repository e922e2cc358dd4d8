//! The classic protocol in transcripts: members that join, are given their share by a leader, and leave.

use std::fmt::Write;

use bytes::{BufMut, Bytes, BytesMut};
use protocol::describe_groups_response::DescribedGroup;
use protocol::join_group_request::JoinGroupRequestProtocol;
use protocol::leave_group_request::MemberIdentity;
use protocol::sync_group_request::SyncGroupRequestAssignment;
use protocol::{
    ErrorCode, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    SyncGroupRequest, SyncGroupResponse,
};

use super::{Command, consumer, list};

pub(super) fn join(group_id: String, command: &Command<'_>) -> JoinGroupRequest {
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

pub(super) fn sync(group_id: String, command: &Command<'_>) -> SyncGroupRequest {
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

pub(super) fn heartbeat(group_id: String, command: &Command<'_>) -> HeartbeatRequest {
    HeartbeatRequest {
        group_id,
        generation_id: command.number("generation", 1),
        member_id: command.text("member", ""),
        group_instance_id: command.option("instance"),
        ..Default::default()
    }
}

pub(super) fn leave(group_id: String, command: &Command<'_>) -> LeaveGroupRequest {
    let members = command.option("member").unwrap_or_default();
    let identity = |member_id: &str| MemberIdentity {
        member_id: member_id.into(),
        group_instance_id: command.option("instance"),
        ..Default::default()
    };
    LeaveGroupRequest { group_id, members: members.split(',').map(identity).collect(), ..Default::default() }
}

fn bytes(bytes: &Bytes) -> String {
    if bytes.is_empty() { "nothing".into() } else { String::from_utf8_lossy(bytes).into_owned() }
}

pub(super) fn show_joined(joined: &JoinGroupResponse) -> String {
    if joined.error_code != ErrorCode::NONE {
        return format!("{} member={}", joined.error_code.name(), joined.member_id);
    }
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

pub(super) fn show_synced(synced: &SyncGroupResponse) -> String {
    if synced.error_code != ErrorCode::NONE {
        return synced.error_code.name().into();
    }
    let assignment = consumer::show_assignment(&synced.assignment);
    format!("assigned {}", assignment.unwrap_or_else(|| bytes(&synced.assignment)))
}

pub(super) fn show_left(left: &LeaveGroupResponse) -> String {
    let members = left.members.iter().map(|member| {
        let name = member.group_instance_id.as_deref().unwrap_or(&member.member_id);
        format!("{name} {}", member.error_code.name())
    });
    members.collect::<Vec<_>>().join(", ")
}

pub(super) fn show_groups(groups: &[DescribedGroup]) -> String {
    let shown = groups.iter().map(|group| {
        let members = group.members.iter().map(|member| {
            let assignment = consumer::show_assignment(&member.member_assignment);
            let assignment = assignment.unwrap_or_else(|| bytes(&member.member_assignment));
            format!(" [{} at {} has {assignment}]", member.member_id, member.client_host)
        });
        let members: String = members.collect();
        let message = group.error_message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
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
