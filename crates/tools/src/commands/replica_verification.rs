//! `kafka-replica-verification`: reads the replicas of topics and compares them batch by batch, until it is ended.
//! Kafka: `ReplicaVerificationTool`, which is deprecated there.

mod compare;

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use client::admin::{OffsetSpec, TopicDescription};
use client::cluster::Purpose;
use client::config::IsolationLevel;
use client::{Admin, Error, config_map};
use model::{NodeId, Offset, Timestamp, TopicPartition, Uuid};
use protocol::fetch_request::{FetchPartition, FetchTopic, ReplicaState};
use protocol::{FetchRequest, FetchResponse};

use crate::Failure;
use crate::datetime::{format_time, now_ms};
use crate::options::{Opt, Options, value};
use crate::session::{TopicFilter, admin, block_on, failed, stop_signal};

use compare::{Comparison, Fetched};

const INTRO: &str = "Compares the replicas of topics, batch by batch, until it is ended.";

const OPTIONS: &[Opt] = &[
    value("broker-list", "String: hostname:port,...,hostname:port", "REQUIRED: The brokers to connect to."),
    value(
        "fetch-size",
        "Integer: bytes",
        "How many bytes of a partition are read at a time. (default: 1048576)",
    ),
    value("max-wait-ms", "Integer: ms", "How long a broker waits for records. (default: 1000)"),
    value("report-interval-ms", "Long: ms", "How often to report. (default: 30000)"),
    value(
        "time",
        "Long: timestamp/-1(latest)/-2(earliest)",
        "Where to begin: at a time in ms since 1970, at the end (-1), at the beginning (-2). (default: -1)",
    ),
    value("topics-include", "String: Java regex (String)", "Which topics. (default: .*)"),
];

/// Who reads, without being a replica or an ordinary consumer. Kafka: `FetchRequest.DEBUGGING_CONSUMER_ID`.
const DEBUGGING_CONSUMER: i32 = -2;
/// From this version on topics are named by id.
const BY_ID: i16 = 13;

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse(INTRO, OPTIONS, args)?;
    complain!("This tool is deprecated and may be removed in a future major release.");
    options.require(&["broker-list"])?;
    let filter = TopicFilter::new(options.value_or("topics-include", ".*")?)?;
    let config = config_map([("bootstrap.servers", options.value("broker-list")?.unwrap_or_default())]);
    block_on(async {
        let admin = admin(&config)?;
        let topics = topics(&admin, &filter).await?;
        if topics.is_empty() {
            return Err(Failure::message(
                "No topics found. [topics-include] if specified, is either filtering out all topics or there is no topic.",
            ));
        }
        let verification = Verification {
            offsets: offsets(&admin, &topics, options.number("time")?.unwrap_or(-1)).await?,
            fetch_size: options.number("fetch-size")?.unwrap_or(1 << 20),
            max_wait_ms: options.number("max-wait-ms")?.unwrap_or(1000),
            report: Duration::from_millis(options.number("report-interval-ms")?.unwrap_or(30_000)),
            topics,
        };
        writeln!(out, "{}: verification process is started", now())?;
        out.flush()?;
        tokio::select! {
            done = verification.run(&admin, out) => done,
            code = stop_signal() => Err(Failure::Code(code)),
        }
    })
}

/// The time, as the tool's reports have it.
fn now() -> String {
    format_time(now_ms(), "yyyy-MM-dd HH:mm:ss,SSS")
}

async fn topics(admin: &Admin, filter: &TopicFilter) -> Result<Vec<TopicDescription>, Failure> {
    let listed = admin.list_topics(true).await.map_err(failed)?;
    let meant = listed.into_iter().map(|topic| topic.name).filter(|name| filter.allows(name, false));
    let described = admin.describe_topics(&meant.collect::<Vec<_>>()).await.map_err(failed)?;
    described.into_values().map(|topic| topic.map_err(failed)).collect()
}

async fn offsets(
    admin: &Admin,
    topics: &[TopicDescription],
    time: i64,
) -> Result<BTreeMap<TopicPartition, Offset>, Failure> {
    let spec = match time {
        -1 => OffsetSpec::Latest,
        -2 => OffsetSpec::Earliest,
        time => OffsetSpec::Timestamp(Timestamp(time)),
    };
    let names = topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|info| (TopicPartition::new(topic.name.as_str(), info.partition), spec))
    });
    let found = admin.list_offsets(&names.collect(), IsolationLevel::ReadUncommitted).await;
    found.into_iter().map(|(name, found)| Ok((name, found.map_err(failed)?.offset))).collect()
}

/// What is compared, and how far it is.
struct Verification {
    topics: Vec<TopicDescription>,
    offsets: BTreeMap<TopicPartition, Offset>,
    fetch_size: i32,
    max_wait_ms: i32,
    report: Duration,
}

impl Verification {
    async fn run(mut self, admin: &Admin, out: &mut dyn Write) -> Result<(), Failure> {
        let mut last_report = Instant::now();
        loop {
            let fetched = self.fetch(admin).await;
            let mut comparison = Comparison::default();
            for (name, offset) in &mut self.offsets {
                let replicas: Vec<_> =
                    fetched.iter().filter_map(|(broker, all)| Some((*broker, all.get(name)?))).collect();
                let lines = comparison.partition(name, offset, &replicas);
                for line in &lines.texts {
                    writeln!(out, "{}: {line}", now())?;
                }
                out.flush()?;
                if lines.is_fatal {
                    return Err(Failure::Code(1));
                }
            }
            if last_report.elapsed() > self.report {
                writeln!(out, "{}: {}", now(), comparison.report(self.offsets.len()))?;
                out.flush()?;
                last_report = Instant::now();
            }
        }
    }

    /// Reads on from all brokers at once. Nothing comes of one that fails.
    async fn fetch(&self, admin: &Admin) -> BTreeMap<NodeId, BTreeMap<TopicPartition, Fetched>> {
        let mut brokers: BTreeMap<NodeId, Vec<(&str, Uuid, i32)>> = BTreeMap::new();
        for topic in &self.topics {
            for info in &topic.partitions {
                for replica in &info.replicas {
                    let place = (topic.name.as_str(), topic.id, info.partition);
                    brokers.entry(*replica).or_default().push(place);
                }
            }
        }
        let mut tasks = Vec::new();
        for (broker, places) in brokers {
            let (admin, by_name, by_id) =
                (admin.clone(), self.request(&places, false), self.request(&places, true));
            tasks.push((broker, tokio::spawn(async move { fetch(&admin, broker, by_name, by_id).await })));
        }
        let mut fetched = BTreeMap::new();
        for (broker, task) in tasks {
            let response = match task.await {
                Ok(Ok(response)) => response,
                _ => FetchResponse::default(),
            };
            fetched.insert(broker, self.read(response));
        }
        fetched
    }

    fn request(&self, places: &[(&str, Uuid, i32)], by_id: bool) -> FetchRequest {
        let partition = |topic: &str, partition: i32| FetchPartition {
            partition,
            fetch_offset: self
                .offsets
                .get(&TopicPartition::new(topic, partition))
                .map_or(0, |offset| offset.0),
            partition_max_bytes: self.fetch_size,
            ..Default::default()
        };
        let topics = places.chunk_by(|a, b| a.0 == b.0).map(|places| FetchTopic {
            topic: if by_id { String::new() } else { places[0].0.to_owned() },
            topic_id: if by_id { places[0].1 } else { Uuid::ZERO },
            partitions: places.iter().map(|(topic, _, index)| partition(topic, *index)).collect(),
            ..Default::default()
        });
        FetchRequest {
            max_wait_ms: self.max_wait_ms,
            min_bytes: 1,
            max_bytes: i32::MAX,
            session_epoch: -1,
            topics: topics.collect(),
            ..Default::default()
        }
    }

    fn read(&self, response: FetchResponse) -> BTreeMap<TopicPartition, Fetched> {
        let mut fetched = BTreeMap::new();
        for topic in response.responses {
            let by_id = self.topics.iter().find(|known| known.id == topic.topic_id && topic.topic.is_empty());
            let name = by_id.map_or(topic.topic.as_str(), |known| known.name.as_str());
            for partition in topic.partitions {
                let key = TopicPartition::new(name, partition.partition_index);
                let records = partition.records.and_then(|records| records.read().ok()).unwrap_or_default();
                fetched.insert(key, Fetched { high_watermark: Offset(partition.high_watermark), records });
            }
        }
        fetched
    }
}

async fn fetch(
    admin: &Admin,
    broker: NodeId,
    mut by_name: FetchRequest,
    mut by_id: FetchRequest,
) -> Result<FetchResponse, Error> {
    let connection = admin.cluster().connection(broker, Purpose::Data).await?;
    let version = connection.version_of::<FetchRequest>()?;
    if version >= 15 {
        by_id.replica_state = ReplicaState { replica_id: DEBUGGING_CONSUMER, ..Default::default() };
    } else {
        by_id.replica_id = DEBUGGING_CONSUMER;
        by_name.replica_id = DEBUGGING_CONSUMER;
    }
    connection.send_version(if version >= BY_ID { &by_id } else { &by_name }, version).await
}
