//! What a Rust application does with a broker through rdkafka, asserted step by step: `compat-rdkafka BOOTSTRAP`.

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

type Failure = Box<dyn std::error::Error>;
type Done = Result<(), Failure>;

const NAME: &str = "rdkafka";
const RECORDS: usize = 300;

struct Plan {
    bootstrap: String,
    /// A time within the default retention, in milliseconds.
    base: i64,
    admin: AdminClient<DefaultClientContext>,
    passed: usize,
    failed: usize,
}

fn ensure(truth: bool, what: impl Fn() -> String) -> Done {
    if truth { Ok(()) } else { Err(what().into()) }
}

fn key(i: usize) -> Option<String> {
    (i % 7 != 0).then(|| format!("key-{i}"))
}

fn value(i: usize) -> String {
    format!("value-{i}-{}", "x".repeat(i % 97))
}

fn headers(i: usize) -> Vec<(String, String)> {
    (0..i % 3).map(|h| (format!("h{h}"), format!("header-{i}"))).collect()
}

type Place = (i32, i64);

fn place(message: &BorrowedMessage<'_>) -> Place {
    (message.partition(), message.offset())
}

impl Plan {
    fn config(&self, pairs: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        for (key, value) in pairs {
            config.set(*key, *value);
        }
        config
    }

    fn check(&mut self, what: &str, outcome: Done) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("ok {NAME} {what}");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAIL {NAME} {what}: {error}");
            }
        }
    }

    async fn create(&self, topic: &str, partitions: i32) -> Done {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        for result in self.admin.create_topics([&new], &AdminOptions::new()).await? {
            result.map_err(|(topic, code)| format!("{topic}: {code}"))?;
        }
        Ok(())
    }

    async fn produce(
        &self,
        topic: &str,
        codec: &str,
        numbers: std::ops::Range<usize>,
        partitions: usize,
    ) -> Result<BTreeMap<Place, usize>, Failure> {
        let settings = [("compression.type", codec), ("linger.ms", "5"), ("enable.idempotence", "true")];
        let producer: FutureProducer = self.config(&settings).create()?;
        let mut acks = Vec::new();
        for i in numbers {
            let (key, value) = (key(i), value(i));
            let mut owned = OwnedHeaders::new();
            let pairs = headers(i);
            for (key, value) in &pairs {
                owned = owned.insert(Header { key, value: Some(value) });
            }
            let mut record = FutureRecord::to(topic).payload(&value).partition((i % partitions) as i32);
            record = record.timestamp(self.base + i as i64).headers(owned);
            if let Some(key) = &key {
                record = record.key(key);
            }
            acks.push((i, producer.send_result(record).map_err(|(error, _)| error)?));
        }
        let mut places = BTreeMap::new();
        for (i, ack) in acks {
            let delivery = ack.await?.map_err(|(error, _)| error)?;
            places.insert((delivery.partition, delivery.offset), i);
        }
        Ok(places)
    }

    fn consumer(&self, group: &str, strategy: &str) -> Result<BaseConsumer, Failure> {
        Ok(self
            .config(&[
                ("group.id", group),
                ("partition.assignment.strategy", strategy),
                ("enable.auto.commit", "false"),
                ("auto.offset.reset", "earliest"),
                ("session.timeout.ms", "10000"),
                ("heartbeat.interval.ms", "300"),
            ])
            .create()?)
    }

    async fn produce_and_consume(&self, codec: &str) -> Done {
        let topic = format!("{NAME}-{codec}");
        self.create(&topic, 3).await?;
        let sent = self.produce(&topic, codec, 0..RECORDS, 3).await?;
        let consumer = self.consumer("unused", "range")?;
        let mut list = TopicPartitionList::new();
        for partition in 0..3 {
            list.add_partition_offset(&topic, partition, Offset::Beginning)?;
        }
        consumer.assign(&list)?;
        for _ in 0..RECORDS {
            let message = next_record(&consumer)?;
            let i =
                *sent.get(&place(&message)).ok_or_else(|| format!("nobody sent {:?}", place(&message)))?;
            let pairs: Vec<_> = message
                .headers()
                .into_iter()
                .flat_map(|headers| {
                    headers
                        .iter()
                        .map(|h| {
                            (
                                h.key.to_owned(),
                                String::from_utf8_lossy(h.value.unwrap_or_default()).into_owned(),
                            )
                        })
                        .collect::<Vec<_>>()
                })
                .collect();
            let same = message.key() == key(i).as_ref().map(String::as_bytes)
                && message.payload() == Some(value(i).as_bytes())
                && message.timestamp().to_millis() == Some(self.base + i as i64)
                && pairs == headers(i);
            ensure(same, || format!("record {i} differs: {message:?}"))?;
        }
        let marks = consumer.fetch_watermarks(&topic, 0, Duration::from_secs(10))?;
        ensure(marks == (0, 100), || format!("watermarks {marks:?}"))
    }

    fn rebalance(
        &self,
        strategy: &str,
        topic: &str,
        first: &BTreeMap<Place, usize>,
        second: impl Fn() -> Result<BTreeMap<Place, usize>, Failure>,
    ) -> Done {
        let mut got = Vec::new();
        let a = self.consumer(topic, strategy)?;
        a.subscribe(&[topic])?;
        wait(&[&a], &mut got, |counts, _| counts[0] == 4)?;
        let b = self.consumer(topic, strategy)?;
        b.subscribe(&[topic])?;
        wait(&[&a, &b], &mut got, |counts, _| counts == [2, 2])?;
        wait(&[&a, &b], &mut got, |_, read| read >= first.len())?;
        drop(b);
        wait(&[&a], &mut got, |counts, _| counts[0] == 4)?;
        let mut expected: BTreeSet<Place> = first.keys().copied().collect();
        expected.extend(second()?.keys());
        wait(&[&a], &mut got, |_, read| read >= expected.len())?;
        ensure(got.len() == expected.len(), || format!("{} read, not {}", got.len(), expected.len()))?;
        ensure(got.into_iter().collect::<BTreeSet<_>>() == expected, || "other records were read".into())
    }

    async fn resume(&self) -> Done {
        let (topic, group) = (format!("{NAME}-none"), format!("{NAME}-resume"));
        let consumer = self.consumer(&group, "range")?;
        consumer.subscribe(&[&topic])?;
        let mut next = BTreeMap::new();
        for _ in 0..50 {
            let message = next_record(&consumer)?;
            consumer.commit_message(&message, CommitMode::Sync)?;
            next.insert(message.partition(), message.offset() + 1);
        }
        drop(consumer);
        let consumer = self.consumer(&group, "range")?;
        consumer.subscribe(&[&topic])?;
        for _ in 50..RECORDS {
            let message = next_record(&consumer)?;
            let from = next.get(&message.partition()).copied().unwrap_or(0);
            ensure(message.offset() >= from, || format!("read again: {:?}", place(&message)))?;
        }
        Ok(())
    }

    async fn delete(&self) -> Done {
        let metadata = self.admin.inner().fetch_metadata(None, Duration::from_secs(10))?;
        let mine: Vec<_> = metadata
            .topics()
            .iter()
            .map(|topic| topic.name())
            .filter(|name| name.starts_with(NAME))
            .collect();
        for result in self.admin.delete_topics(&mine, &AdminOptions::new()).await? {
            result.map_err(|(topic, code)| format!("{topic}: {code}"))?;
        }
        Ok(())
    }
}

/// The next record within half a minute; a poll also ends, with nothing, on a rebalance.
fn next_record(consumer: &BaseConsumer) -> Result<BorrowedMessage<'_>, Failure> {
    let end = Instant::now() + Duration::from_secs(30);
    while Instant::now() < end {
        if let Some(message) = consumer.poll(Duration::from_millis(500)) {
            return Ok(message?);
        }
    }
    Err("no more records".into())
}

/// Polls the members, committing what they read, until they hold and have read what is wanted.
fn wait(members: &[&BaseConsumer], got: &mut Vec<Place>, enough: impl Fn(&[usize], usize) -> bool) -> Done {
    let end = Instant::now() + Duration::from_secs(40);
    let mut uncommitted = vec![false; members.len()];
    loop {
        for (member, uncommitted) in members.iter().zip(&mut uncommitted) {
            if let Some(message) = member.poll(Duration::from_millis(50)) {
                got.push(place(&message?));
                *uncommitted = true;
            }
            *uncommitted = *uncommitted && !committed(member)?;
        }
        let counts = members
            .iter()
            .map(|member| Ok(member.assignment()?.count()))
            .collect::<Result<Vec<_>, Failure>>()?;
        if enough(&counts, got.len()) && !uncommitted.contains(&true) {
            return Ok(());
        }
        ensure(Instant::now() < end, || format!("members hold {counts:?} and have read {}", got.len()))?;
    }
}

/// Commits what was read; false while the group rebalances, when it must be said again.
fn committed(member: &BaseConsumer) -> Result<bool, Failure> {
    use rdkafka::types::RDKafkaErrorCode::{IllegalGeneration, RebalanceInProgress};
    match member.commit_consumer_state(CommitMode::Sync) {
        Ok(()) => Ok(true),
        Err(error) => match error.rdkafka_error_code() {
            Some(IllegalGeneration | RebalanceInProgress) => Ok(false),
            _ => Err(error.into()),
        },
    }
}

#[tokio::main]
async fn main() -> Done {
    let bootstrap = std::env::args().nth(1).ok_or("compat-rdkafka BOOTSTRAP")?;
    let admin = ClientConfig::new().set("bootstrap.servers", &bootstrap).create()?;
    let base = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64 - 3_600_000;
    let mut plan = Plan { bootstrap, base, admin, passed: 0, failed: 0 };
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let step = plan.produce_and_consume(codec).await;
        plan.check(&format!("produces and consumes with {codec}"), step);
    }
    for strategy in ["range", "cooperative-sticky"] {
        let topic = format!("{NAME}-{strategy}");
        let step = async {
            plan.create(&topic, 4).await?;
            let first = plan.produce(&topic, "none", 0..100, 4).await?;
            let handle = tokio::runtime::Handle::current();
            let second = || handle.block_on(plan.produce(&topic, "none", 100..200, 4));
            tokio::task::block_in_place(|| plan.rebalance(strategy, &topic, &first, second))
        }
        .await;
        plan.check(&format!("rebalances with {strategy}"), step);
    }
    let step = plan.resume().await;
    plan.check("commits and resumes", step);
    let step = plan.delete().await;
    plan.check("deletes topics", step);
    println!("{} passed, {} failed", plan.passed, plan.failed);
    if plan.failed > 0 {
        std::process::exit(1);
    }
    Ok(())
}
