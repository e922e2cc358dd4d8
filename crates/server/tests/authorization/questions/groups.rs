//! What can be asked about groups.

use model::AclOperation::*;
use model::AclResourceType::{Group, Topic};
use protocol::*;

use super::{Question, commit_of, find_coordinator, text};

/// Any group, and those of the classic protocol.
pub(super) fn of_groups() -> Vec<Question> {
    vec![
        ask!([(Read, Group, "group")], GROUP_AUTHORIZATION_FAILED, 9, {
            new!(JoinGroupRequest { group_id: text("group"), session_timeout_ms: 9000, member_id: text("x") })
        }),
        ask!(
            [(Read, Group, "group")],
            GROUP_AUTHORIZATION_FAILED,
            5,
            new!(SyncGroupRequest { group_id: text("group") })
        ),
        ask!(
            [(Read, Group, "group")],
            GROUP_AUTHORIZATION_FAILED,
            4,
            new!(HeartbeatRequest { group_id: text("group") })
        ),
        ask!(
            [(Read, Group, "group")],
            GROUP_AUTHORIZATION_FAILED,
            5,
            new!(LeaveGroupRequest { group_id: text("group") })
        ),
        ask!([(Describe, Group, "group")], GROUP_AUTHORIZATION_FAILED, 5, {
            new!(DescribeGroupsRequest { groups: vec![text("group")] })
        }),
        ask!([(Delete, Group, "group")], GROUP_AUTHORIZATION_FAILED, 2, {
            new!(DeleteGroupsRequest { groups_names: vec![text("group")] })
        }),
        ask!([(Read, Group, "group")], GROUP_AUTHORIZATION_FAILED, 8, commit_of("topic")),
        ask!([(Describe, Group, "group")], GROUP_AUTHORIZATION_FAILED, 8, {
            let group =
                new!(offset_fetch_request::OffsetFetchRequestGroup { group_id: text("group"), topics: None });
            new!(OffsetFetchRequest { groups: vec![group] })
        }),
        ask!(
            [(Delete, Group, "group")],
            GROUP_AUTHORIZATION_FAILED,
            0,
            new!(OffsetDeleteRequest { group_id: text("group") })
        ),
        ask!([(Read, Group, "group")], GROUP_AUTHORIZATION_FAILED, 4, find_coordinator(0, "group")),
    ]
}

/// Groups of the newer protocols.
pub(super) fn of_other_groups() -> Vec<Question> {
    vec![
        ask!([(Read, Group, "group")], GROUP_AUTHORIZATION_FAILED, 1, {
            new!(ConsumerGroupHeartbeatRequest {
                group_id: text("group"),
                member_id: text("m"),
                member_epoch: 5
            })
        }),
        ask!([(Read, Group, "group"), (Describe, Topic, "topic")], GROUP_AUTHORIZATION_FAILED, 1, {
            let subscribed_topic_names = Some(vec![text("topic")]);
            new!(ConsumerGroupHeartbeatRequest {
                group_id: text("group"),
                member_id: text("m"),
                member_epoch: 5,
                subscribed_topic_names: subscribed_topic_names
            })
        }),
        ask!([(Describe, Group, "group")], GROUP_AUTHORIZATION_FAILED, 1, {
            new!(ConsumerGroupDescribeRequest { group_ids: vec![text("group")] })
        }),
        ask!([(Read, Group, "group")], GROUP_AUTHORIZATION_FAILED, 1, {
            new!(ShareGroupHeartbeatRequest {
                group_id: text("group"),
                member_id: text("m"),
                member_epoch: 5
            })
        }),
        ask!([(Describe, Group, "group")], GROUP_AUTHORIZATION_FAILED, 1, {
            new!(ShareGroupDescribeRequest { group_ids: vec![text("group")] })
        }),
        ask!([(Read, Group, "group")], GROUP_AUTHORIZATION_FAILED, 1, {
            new!(ShareFetchRequest {
                group_id: Some(text("group")),
                member_id: Some(text("m")),
                share_session_epoch: 5
            })
        }),
        ask!([(Read, Group, "group")], GROUP_AUTHORIZATION_FAILED, 1, {
            new!(ShareAcknowledgeRequest {
                group_id: Some(text("group")),
                member_id: Some(text("m")),
                share_session_epoch: 5
            })
        }),
        ask!([(Describe, Group, "group")], GROUP_AUTHORIZATION_FAILED, 0, {
            use describe_share_group_offsets_request::DescribeShareGroupOffsetsRequestGroup;
            let group = new!(DescribeShareGroupOffsetsRequestGroup { group_id: text("group"), topics: None });
            new!(DescribeShareGroupOffsetsRequest { groups: vec![group] })
        }),
        ask!([(Read, Group, "group")], GROUP_AUTHORIZATION_FAILED, 0, {
            new!(AlterShareGroupOffsetsRequest { group_id: text("group") })
        }),
        ask!([(Delete, Group, "group")], GROUP_AUTHORIZATION_FAILED, 0, {
            new!(DeleteShareGroupOffsetsRequest { group_id: text("group") })
        }),
        ask!([(Read, Group, "group")], GROUP_AUTHORIZATION_FAILED, 0, {
            new!(StreamsGroupHeartbeatRequest {
                group_id: text("group"),
                member_id: text("m"),
                member_epoch: 5
            })
        }),
        ask!([(Describe, Group, "group")], GROUP_AUTHORIZATION_FAILED, 0, {
            new!(StreamsGroupDescribeRequest { group_ids: vec![text("group")] })
        }),
    ]
}
