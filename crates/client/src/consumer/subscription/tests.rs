//! Positions: where they come from, and when they are doubted.

use protocol::MetadataResponse;
use protocol::metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic};

use super::*;

fn name() -> TopicPartition {
    TopicPartition::new("t", 0)
}

fn subscriptions(reset: AutoOffsetReset) -> Subscriptions {
    let mut subscriptions = Subscriptions::new(reset);
    subscriptions.want(Wanted::Chosen).expect("nothing was wanted");
    subscriptions.assign([name()]);
    subscriptions
}

fn at(offset: i64, epoch: i32) -> OffsetAndMetadata {
    let leader_epoch = Some(LeaderEpoch(epoch)).filter(|epoch| epoch.0 >= 0);
    OffsetAndMetadata { offset: Offset(offset), leader_epoch, metadata: String::new() }
}

fn leader(epoch: i32) -> LeaderAndEpoch {
    LeaderAndEpoch { leader: Some(NodeId(1)), epoch: LeaderEpoch(epoch) }
}

fn metadata(topics: &[(&str, bool)], epoch: i32) -> ClusterMetadata {
    let topic = |(name, internal): &(&str, bool)| MetadataResponseTopic {
        name: Some((*name).to_owned()),
        is_internal: *internal,
        partitions: vec![MetadataResponsePartition {
            leader_id: 1,
            leader_epoch: epoch,
            ..Default::default()
        }],
        ..Default::default()
    };
    let brokers = vec![MetadataResponseBroker { node_id: 1, ..Default::default() }];
    let response =
        MetadataResponse { brokers, topics: topics.iter().map(topic).collect(), ..Default::default() };
    ClusterMetadata::default().updated(response, false)
}

#[test]
fn ways_of_subscribing_exclude_each_other() {
    let mut subscriptions = subscriptions(AutoOffsetReset::Latest);
    assert!(subscriptions.want(Wanted::Topics(BTreeSet::new())).is_err());
    subscriptions.forget_all();
    assert!(subscriptions.want(Wanted::Topics(BTreeSet::new())).is_ok());
    assert!(subscriptions.want(Wanted::Chosen).is_err());
}

#[test]
fn a_pattern_must_match_a_whole_name_and_leaves_out_internal_topics() {
    let mut subscriptions = Subscriptions::new(AutoOffsetReset::Latest);
    subscriptions
        .want(Wanted::Pattern(Regex::new("a|ab|_.*").expect("a pattern")))
        .expect("nothing was wanted");
    let known = metadata(&[("a", false), ("b", false), ("abc", false), ("_x", true)], 0);
    assert!(subscriptions.match_pattern(&known, true));
    assert_eq!(subscriptions.topics, BTreeSet::from(["a".into()]));
    assert!(!subscriptions.match_pattern(&known, true), "nothing is new");
}

#[test]
fn without_a_committed_offset_the_policy_decides() {
    let now = Instant::now();
    let mut latest = subscriptions(AutoOffsetReset::Latest);
    assert_eq!(latest.unknown(now), [name()]);
    latest.reset_unknown(&[name()]).expect("there is a policy");
    assert_eq!(latest.to_reset(now), [(name(), AutoOffsetReset::Latest)]);
    latest.finish_reset(&name(), AutoOffsetReset::Earliest, Offset(1), None);
    assert!(latest.fetchable(now).is_empty(), "an answer to another question does not count");
    latest.finish_reset(&name(), AutoOffsetReset::Latest, Offset(9), None);
    assert_eq!(latest.fetchable(now)[0].1.offset, Offset(9));
    let mut none = subscriptions(AutoOffsetReset::None);
    assert!(matches!(none.reset_unknown(&[name()]), Err(Error::NoOffsetForPartition(_))));
}

#[test]
fn a_newer_leader_is_asked_whether_the_position_is_in_its_log() {
    let now = Instant::now();
    let mut subscriptions = subscriptions(AutoOffsetReset::Latest);
    subscriptions.seek(&name(), &at(10, -1), leader(3)).expect("it is assigned");
    subscriptions.get_mut(&name()).expect("it is assigned").phase = Phase::Fetch(Position {
        offset: Offset(10),
        epoch: Some(LeaderEpoch(3)),
        checked_in: LeaderEpoch(3),
    });
    subscriptions.check_leaders(&metadata(&[("t", false)], 3));
    assert_eq!(subscriptions.fetchable(now).len(), 1);
    subscriptions.check_leaders(&metadata(&[("t", false)], 4));
    assert!(subscriptions.fetchable(now).is_empty());
    assert!(!subscriptions.partitions[&name()].is_readable(), "what was fetched waits for the answer");
    let (_, asked) = subscriptions.to_validate(now)[0];
    subscriptions
        .finish_validation(&name(), asked, Some(LeaderEpoch(3)), Offset(10))
        .expect("it is in the log");
    assert_eq!(subscriptions.fetchable(now)[0].1.offset, Offset(10));
    assert!(subscriptions.partitions[&name()].is_readable());
}

#[test]
fn a_leader_that_comes_before_the_one_before_has_answered_is_asked_in_its_place() {
    let now = Instant::now();
    let mut subscriptions = subscriptions(AutoOffsetReset::Latest);
    subscriptions.seek(&name(), &at(10, 3), leader(4)).expect("it is assigned");
    let (_, stale) = subscriptions.to_validate(now)[0];
    subscriptions.ask_again(&[name()], now + std::time::Duration::from_secs(30));
    subscriptions.check_leaders(&metadata(&[("t", false)], 5));
    let (_, asked) = subscriptions.to_validate(now)[0];
    assert_eq!(asked.checked_in, LeaderEpoch(5), "it would be refused with the epoch of the leader before");
    subscriptions.finish_validation(&name(), stale, Some(LeaderEpoch(3)), Offset(7)).expect("it is stale");
    assert!(subscriptions.fetchable(now).is_empty());
    subscriptions.finish_validation(&name(), asked, Some(LeaderEpoch(3)), Offset(10)).expect("it is there");
    assert_eq!(subscriptions.fetchable(now)[0].1.offset, Offset(10));
}

#[test]
fn a_position_in_a_topic_that_was_made_anew_is_in_doubt() {
    let now = Instant::now();
    let mut subscriptions = subscriptions(AutoOffsetReset::Latest);
    let position = Position { offset: Offset(10), epoch: Some(LeaderEpoch(3)), checked_in: LeaderEpoch(3) };
    subscriptions.get_mut(&name()).expect("it is assigned").phase = Phase::Fetch(position);
    subscriptions.check_leaders(&metadata(&[("t", false)], 0));
    assert_eq!(subscriptions.to_validate(now).len(), 1);
}

#[test]
fn after_a_truncation_reading_goes_on_where_the_logs_part() {
    let now = Instant::now();
    for reset in [AutoOffsetReset::Latest, AutoOffsetReset::None] {
        let mut subscriptions = subscriptions(reset);
        subscriptions.seek(&name(), &at(10, 3), leader(4)).expect("it is assigned");
        let (_, asked) = subscriptions.to_validate(now)[0];
        let told = subscriptions.finish_validation(&name(), asked, Some(LeaderEpoch(3)), Offset(7));
        if reset == AutoOffsetReset::None {
            assert!(matches!(told, Err(Error::LogTruncation(_))));
            assert!(subscriptions.fetchable(now).is_empty(), "the user has to say where to go on");
            subscriptions.seek(&name(), &at(7, -1), leader(4)).expect("it is assigned");
            assert_eq!(subscriptions.fetchable(now).len(), 1);
        } else {
            told.expect("the policy allows it");
            assert_eq!(subscriptions.fetchable(now)[0].1.offset, Offset(7));
        }
    }
}

#[test]
fn an_answer_about_a_position_that_was_left_does_not_count() {
    let mut subscriptions = subscriptions(AutoOffsetReset::Earliest);
    subscriptions.seek(&name(), &at(10, -1), leader(0)).expect("it is assigned");
    subscriptions.out_of_range(&name(), Offset(5), NodeId(1)).expect("it is another offset");
    assert_eq!(subscriptions.fetchable(Instant::now()).len(), 1);
    subscriptions.out_of_range(&name(), Offset(10), NodeId(1)).expect("there is a policy");
    assert_eq!(subscriptions.to_reset(Instant::now()).len(), 1);
}

#[test]
fn partitions_that_stay_keep_their_positions() {
    let mut subscriptions = subscriptions(AutoOffsetReset::Earliest);
    subscriptions.seek(&name(), &at(10, -1), leader(0)).expect("it is assigned");
    subscriptions.get_mut(&name()).expect("it is assigned").paused = true;
    subscriptions.assign([name(), TopicPartition::new("t", 1)]);
    assert_eq!(subscriptions.consumed()[&name()].offset, Offset(10));
    assert_eq!(subscriptions.paused(), [name()]);
}
