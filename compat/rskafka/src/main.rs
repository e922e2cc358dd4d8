//! What a Rust application does with a broker through rskafka, asserted step by step: `compat-rskafka BOOTSTRAP`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use futures::StreamExt;
use rskafka::client::consumer::{StartOffset, StreamConsumerBuilder};
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::producer::{BatchProducerBuilder, aggregator::RecordAggregator};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;

type Failure = Box<dyn std::error::Error>;
type Done = Result<(), Failure>;

const NAME: &str = "rskafka";
const RECORDS: i64 = 300;
const CODECS: [(&str, Compression); 5] = [
    ("none", Compression::NoCompression),
    ("gzip", Compression::Gzip),
    ("snappy", Compression::Snappy),
    ("lz4", Compression::Lz4),
    ("zstd", Compression::Zstd),
];

struct Plan {
    client: Client,
    /// A time within the default retention, in whole milliseconds.
    base: DateTime<Utc>,
    passed: usize,
    failed: usize,
}

fn ensure(truth: bool, what: impl Fn() -> String) -> Done {
    if truth { Ok(()) } else { Err(what().into()) }
}

impl Plan {
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

    fn record(&self, i: i64) -> Record {
        let headers = (0..i % 3).map(|h| (format!("h{h}"), format!("header-{i}").into_bytes())).collect();
        Record {
            key: (i % 7 != 0).then(|| format!("key-{i}").into_bytes()),
            value: (i % 41 != 40).then(|| format!("value-{i}-{}", "x".repeat(i as usize % 97)).into_bytes()),
            headers,
            timestamp: self.base + TimeDelta::milliseconds(i),
        }
    }

    async fn topic(&self, name: &str) -> Result<PartitionClient, Failure> {
        let topic = format!("{NAME}-{name}");
        self.client.controller_client()?.create_topic(&topic, 2, 1, 5_000).await?;
        Ok(self.client.partition_client(topic, 1, UnknownTopicHandling::Retry).await?)
    }

    async fn codec(&self, name: &str, compression: Compression) -> Done {
        let partition = self.topic(name).await?;
        let sent: Vec<Record> = (0..RECORDS).map(|i| self.record(i)).collect();
        for batch in sent.chunks(100) {
            let offsets = partition.produce(batch.to_vec(), compression).await?;
            ensure(offsets.len() == batch.len(), || format!("{} offsets", offsets.len()))?;
        }
        let mut got = BTreeMap::new();
        while (got.len() as i64) < RECORDS {
            let (records, end) = partition.fetch_records(got.len() as i64, 1..20_000, 1_000).await?;
            ensure(end == RECORDS, || format!("it ends at {end}"))?;
            ensure(!records.is_empty(), || format!("nothing after {}", got.len()))?;
            got.extend(records.into_iter().map(|record| (record.offset, record.record)));
        }
        for (offset, record) in got {
            ensure(record == sent[offset as usize], || format!("{offset} differs: {record:?}"))?;
        }
        Ok(())
    }

    async fn offsets(&self) -> Done {
        let topic = format!("{NAME}-none");
        let partition = self.client.partition_client(topic, 1, UnknownTopicHandling::Error).await?;
        let at = OffsetAt::Timestamp(self.base + TimeDelta::milliseconds(123));
        for (at, expected) in [(OffsetAt::Earliest, 0), (OffsetAt::Latest, RECORDS), (at, 123)] {
            let found = partition.get_offset(at).await?;
            ensure(found == expected, || format!("{at:?} is {found}"))?;
        }
        partition.delete_records(100, 5_000).await?;
        let first = partition.get_offset(OffsetAt::Earliest).await?;
        ensure(first == 100, || format!("after deletion it begins at {first}"))?;
        ensure(partition.fetch_records(5, 1..1000, 100).await.is_err(), || "a deleted record".into())
    }

    /// A producer that batches, and a consumer that is a stream.
    async fn stream(&self) -> Done {
        let partition = Arc::new(self.topic("stream").await?);
        let builder = BatchProducerBuilder::new(Arc::clone(&partition)).with_compression(Compression::Zstd);
        let producer = builder.with_linger(Duration::from_millis(5)).build(RecordAggregator::new(10_000));
        let consumer = StreamConsumerBuilder::new(Arc::clone(&partition), StartOffset::Earliest);
        let mut consumer = consumer.with_max_wait_ms(200).build();
        let sent = futures::future::join_all((0..RECORDS).map(|i| producer.produce(self.record(i)))).await;
        let mut at = BTreeMap::new();
        for (i, offset) in sent.into_iter().enumerate() {
            at.insert(offset?, i as i64);
        }
        for expected in 0..RECORDS {
            let (record, _) = consumer.next().await.ok_or("the stream ends")??;
            let same = record.offset == expected && record.record == self.record(at[&expected]);
            ensure(same, || format!("{expected} differs: {record:?}"))?;
        }
        Ok(())
    }

    async fn delete(&self) -> Done {
        let mine = |topic: &&rskafka::topic::Topic| topic.name.starts_with(NAME);
        let controller = self.client.controller_client()?;
        let topics = self.client.list_topics().await?;
        let found = topics.iter().filter(mine).count();
        ensure(found == CODECS.len() + 1, || format!("{found} topics"))?;
        for topic in topics.iter().filter(mine) {
            ensure(topic.partitions.len() == 2, || format!("{topic:?}"))?;
            controller.delete_topic(&topic.name, 5_000).await?;
        }
        for _ in 0..200 {
            if self.client.list_topics().await?.iter().filter(mine).count() == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await; // brokers follow the controller's answer
        }
        Err("deleted topics are not gone".into())
    }
}

#[tokio::main]
async fn main() -> Done {
    let bootstrap = std::env::args().nth(1).ok_or("compat-rskafka BOOTSTRAP")?;
    let client = ClientBuilder::new(vec![bootstrap]).build().await?;
    let base = (Utc::now() - TimeDelta::hours(1)).duration_trunc(TimeDelta::milliseconds(1))?;
    let mut plan = Plan { client, base, passed: 0, failed: 0 };
    for (name, compression) in CODECS {
        let step = plan.codec(name, compression).await;
        plan.check(&format!("produces and fetches with {name}"), step);
    }
    let step = plan.offsets().await;
    plan.check("finds offsets and deletes records", step);
    let step = plan.stream().await;
    plan.check("batches, and reads a stream", step);
    let step = plan.delete().await;
    plan.check("lists topics and deletes them", step);
    println!("{} passed, {} failed", plan.passed, plan.failed);
    if plan.failed > 0 {
        std::process::exit(1);
    }
    Ok(())
}
