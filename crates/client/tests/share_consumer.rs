//! The share consumer against a real broker, named by `MONEDULA_TEST_BOOTSTRAP`; skipped without one.

mod broker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::admin::{AlterConfigOp, ConfigResource, CreateTopicsOptions, NewTopic, ResourceType};
use client::{
    AcknowledgeType, Admin, ConfigMap, Error, Producer, ProducerRecord, ShareConsumer, ShareRecord,
};

use broker::{bootstrap_or_skip, unique};

const LONG: Duration = Duration::from_secs(30);

/// A topic, and a group that reads it from its first record on.
struct Scene {
    config: ConfigMap,
    topic: String,
    group: String,
}

impl Scene {
    async fn new(config: ConfigMap, partitions: i32) -> Self {
        let (topic, group) = (unique("shared"), unique("share-group"));
        let admin = Admin::from_map(&config).expect("a valid configuration");
        let new = NewTopic::new(&topic).sized(partitions, 1);
        let created = admin.create_topics(&[new], CreateTopicsOptions::default()).await;
        created.expect("an answer")[&topic].as_ref().expect("the topic is new");
        let resource = ConfigResource::new(ResourceType::Group, &group);
        let earliest = AlterConfigOp::set("share.auto.offset.reset", "earliest");
        let changes = BTreeMap::from([(resource.clone(), vec![earliest])]);
        let altered = admin.incremental_alter_configs(&changes, false).await.expect("an answer");
        altered[&resource].as_ref().expect("it is a group's key");
        Self { config, topic, group }
    }

    async fn member(&self, pairs: &[(&str, &str)]) -> ShareConsumer {
        let mut config = self.config.clone();
        config.insert("group.id".into(), self.group.clone());
        config.extend(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let mut consumer = ShareConsumer::from_map(&config).expect("a valid configuration");
        consumer.subscribe(&[&self.topic]).await.expect("it is a topic");
        consumer
    }

    async fn produce(&self, values: std::ops::Range<i32>) {
        let producer = Producer::from_map(&self.config).expect("a valid configuration");
        let mut deliveries = Vec::new();
        for value in values {
            let record = ProducerRecord::to(self.topic.as_str()).value(value.to_string());
            deliveries.push(producer.enqueue(record).await.expect("it is taken in"));
        }
        for delivery in deliveries {
            delivery.await.expect("it is written");
        }
        producer.close(LONG).await;
    }
}

fn value(record: &ShareRecord) -> i32 {
    let value = record.record.value.as_ref().expect("it has a value");
    std::str::from_utf8(value).expect("a number").parse().expect("a number")
}

/// Polls until `count` records came in all.
async fn read(consumer: &mut ShareConsumer, count: usize) -> Vec<ShareRecord> {
    let mut records = Vec::new();
    for _ in 0..300 {
        records.extend(consumer.poll(Duration::from_millis(200)).await.expect("a poll"));
        if records.len() >= count {
            return records;
        }
    }
    panic!("{} of {count} records came", records.len());
}

async fn next(consumer: &mut ShareConsumer) -> Vec<ShareRecord> {
    for _ in 0..300 {
        let records = consumer.poll(Duration::from_millis(200)).await.expect("a poll");
        if !records.is_empty() {
            return records;
        }
    }
    panic!("no records came");
}

#[tokio::test]
async fn two_members_share_the_records_and_each_record_comes_once() {
    let Some(config) = bootstrap_or_skip() else { return };
    let scene = Scene::new(config, 2).await;
    scene.produce(0..1000).await;
    let (mut one, mut two) = (scene.member(&[]).await, scene.member(&[]).await);
    let mut values = Vec::new();
    for _ in 0..300 {
        for member in [&mut one, &mut two] {
            let records = member.poll(Duration::from_millis(100)).await.expect("a poll");
            assert!(records.iter().all(|record| record.delivery_count == 1));
            values.extend(records.iter().map(value));
        }
        if values.len() >= 1000 {
            break;
        }
    }
    assert_eq!(values.len(), 1000);
    assert_eq!(values.iter().copied().collect::<BTreeSet<_>>(), (0..1000).collect());
    let acknowledged = one.commit_sync(LONG).await.expect("it commits");
    assert!(acknowledged.iter().all(|partition| partition.outcome.is_ok()));
    one.close(LONG).await.expect("it closes");
    two.close(LONG).await.expect("it closes");
    scene.produce(1000..1001).await;
    let mut three = scene.member(&[]).await;
    assert_eq!(next(&mut three).await.iter().map(value).collect::<Vec<_>>(), [1000]);
    three.close(LONG).await.expect("it closes");
}

#[tokio::test]
async fn what_is_released_comes_again_and_what_is_rejected_does_not() {
    let Some(config) = bootstrap_or_skip() else { return };
    let scene = Scene::new(config, 1).await;
    scene.produce(0..3).await;
    let mut member = scene.member(&[("share.acknowledgement.mode", "explicit")]).await;
    let mut records = Vec::new();
    while records.len() < 3 {
        let come = next(&mut member).await;
        for record in &come {
            let kind = match value(record) {
                0 => AcknowledgeType::Accept,
                1 => AcknowledgeType::Release,
                _ => AcknowledgeType::Reject,
            };
            member.acknowledge_as(record, kind).expect("it was delivered");
        }
        records.extend(come);
    }
    let again = next(&mut member).await;
    assert_eq!(
        again.iter().map(|record| (value(record), record.delivery_count)).collect::<Vec<_>>(),
        [(1, 2)]
    );
    let early = member.poll(Duration::ZERO).await;
    assert!(matches!(early, Err(Error::IllegalState(_))), "{early:?}");
    member.acknowledge(&again[0]).expect("it was delivered");
    assert!(member.acknowledge(&again[0]).is_err());
    let outcomes = member.commit_sync(LONG).await.expect("it commits");
    assert!(outcomes.iter().all(|partition| partition.outcome.is_ok()), "{outcomes:?}");
    assert!(member.poll(Duration::from_millis(500)).await.expect("a poll").is_empty());
    member.close(LONG).await.expect("it closes");
}

#[tokio::test]
async fn what_a_member_held_goes_to_another_when_it_closes() {
    let Some(config) = bootstrap_or_skip() else { return };
    let scene = Scene::new(config, 1).await;
    scene.produce(0..5).await;
    let mut one = scene.member(&[("share.acknowledgement.mode", "explicit")]).await;
    assert_eq!(read(&mut one, 5).await.len(), 5);
    one.close(LONG).await.expect("it closes");
    let mut two = scene.member(&[]).await;
    let records = read(&mut two, 5).await;
    assert!(records.iter().all(|record| record.delivery_count == 2));
    two.close(LONG).await.expect("it closes");
}

#[tokio::test]
async fn a_renewed_record_comes_again_and_the_callback_is_told() {
    let Some(config) = bootstrap_or_skip() else { return };
    let scene = Scene::new(config, 1).await;
    scene.produce(0..1).await;
    let mut member = scene.member(&[("share.acknowledgement.mode", "explicit")]).await;
    let told = Arc::new(Mutex::new(0));
    let counts = told.clone();
    member.set_acknowledgement_commit_callback(move |acknowledged| {
        assert!(acknowledged.outcome.is_ok(), "{acknowledged:?}");
        *counts.lock().expect("no holder panics") += acknowledged.offsets.len();
    });
    let records = next(&mut member).await;
    assert!(member.acquisition_lock_timeout().is_some_and(|lock| lock > Duration::ZERO));
    member.acknowledge_as(&records[0], AcknowledgeType::Renew).expect("it was delivered");
    let again = next(&mut member).await;
    assert_eq!(again, records);
    member.acknowledge(&again[0]).expect("it was delivered");
    member.commit_sync(LONG).await.expect("it commits");
    assert_eq!(*told.lock().expect("no holder panics"), 2);
    member.close(LONG).await.expect("it closes");
}

#[tokio::test]
async fn with_a_record_limit_no_more_comes_than_asked_for() {
    let Some(config) = bootstrap_or_skip() else { return };
    let scene = Scene::new(config, 1).await;
    scene.produce(0..100).await;
    let mut member = scene.member(&[("share.acquire.mode", "record_limit"), ("max.poll.records", "7")]).await;
    let mut values = Vec::new();
    while values.len() < 100 {
        let records = next(&mut member).await;
        assert!(records.len() <= 7);
        values.extend(records.iter().map(value));
    }
    assert_eq!(values, (0..100).collect::<Vec<_>>());
    member.close(LONG).await.expect("it closes");
}
