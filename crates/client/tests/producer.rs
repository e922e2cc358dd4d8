//! The producer against a real broker, named by `MONEDULA_TEST_BOOTSTRAP`; skipped without one.

mod broker;

use std::collections::BTreeMap;
use std::time::Duration;

use client::admin::{AlterConfigOp, ConfigResource, CreateTopicsOptions, NewTopic, OffsetSpec, ResourceType};
use client::config::IsolationLevel;
use client::producer::partition_for_key;
use client::{Admin, ConfigMap, Error, Producer, ProducerRecord};
use model::{Offset, Timestamp, TopicPartition};
use protocol::ErrorCode;

use broker::{bootstrap_or_skip, unique};

async fn topic(config: &ConfigMap, partitions: i32, configs: &[(&str, &str)]) -> (Admin, String) {
    let admin = Admin::from_map(config).expect("a valid configuration");
    let topic = unique("producer");
    let mut new = NewTopic::new(&topic).sized(partitions, 1);
    for (key, value) in configs {
        new = new.config(*key, *value);
    }
    let created = admin.create_topics(&[new], CreateTopicsOptions::default()).await.expect("an answer");
    created[&topic].as_ref().expect("the topic is new");
    (admin, topic)
}

fn producer(config: &ConfigMap, pairs: &[(&str, &str)]) -> Producer {
    let mut config = config.clone();
    config.extend(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    Producer::from_map(&config).expect("a valid configuration")
}

async fn end(admin: &Admin, topic: &str, partition: i32) -> i64 {
    let name = TopicPartition::new(topic, partition);
    let specs = BTreeMap::from([(name.clone(), OffsetSpec::Latest)]);
    let mut listed = admin.list_offsets(&specs, IsolationLevel::default()).await;
    listed.remove(&name).expect("an answer").expect("an offset").offset.0
}

#[tokio::test]
async fn records_of_every_codec_are_written_in_order() {
    let Some(config) = bootstrap_or_skip() else { return };
    let (admin, topic) = topic(&config, 1, &[]).await;
    let mut next = 0;
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let producer = producer(&config, &[("compression.type", codec)]);
        let mut deliveries = Vec::new();
        for i in 0..2000 {
            let value = format!("value {i} of {codec}").repeat(10);
            let record =
                ProducerRecord::to(topic.as_str()).key(format!("key {i}")).value(value).header("h", "v");
            deliveries.push(producer.enqueue(record).await.expect("it is taken in"));
        }
        producer.flush().await;
        for delivery in deliveries {
            assert_eq!(delivery.await.expect("it is written").offset, Some(Offset(next)));
            next += 1;
        }
        producer.close(Duration::from_secs(5)).await;
    }
    assert_eq!(end(&admin, &topic, 0).await, 10_000);
}

#[tokio::test]
async fn partitions_follow_keys_and_choices() {
    let Some(config) = bootstrap_or_skip() else { return };
    let (_, topic) = topic(&config, 4, &[]).await;
    let producer = producer(&config, &[("linger.ms", "0")]);
    for key in ["a", "b", "c"] {
        let record = ProducerRecord::to(topic.as_str()).key(key).timestamp(Timestamp(1234));
        let written = producer.send(record).await.expect("it is written");
        assert_eq!(written.topic_partition.partition, partition_for_key(key.as_bytes(), 4));
        assert_eq!(written.timestamp, Timestamp(1234));
    }
    let written =
        producer.send(ProducerRecord::to(topic.as_str()).partition(3)).await.expect("it is written");
    assert_eq!(written.topic_partition.partition, 3);
    let few = producer_with_short_patience(&config);
    let refused = few.send(ProducerRecord::to(topic.as_str()).partition(4)).await.expect_err("there is none");
    assert!(refused.to_string().starts_with("Partition 4 of topic"), "{refused}");
}

fn producer_with_short_patience(config: &ConfigMap) -> Producer {
    producer(config, &[("max.block.ms", "500")])
}

#[tokio::test]
async fn acks_of_zero_and_one_are_served() {
    let Some(config) = bootstrap_or_skip() else { return };
    let (admin, topic) = topic(&config, 1, &[]).await;
    for acks in ["0", "1"] {
        let producer = producer(&config, &[("acks", acks)]);
        let written = producer.send(ProducerRecord::to(topic.as_str()).value("x")).await.expect("it is sent");
        assert_eq!(written.offset.is_some(), acks == "1");
        producer.close(Duration::from_secs(5)).await;
    }
    broker::eventually("both are written", async || (end(&admin, &topic, 0).await == 2).then_some(())).await;
}

#[tokio::test]
async fn refusals_are_told() {
    let Some(config) = bootstrap_or_skip() else { return };
    let (_, topic) = topic(&config, 1, &[("cleanup.policy", "compact")]).await;
    let producer = producer(&config, &[]);
    let keyless =
        producer.send(ProducerRecord::to(topic.as_str()).value("x")).await.expect_err("it has no key");
    assert!(keyless.is(ErrorCode::INVALID_RECORD), "{keyless}");
    producer
        .send(ProducerRecord::to(topic.as_str()).key("k").value("x"))
        .await
        .expect("what follows is written");
    let name = producer.send(ProducerRecord::to("no topic!")).await.expect_err("it is no name");
    assert!(name.is(ErrorCode::INVALID_TOPIC_EXCEPTION), "{name}");
    let large = ProducerRecord::to(topic.as_str()).key("k").value(vec![0; 2_000_000]);
    assert!(matches!(producer.send(large).await, Err(Error::RecordTooLarge(_))));
}

#[tokio::test]
async fn a_batch_that_the_topic_refuses_is_sent_in_parts() {
    let Some(config) = bootstrap_or_skip() else { return };
    let (admin, topic) = topic(&config, 1, &[]).await;
    let resource = ConfigResource::new(ResourceType::Topic, &topic);
    let ops = BTreeMap::from([(resource, vec![AlterConfigOp::set("max.message.bytes", "3000")])]);
    admin.incremental_alter_configs(&ops, false).await.expect("an answer");
    let producer =
        producer(&config, &[("batch.size", "2000"), ("linger.ms", "100"), ("compression.type", "gzip")]);
    let mut deliveries = Vec::new();
    // Well compressible records first, so that the estimate is too good for the others.
    for i in 0..4000_u32 {
        let value = if i < 3000 {
            vec![b'x'; 200]
        } else {
            (0..200).map(|j| ((i * 7919 + j * 104_729) >> 7) as u8).collect()
        };
        deliveries
            .push(producer.enqueue(ProducerRecord::to(topic.as_str()).value(value)).await.expect("taken in"));
    }
    for (at, delivery) in deliveries.into_iter().enumerate() {
        assert_eq!(delivery.await.expect("it is written").offset, Some(Offset(at as i64)));
    }
}
