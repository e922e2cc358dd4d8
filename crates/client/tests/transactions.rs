//! Transactions against a real broker, named by `MONEDULA_TEST_BOOTSTRAP`; skipped without one. To be run at every level
//! of `transaction.version`: what a user sees is the same.

mod broker;

use std::time::Duration;

use client::admin::{CreateTopicsOptions, NewTopic};
use client::consumer::{GroupMetadata, Offsets};
use client::{Admin, ConfigMap, Consumer, Error, OffsetAndMetadata, Producer, ProducerRecord};
use model::{Offset, TopicPartition};
use protocol::ErrorCode;

use broker::{bootstrap_or_skip, eventually, unique};

fn with(config: &ConfigMap, pairs: &[(&str, &str)]) -> ConfigMap {
    let mut config = config.clone();
    config.extend(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    config
}

async fn topic(config: &ConfigMap, partitions: i32, configs: &[(&str, &str)]) -> String {
    let admin = Admin::from_map(config).expect("a valid configuration");
    let topic = unique("transactions");
    let mut new = NewTopic::new(&topic).sized(partitions, 1);
    for (key, value) in configs {
        new = new.config(*key, *value);
    }
    let created = admin.create_topics(&[new], CreateTopicsOptions::default()).await.expect("an answer");
    created[&topic].as_ref().expect("the topic is new");
    topic
}

async fn producer(config: &ConfigMap, id: &str) -> Producer {
    let producer = Producer::from_map(&with(config, &[("transactional.id", id)])).expect("a valid config");
    producer.init_transactions().await.expect("an identity");
    producer
}

async fn put(producer: &Producer, topic: &str, partition: i32, value: &str) {
    let record = ProducerRecord::to(topic).partition(partition).value(value.to_owned());
    drop(producer.enqueue(record).await.expect("it is taken in"));
}

/// Waits until one who reads with `read_committed` sees exactly `values`, and the end of the partition at `end`: markers are
/// written after the answer to a commit.
async fn sees(config: &ConfigMap, topic: &str, partition: i32, values: &[&str], end: i64) {
    eventually(&format!("{values:?} up to {end}"), async || {
        let (seen, at) = read(config, topic, partition, "read_committed").await;
        (seen == values && at == Offset(end)).then_some(())
    })
    .await;
}

/// All values of a partition, as one who reads with `isolation` sees them, and where its position is at the end.
async fn read(config: &ConfigMap, topic: &str, partition: i32, isolation: &str) -> (Vec<String>, Offset) {
    let config = with(config, &[("isolation.level", isolation), ("auto.offset.reset", "earliest")]);
    let mut consumer = Consumer::from_map(&config).expect("a valid configuration");
    let name = TopicPartition::new(topic, partition);
    consumer.assign(std::slice::from_ref(&name)).await.expect("it can be assigned");
    let end = consumer.end_offsets(std::slice::from_ref(&name)).await.expect("an end")[&name];
    let mut values = Vec::new();
    while consumer.known_position(&name).is_none_or(|at| at < end) {
        for record in consumer.poll(Duration::from_millis(200)).await.expect("records") {
            values.push(String::from_utf8_lossy(&record.value.expect("a value")).into_owned());
        }
    }
    (values, end)
}

#[tokio::test]
async fn what_is_committed_is_seen_and_what_is_aborted_is_not() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 2, &[]).await;
    let producer = producer(&config, &unique("tx")).await;
    for (round, commit) in [true, false, true].into_iter().enumerate() {
        producer.begin_transaction().expect("nothing is open");
        for partition in 0..2 {
            put(&producer, &topic, partition, &format!("{round}")).await;
        }
        if commit {
            producer.commit_transaction().await.expect("it is committed");
        } else {
            producer.flush().await;
            producer.abort_transaction().await.expect("it is aborted");
        }
    }
    for partition in 0..2 {
        // A record and a marker each.
        sees(&config, &topic, partition, &["0", "2"], 6).await;
        assert_eq!(
            read(&config, &topic, partition, "read_uncommitted").await,
            (vec!["0".into(), "1".into(), "2".into()], Offset(6))
        );
    }
}

#[tokio::test]
async fn nothing_of_an_open_transaction_is_read_committed() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 1, &[]).await;
    let producer = producer(&config, &unique("tx")).await;
    producer.begin_transaction().expect("nothing is open");
    put(&producer, &topic, 0, "open").await;
    producer.flush().await;
    let plain = Producer::from_map(&config).expect("a valid configuration");
    plain.send(ProducerRecord::to(topic.as_str()).value("plain")).await.expect("it is written");
    assert_eq!(read(&config, &topic, 0, "read_committed").await, (vec![], Offset(0)));
    assert_eq!(read(&config, &topic, 0, "read_uncommitted").await.0, ["open", "plain"]);
    producer.commit_transaction().await.expect("it is committed");
    sees(&config, &topic, 0, &["open", "plain"], 3).await;
}

#[tokio::test]
async fn many_transactions_follow_each_other() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 3, &[]).await;
    let config_of_producer = with(&config, &[("batch.size", "64"), ("linger.ms", "0")]);
    let producer = producer(&config_of_producer, &unique("tx")).await;
    let mut wanted: Vec<String> = Vec::new();
    for round in 0..60 {
        producer.begin_transaction().expect("nothing is open");
        let values: Vec<String> = (0..9).map(|at| format!("{round}-{at}")).collect();
        for (at, value) in values.iter().enumerate() {
            put(&producer, &topic, (at % 3) as i32, value).await;
        }
        if round % 4 == 3 {
            producer.abort_transaction().await.expect("it is aborted");
        } else {
            producer.commit_transaction().await.expect("it is committed");
            wanted.extend(values);
        }
    }
    for partition in 0..3 {
        let here = wanted.iter().skip(partition).step_by(3);
        let here: Vec<&str> = here.map(String::as_str).collect();
        eventually("all that was committed is read", async || {
            (read(&config, &topic, partition as i32, "read_committed").await.0 == here).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_newer_producer_of_the_same_name_fences_the_older() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 1, &[]).await;
    let id = unique("tx");
    let older = producer(&config, &id).await;
    older.begin_transaction().expect("nothing is open");
    put(&older, &topic, 0, "older").await;
    older.flush().await;
    let newer = producer(&config, &id).await;
    let refused = older.commit_transaction().await.expect_err("it is fenced");
    assert!(refused.is(ErrorCode::PRODUCER_FENCED), "{refused:?}");
    assert!(older.fatal_error().is_some());
    newer.begin_transaction().expect("nothing is open");
    put(&newer, &topic, 0, "newer").await;
    newer.commit_transaction().await.expect("it is committed");
    sees(&config, &topic, 0, &["newer"], 4).await;
}

#[tokio::test]
async fn offsets_are_committed_with_the_transaction_or_not_at_all() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 1, &[]).await;
    let group = unique("group");
    let producer = producer(&config, &unique("tx")).await;
    let mut consumer =
        Consumer::from_map(&with(&config, &[("group.id", &group), ("enable.auto.commit", "false")]))
            .expect("a valid configuration");
    let name = TopicPartition::new(topic.as_str(), 0);
    let metadata = consumer.group_metadata().expect("it has a group");
    for (offset, commit, seen) in [(5, true, 5), (7, false, 5), (9, true, 9)] {
        producer.begin_transaction().expect("nothing is open");
        let offsets: Offsets = [(name.clone(), OffsetAndMetadata::new(Offset(offset)))].into();
        producer.send_offsets_to_transaction(&offsets, &metadata).await.expect("they are taken");
        if commit {
            producer.commit_transaction().await.expect("it is committed");
        } else {
            producer.abort_transaction().await.expect("it is aborted");
        }
        eventually("the offset is committed", async || {
            let committed = consumer.committed(std::slice::from_ref(&name)).await.expect("an answer");
            (committed[&name].as_ref().map(|at| at.offset) == Some(Offset(seen))).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn offsets_of_a_member_that_is_none_abort_the_transaction() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 1, &[]).await;
    let producer = producer(&config, &unique("tx")).await;
    producer.begin_transaction().expect("nothing is open");
    let offsets: Offsets =
        [(TopicPartition::new(topic.as_str(), 0), OffsetAndMetadata::new(Offset(1)))].into();
    let stranger = GroupMetadata {
        group_id: unique("group"),
        generation: 3,
        member_id: "stranger".into(),
        group_instance_id: None,
    };
    let refused = producer.send_offsets_to_transaction(&offsets, &stranger).await.expect_err("no member");
    assert!(matches!(refused, Error::CommitFailed(_)), "{refused:?}");
    assert!(matches!(producer.commit_transaction().await, Err(Error::InErrorState(_))));
    producer.abort_transaction().await.expect("it is aborted");
    producer.begin_transaction().expect("nothing is open");
    put(&producer, &topic, 0, "after").await;
    producer.commit_transaction().await.expect("it is committed");
    sees(&config, &topic, 0, &["after"], 2).await;
}

#[tokio::test]
async fn a_record_that_is_refused_aborts_the_transaction() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 1, &[("max.message.bytes", "500")]).await;
    let producer = producer(&config, &unique("tx")).await;
    producer.begin_transaction().expect("nothing is open");
    put(&producer, &topic, 0, "small").await;
    producer.flush().await;
    put(&producer, &topic, 0, &"large".repeat(500)).await;
    let refused = producer.commit_transaction().await.expect_err("a record is missing");
    assert!(
        refused.is(ErrorCode::MESSAGE_TOO_LARGE) || matches!(refused, Error::InErrorState(_)),
        "{refused:?}"
    );
    producer.abort_transaction().await.expect("it is aborted");
    producer.begin_transaction().expect("nothing is open");
    put(&producer, &topic, 0, "after").await;
    producer.commit_transaction().await.expect("it is committed");
    sees(&config, &topic, 0, &["after"], 4).await;
}

#[tokio::test]
async fn a_producer_that_closes_aborts_what_it_left_open() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 1, &[]).await;
    let producer = producer(&config, &unique("tx")).await;
    producer.begin_transaction().expect("nothing is open");
    put(&producer, &topic, 0, "left open").await;
    producer.flush().await;
    producer.close(Duration::from_secs(10)).await;
    sees(&config, &topic, 0, &[], 2).await;
}

#[tokio::test]
async fn a_transaction_that_lasts_too_long_is_aborted_by_the_coordinator() {
    let Some(config) = bootstrap_or_skip() else { return };
    let topic = topic(&config, 1, &[]).await;
    let short = with(&config, &[("transaction.timeout.ms", "1000")]);
    let producer = producer(&short, &unique("tx")).await;
    producer.begin_transaction().expect("nothing is open");
    put(&producer, &topic, 0, "too long").await;
    producer.flush().await;
    sees(&config, &topic, 0, &[], 2).await;
    let refused = producer.commit_transaction().await.expect_err("it was aborted");
    // At level 2 the producer is not fenced: its epoch is that of the transaction that was aborted.
    assert!(
        refused.is(ErrorCode::PRODUCER_FENCED) || refused.is(ErrorCode::INVALID_TXN_STATE),
        "{refused:?}"
    );
}
