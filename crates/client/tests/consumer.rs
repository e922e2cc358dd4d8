//! The consumer against a real broker, named by `MONEDULA_TEST_BOOTSTRAP`; skipped without one.

mod broker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::admin::{CreateTopicsOptions, NewPartitions, NewTopic};
use client::consumer::{ListenerFuture, RebalanceListener};
use client::{
    Admin, ConfigMap, Consumer, ConsumerRecord, Error, OffsetAndMetadata, Producer, ProducerRecord,
};
use model::{Offset, Timestamp, TopicPartition};
use protocol::ErrorCode;

use broker::{bootstrap_or_skip, unique};

async fn topic(config: &ConfigMap, partitions: i32) -> String {
    let admin = Admin::from_map(config).expect("a valid configuration");
    let topic = unique("consumer");
    let created = admin
        .create_topics(&[NewTopic::new(&topic).sized(partitions, 1)], CreateTopicsOptions::default())
        .await;
    created.expect("an answer")[&topic].as_ref().expect("the topic is new");
    topic
}

fn with(config: &ConfigMap, pairs: &[(&str, &str)]) -> ConfigMap {
    let mut config = config.clone();
    config.extend(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    config
}

fn consumer(config: &ConfigMap, pairs: &[(&str, &str)]) -> Consumer {
    let config = with(&with(config, &[("auto.offset.reset", "earliest")]), pairs);
    Consumer::from_map(&config).expect("a valid configuration")
}

/// Sends `count` records to `topic`, in turn to its partitions, of every codec.
async fn fill(config: &ConfigMap, topic: &str, partitions: i32, count: i32) {
    for (at, codec) in ["none", "gzip", "snappy", "lz4", "zstd"].into_iter().enumerate() {
        let producer = Producer::from_map(&with(config, &[("compression.type", codec)])).expect("valid");
        let mut deliveries = Vec::new();
        for i in (0..count).filter(|i| i % 5 == at as i32) {
            let record = ProducerRecord::to(topic)
                .partition(i % partitions)
                .timestamp(Timestamp(1000 + i64::from(i)))
                .key(i.to_string())
                .value(vec![b'v'; 100])
                .header("codec", codec);
            deliveries.push(producer.enqueue(record).await.expect("it is taken in"));
        }
        for delivery in deliveries {
            delivery.await.expect("it is written");
        }
        producer.close(Duration::from_secs(10)).await;
    }
}

async fn read(consumer: &mut Consumer, count: usize) -> Vec<ConsumerRecord> {
    let mut records = Vec::new();
    for _ in 0..300 {
        records.extend(consumer.poll(Duration::from_millis(100)).await.expect("a poll"));
        if records.len() >= count {
            return records;
        }
    }
    panic!("{} of {count} records came", records.len());
}

fn keys(records: &[ConsumerRecord]) -> BTreeSet<i32> {
    let key = |record: &ConsumerRecord| {
        let key = record.key.as_ref().expect("it has a key");
        std::str::from_utf8(key).expect("a number").parse().expect("a number")
    };
    records.iter().map(key).collect()
}

#[tokio::test]
async fn everything_that_was_written_is_read_in_order() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 3).await;
    fill(&config, &topic, 3, 3000).await;
    let mut consumer = consumer(&config, &[]);
    let partitions: Vec<TopicPartition> =
        (0..3).map(|index| TopicPartition::new(topic.as_str(), index)).collect();
    consumer.assign(&partitions).await.expect("nothing was subscribed");
    let records = read(&mut consumer, 3000).await;
    assert_eq!(records.len(), 3000);
    assert_eq!(keys(&records).len(), 3000);
    for partition in &partitions {
        let offsets: Vec<i64> = records
            .iter()
            .filter(|r| r.partition == partition.partition)
            .map(|record| record.offset.0)
            .collect();
        assert_eq!(offsets, (0..1000).collect::<Vec<_>>());
        assert_eq!(consumer.known_position(partition), Some(Offset(1000)));
        assert_eq!(consumer.current_lag(partition), Some(0));
    }
    assert!(
        records.iter().all(|record| record.headers[0].key == "codec" && record.headers[0].value.is_some())
    );
    assert!(consumer.poll(Duration::from_millis(50)).await.expect("a poll").is_empty());
}

#[tokio::test]
async fn positions_are_sought_paused_and_looked_up() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 1).await;
    fill(&config, &topic, 1, 100).await;
    let partition = TopicPartition::new(topic.as_str(), 0);
    let one = std::slice::from_ref(&partition);
    let mut consumer = consumer(&config, &[("max.poll.records", "10")]);
    consumer.assign(one).await.expect("nothing was subscribed");
    assert_eq!(consumer.position(&partition).await.expect("a position"), Offset(0));
    consumer.seek(&partition, Offset(95)).expect("it is assigned");
    assert_eq!(read(&mut consumer, 5).await[0].offset, Offset(95));
    consumer.seek_to_beginning(one).expect("it is assigned");
    let first = consumer.poll(Duration::from_secs(10)).await.expect("a poll");
    assert_eq!((first.len(), first.records[0].offset), (10, Offset(0)));
    consumer.pause(one).expect("it is assigned");
    assert!(consumer.poll(Duration::from_millis(200)).await.expect("a poll").is_empty());
    consumer.resume(one).expect("it is assigned");
    assert_eq!(read(&mut consumer, 1).await[0].offset, Offset(10));
    consumer.seek_to_end(one).expect("it is assigned");
    assert_eq!(consumer.position(&partition).await.expect("a position"), Offset(100));
    assert_eq!(consumer.beginning_offsets(one).await.expect("offsets")[&partition], Offset(0));
    assert_eq!(consumer.end_offsets(one).await.expect("offsets")[&partition], Offset(100));
    let at = |time| BTreeMap::from([(partition.clone(), Timestamp(time))]);
    let found =
        consumer.offsets_for_times(&at(1000)).await.expect("offsets")[&partition].expect("there is one");
    assert_eq!((found.offset, found.timestamp), (Offset(0), Timestamp(1000)));
    assert_eq!(consumer.offsets_for_times(&at(9999)).await.expect("offsets")[&partition], None);
    consumer.seek(&partition, Offset(5000)).expect("it is assigned");
    assert_eq!(read(&mut consumer, 1).await[0].offset, Offset(0), "out of range: the policy is earliest");
}

#[tokio::test]
async fn without_a_policy_a_missing_offset_is_an_error() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 1).await;
    let mut consumer = consumer(&config, &[("auto.offset.reset", "none")]);
    consumer.assign(&[TopicPartition::new(topic.as_str(), 0)]).await.expect("nothing was subscribed");
    let error = loop {
        match consumer.poll(Duration::from_millis(100)).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::NoOffsetForPartition(_)), "{error}");
    let none = consumer.subscribe(&["x"]).await.expect_err("there is no group");
    assert!(none.is(ErrorCode::INVALID_GROUP_ID));
}

#[tokio::test]
async fn a_wakeup_ends_a_poll() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 1).await;
    let mut consumer = consumer(&config, &[]);
    consumer.assign(&[TopicPartition::new(topic.as_str(), 0)]).await.expect("nothing was subscribed");
    let waker = consumer.waker();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        waker.wakeup();
    });
    let woken = consumer.poll(Duration::from_secs(60)).await;
    assert!(matches!(woken, Err(Error::Wakeup)));
    assert!(consumer.poll(Duration::from_millis(10)).await.is_ok());
}

/// Counts what the group gives and takes.
#[derive(Clone, Default)]
struct Counter {
    told: Arc<Mutex<(usize, usize)>>,
}

impl RebalanceListener for Counter {
    fn on_partitions_revoked<'a>(
        &'a mut self,
        consumer: &'a mut Consumer,
        names: &'a [TopicPartition],
    ) -> ListenerFuture<'a> {
        Box::pin(async move {
            self.told.lock().expect("no holder panics").1 += names.len();
            consumer.commit_sync().await
        })
    }

    fn on_partitions_assigned<'a>(
        &'a mut self,
        _: &'a mut Consumer,
        names: &'a [TopicPartition],
    ) -> ListenerFuture<'a> {
        Box::pin(async move {
            self.told.lock().expect("no holder panics").0 += names.len();
            Ok(())
        })
    }
}

/// Polls both until they share the partitions as `shares` says.
async fn until_shared(consumers: &mut [Consumer], shares: &[usize]) -> Vec<ConsumerRecord> {
    let mut records = Vec::new();
    for _ in 0..300 {
        for consumer in consumers.iter_mut() {
            records.extend(consumer.poll(Duration::from_millis(50)).await.expect("a poll"));
        }
        let mut now: Vec<usize> = consumers.iter().map(|consumer| consumer.assignment().len()).collect();
        now.sort_unstable();
        if now == shares {
            return records;
        }
    }
    panic!("the group did not come to rest");
}

async fn members_share_and_take_over(config: &ConfigMap, how: &[(&str, &str)], cooperative: bool) {
    let topic = topic(config, 4).await;
    fill(config, &topic, 4, 400).await;
    let group = unique("group");
    let mut pairs = vec![("group.id", group.as_str()), ("enable.auto.commit", "false")];
    pairs.extend(how);
    let counter = Counter::default();
    let mut first = consumer(config, &pairs);
    first.set_rebalance_listener(counter.clone());
    first.subscribe(&[topic.as_str()]).await.expect("a subscription");
    let mut records = read(&mut first, 400).await;
    assert_eq!(first.assignment().len(), 4);
    let mut second = consumer(config, &pairs);
    second.subscribe(&[topic.as_str()]).await.expect("a subscription");
    let mut both = vec![first, second];
    records.extend(until_shared(&mut both, &[2, 2]).await);
    let told = *counter.told.lock().expect("no holder panics");
    assert_eq!(told, if cooperative { (4, 2) } else { (6, 4) }, "{how:?}");
    let second = both.pop().expect("there are two");
    second.close(Duration::from_secs(10)).await.expect("it leaves");
    records.extend(until_shared(&mut both, &[4]).await);
    // What the first had committed when it gave it up is not read again.
    assert_eq!(records.len(), 400, "{how:?}");
    assert_eq!(keys(&records).len(), 400);
    both.pop().expect("there is one").close(Duration::from_secs(10)).await.expect("it leaves");
}

#[tokio::test]
async fn members_of_every_assignor_share_and_take_over() {
    let Some(config) = bootstrap_or_skip() else { return };
    for assignor in ["range", "roundrobin", "sticky", "cooperative-sticky"] {
        let how = [("partition.assignment.strategy", assignor), ("heartbeat.interval.ms", "200")];
        members_share_and_take_over(&config, &how, assignor.contains("cooperative")).await;
    }
}

#[tokio::test]
async fn members_of_the_consumer_protocol_share_and_take_over() {
    let Some(config) = bootstrap_or_skip() else { return };
    for assignor in ["uniform", "range"] {
        let how = [("group.protocol", "consumer"), ("group.remote.assignor", assignor)];
        members_share_and_take_over(&config, &how, true).await;
    }
}

#[tokio::test]
async fn the_coordinator_matches_a_pattern() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 2).await;
    let group = unique("group");
    let mut consumer = consumer(&config, &[("group.id", &group), ("group.protocol", "consumer")]);
    consumer.subscribe_remote_pattern(&format!("{topic}.*")).expect("a subscription");
    let mut consumer = vec![consumer];
    until_shared(&mut consumer, &[2]).await;
    let mut consumer = consumer.pop().expect("there is one");
    consumer.unsubscribe().await;
    consumer.subscribe_remote_pattern("(").expect("it is the coordinator that finds it wrong");
    let refused = loop {
        if let Err(error) = consumer.poll(Duration::from_millis(200)).await {
            break error;
        }
    };
    assert!(refused.is(ErrorCode::INVALID_REGULAR_EXPRESSION), "{refused:?}");
}

#[tokio::test]
async fn an_assignor_that_the_coordinator_does_not_know_is_refused() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 1).await;
    let group = unique("group");
    let how = [("group.id", group.as_str()), ("group.protocol", "consumer"), ("group.remote.assignor", "no")];
    let mut consumer = consumer(&config, &how);
    consumer.subscribe(&[topic.as_str()]).await.expect("a subscription");
    let refused = loop {
        if let Err(error) = consumer.poll(Duration::from_millis(200)).await {
            break error;
        }
    };
    assert!(refused.is(ErrorCode::UNSUPPORTED_ASSIGNOR), "{refused:?}");
}

#[tokio::test]
async fn a_member_commits_with_its_epoch_and_leaves_when_it_closes() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 1).await;
    fill(&config, &topic, 1, 50).await;
    let group = unique("group");
    let how = [("group.id", group.as_str()), ("group.protocol", "consumer")];
    let mut first = consumer(&config, &how);
    first.subscribe(&[topic.as_str()]).await.expect("a subscription");
    read(&mut first, 50).await;
    let metadata = first.group_metadata().expect("a member");
    assert!(metadata.generation > 0 && !metadata.member_id.is_empty(), "{metadata:?}");
    first.commit_sync().await.expect("it is a member");
    first.close(Duration::from_secs(10)).await.expect("it leaves");
    let mut second = consumer(&config, &how);
    second.subscribe(&[topic.as_str()]).await.expect("a subscription");
    let mut second = vec![second];
    // Where the first had not left, this would take until its session ends.
    let since = std::time::Instant::now();
    assert_eq!(until_shared(&mut second, &[1]).await.len(), 0);
    assert!(since.elapsed() < Duration::from_secs(20));
    let partition = TopicPartition::new(topic.as_str(), 0);
    assert_eq!(second[0].position(&partition).await.expect("a position"), Offset(50));
}

#[tokio::test]
async fn a_static_member_of_the_consumer_protocol_comes_back_to_what_it_had() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 2).await;
    let group = unique("group");
    let member = |instance: &str| {
        let how =
            [("group.id", group.as_str()), ("group.protocol", "consumer"), ("group.instance.id", instance)];
        consumer(&config, &how)
    };
    let mut both = vec![member("a"), member("b")];
    for consumer in &mut both {
        consumer.subscribe(&[topic.as_str()]).await.expect("a subscription");
    }
    until_shared(&mut both, &[1, 1]).await;
    let second = both.pop().expect("there are two");
    let had = second.assignment();
    second.close(Duration::from_secs(10)).await.expect("it closes");
    let mut again = member("b");
    again.subscribe(&[topic.as_str()]).await.expect("a subscription");
    both.push(again);
    until_shared(&mut both, &[1, 1]).await;
    assert_eq!(both[1].assignment(), had);
}

#[tokio::test]
async fn a_member_that_closes_while_the_group_waits_for_another_is_gone_at_once() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 2).await;
    let group = unique("group");
    let how = [("group.id", group.as_str()), ("heartbeat.interval.ms", "200")];
    let mut first = vec![consumer(&config, &how)];
    first[0].subscribe(&[topic.as_str()]).await.expect("a subscription");
    until_shared(&mut first, &[2]).await;
    let admin = Admin::from_map(&config).expect("a valid configuration");
    let members = async || {
        let mut described = admin.describe_consumer_groups(std::slice::from_ref(&group)).await;
        described.remove(&group).expect("it was asked for").expect("it is there").members.len()
    };
    let mut second = consumer(&config, &how);
    second.subscribe(&[topic.as_str()]).await.expect("a subscription");
    // The first is not polled, so that the group waits for it until its rebalance timeout.
    while members().await < 2 {
        second.poll(Duration::from_millis(50)).await.expect("a poll");
    }
    second.close(Duration::from_secs(10)).await.expect("it leaves");
    assert_eq!(members().await, 1);
    until_shared(&mut first, &[2]).await;
}

#[tokio::test]
async fn committed_positions_are_resumed() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 1).await;
    fill(&config, &topic, 1, 100).await;
    let partition = TopicPartition::new(topic.as_str(), 0);
    let group = unique("group");
    let pairs = [("group.id", group.as_str()), ("max.poll.records", "30")];
    let mut first = consumer(&config, &pairs);
    first.subscribe(&[topic.as_str()]).await.expect("a subscription");
    assert_eq!(read(&mut first, 30).await.len(), 30);
    first.close(Duration::from_secs(10)).await.expect("it commits and leaves");
    let mut second = consumer(&config, &pairs);
    let committed = second.committed(std::slice::from_ref(&partition)).await.expect("an answer");
    assert_eq!(committed[&partition].as_ref().map(|committed| committed.offset), Some(Offset(30)));
    second.subscribe(&[topic.as_str()]).await.expect("a subscription");
    assert_eq!(read(&mut second, 30).await[0].offset, Offset(30));
    let to = OffsetAndMetadata { offset: Offset(90), metadata: "note".into(), leader_epoch: None };
    let offsets = BTreeMap::from([(partition.clone(), to.clone())]);
    second.commit_offsets_async(offsets).expect("it is a member").await.expect("it is committed");
    let committed = second.committed(std::slice::from_ref(&partition)).await.expect("an answer");
    assert_eq!(committed[&partition].as_ref(), Some(&to));
}

#[tokio::test]
async fn a_pattern_finds_topics_and_partitions_that_come_later() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 1).await;
    let group = unique("group");
    let mut consumer = consumer(&config, &[("group.id", &group), ("metadata.max.age.ms", "300")]);
    let pattern = regex::Regex::new(&format!("{}.*", regex::escape(&topic))).expect("a pattern");
    consumer.subscribe_pattern(pattern).expect("a subscription");
    let mut consumer = vec![consumer];
    until_shared(&mut consumer, &[1]).await;
    let admin = Admin::from_map(&config).expect("a valid configuration");
    let later = format!("{topic}-later");
    admin
        .create_topics(&[NewTopic::new(&later).sized(2, 1)], CreateTopicsOptions::default())
        .await
        .expect("an answer");
    until_shared(&mut consumer, &[3]).await;
    let more = BTreeMap::from([(later, NewPartitions { total: 4, assignments: None })]);
    admin.create_partitions(&more, false).await.expect("an answer");
    until_shared(&mut consumer, &[5]).await;
}

#[tokio::test]
async fn a_static_member_comes_back_to_what_it_had() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 2).await;
    let group = unique("group");
    let member = |instance: &str| {
        consumer(
            &config,
            &[("group.id", &group), ("group.instance.id", instance), ("heartbeat.interval.ms", "200")],
        )
    };
    let mut both = vec![member("a"), member("b")];
    for consumer in &mut both {
        consumer.subscribe(&[topic.as_str()]).await.expect("a subscription");
    }
    until_shared(&mut both, &[1, 1]).await;
    let generation = both[0].group_metadata().expect("a member").generation;
    let second = both.pop().expect("there are two");
    let had = second.assignment();
    second.close(Duration::from_secs(10)).await.expect("it closes");
    let mut again = member("b");
    again.subscribe(&[topic.as_str()]).await.expect("a subscription");
    both.push(again);
    until_shared(&mut both, &[1, 1]).await;
    assert_eq!(both[1].assignment(), had);
    assert_eq!(both[0].group_metadata().expect("a member").generation, generation, "there was no rebalance");
}
