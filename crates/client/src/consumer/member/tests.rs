//! A member's talk with its coordinator, line by line.

use protocol::consumer_group_heartbeat_response::{
    Assignment as WireAssignment, TopicPartitions as WirePartitions,
};

use super::*;

const TOPIC: Uuid = Uuid::from_u128(7);

fn member() -> Member {
    let profile = Profile { group: "g".into(), rebalance_timeout_ms: 300_000, ..Default::default() };
    let mut member = Member::new("m".into(), profile);
    member.want(Interests { topics: ["t".to_owned()].into(), pattern: None });
    member
}

fn answer(epoch: i32, partitions: Option<&[i32]>) -> ConsumerGroupHeartbeatResponse {
    let assignment = partitions.map(|partitions| {
        let topic = WirePartitions { topic_id: TOPIC, partitions: partitions.to_vec(), ..Default::default() };
        let topic_partitions = if partitions.is_empty() { Vec::new() } else { vec![topic] };
        WireAssignment { topic_partitions, ..Default::default() }
    });
    ConsumerGroupHeartbeatResponse {
        member_id: Some("m".into()),
        member_epoch: epoch,
        heartbeat_interval_ms: 5000,
        assignment,
        ..Default::default()
    }
}

fn refusal(code: ErrorCode) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        error_code: code,
        error_message: Some("no".into()),
        ..Default::default()
    }
}

fn owns(partitions: &[i32]) -> Assignment {
    [(TOPIC, partitions.iter().copied().collect())].into()
}

/// A member that owns partitions 0 and 1.
fn stable() -> Member {
    let mut member = member();
    member.heartbeat(1).expect("it can be told");
    member.answered(answer(1, Some(&[0, 1])));
    let (joins, target) = member.to_reconcile().expect("it was given partitions");
    member.reconciled(joins, target);
    member.heartbeat(1).expect("it can be told");
    member.answered(answer(1, None));
    assert_eq!(member.stage(), Stage::Stable);
    member
}

#[test]
fn a_member_that_joins_tells_everything_and_after_that_only_news() {
    let mut member = member();
    assert!(member.is_urgent());
    let first = member.heartbeat(1).expect("it can be told");
    assert_eq!((first.member_epoch, first.rebalance_timeout_ms), (0, 300_000));
    assert_eq!(first.subscribed_topic_names, Some(vec!["t".to_owned()]));
    assert_eq!(first.topic_partitions, Some(Vec::new()));
    assert_eq!(member.answered(answer(1, Some(&[]))), Next::Beat { interval_ms: 5000 });
    assert_eq!(member.stage(), Stage::Stable);
    let second = member.heartbeat(1).expect("it can be told");
    assert_eq!((second.member_epoch, second.rebalance_timeout_ms), (1, -1));
    assert_eq!((second.subscribed_topic_names, second.topic_partitions), (None, None));
}

#[test]
fn what_is_given_is_acknowledged_once_it_is_owned() {
    let mut member = member();
    member.heartbeat(1).expect("it can be told");
    member.answered(answer(1, Some(&[0, 1])));
    assert!(!member.is_urgent(), "the user must poll first");
    let (joins, target) = member.to_reconcile().expect("it was given partitions");
    member.reconciled(joins, target);
    assert!(member.is_urgent());
    let told = member.heartbeat(1).expect("it can be told").topic_partitions.expect("it is news");
    assert_eq!(told[0].partitions, [0, 1]);
    assert_eq!(member.stage(), Stage::Stable);
}

#[test]
fn a_part_can_be_acknowledged_before_the_rest() {
    let mut member = stable();
    member.answered(answer(2, Some(&[1, 2])));
    let (joins, _) = member.to_reconcile().expect("it was given others");
    member.reconciled(joins, owns(&[1]));
    member.heartbeat(1).expect("it can be told");
    assert_eq!(member.stage(), Stage::Reconciling);
}

#[test]
fn a_fenced_member_joins_again_with_its_id_and_without_what_it_had() {
    for code in [ErrorCode::FENCED_MEMBER_EPOCH, ErrorCode::UNKNOWN_MEMBER_ID] {
        let mut member = stable();
        assert_eq!(member.answered(refusal(code)), Next::Stop);
        assert_eq!(member.stage(), Stage::Fenced);
        member.rejoin();
        let again = member.heartbeat(1).expect("it can be told");
        assert_eq!((again.member_id.as_str(), again.member_epoch), ("m", 0));
        assert_eq!(again.topic_partitions, Some(Vec::new()));
        assert!(again.subscribed_topic_names.is_some());
    }
}

#[test]
fn what_was_begun_before_a_fence_is_not_finished_after_it() {
    let mut member = stable();
    member.answered(answer(2, Some(&[0])));
    let (joins, target) = member.to_reconcile().expect("it was given others");
    member.answered(refusal(ErrorCode::FENCED_MEMBER_EPOCH));
    member.rejoin();
    member.reconciled(joins, target);
    assert_eq!((member.stage(), member.owned().len()), (Stage::Joining, 0));
}

#[test]
fn after_a_failure_everything_is_told_again() {
    let mut member = stable();
    assert_eq!(member.answered(refusal(ErrorCode::NOT_COORDINATOR)), Next::Again);
    let again = member.heartbeat(1).expect("it can be told");
    assert!(again.subscribed_topic_names.is_some() && again.topic_partitions.is_some());
    assert_eq!(member.unanswered(Error::Disconnected("gone".into())), Next::Again);
    assert!(member.heartbeat(1).expect("it can be told").topic_partitions.is_some());
}

#[test]
fn a_new_subscription_is_told_at_once() {
    let mut member = stable();
    assert!(!member.is_urgent());
    assert!(member.want(Interests { topics: BTreeSet::new(), pattern: Some("t.*".into()) }));
    assert!(member.is_urgent());
    let told = member.heartbeat(1).expect("it can be told");
    assert_eq!(told.subscribed_topic_regex.as_deref(), Some("t.*"));
    assert_eq!(told.subscribed_topic_names, Some(Vec::new()));
    assert!(member.want(Interests { topics: ["t".to_owned()].into(), pattern: None }));
    let told = member.heartbeat(1).expect("it can be told");
    assert_eq!(told.subscribed_topic_regex.as_deref(), Some(""), "the pattern is taken back");
}

#[test]
fn refusals_that_last_are_told_to_the_user() {
    let mut full = stable();
    assert_eq!(full.answered(refusal(ErrorCode::GROUP_MAX_SIZE_REACHED)), Next::Stop);
    assert!(full.take_failure().is_some_and(|error| error.is(ErrorCode::GROUP_MAX_SIZE_REACHED)));
    let mut old = member_with_pattern();
    assert!(matches!(old.heartbeat(0), Err(Error::UnsupportedVersion(_))));
    let mut none = member();
    assert_eq!(none.unanswered(Error::UnsupportedVersion("The node does not support it".into())), Next::Stop);
    let told = none.take_failure().expect("it is told").to_string();
    assert!(told.starts_with("The cluster does not support the new CONSUMER group protocol."), "{told}");
}

fn member_with_pattern() -> Member {
    let mut member = member();
    member.want(Interests { topics: BTreeSet::new(), pattern: Some("t.*".into()) });
    member
}

#[test]
fn a_static_member_leaves_so_that_it_may_come_back() {
    let mut dynamic = stable();
    assert_eq!(dynamic.farewell().member_epoch, -1);
    let profile = Profile { group: "g".into(), instance: Some("i".into()), ..Default::default() };
    let mut named = Member::new("m".into(), profile);
    let farewell = named.farewell();
    assert_eq!((farewell.member_epoch, farewell.instance_id.as_deref()), (-2, Some("i")));
}
