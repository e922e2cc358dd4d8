//! `kafka-e2e-latency`: how long it takes until a record that was sent can be read. Kafka: `EndToEndLatency`.

use std::io::Write;
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::admin::{CreateTopicsOptions, NewTopic};
use client::{ConfigMap, Consumer, ConsumerRecord, Producer, ProducerRecord};
use model::TopicPartition;

use crate::Failure;
use crate::datetime::now_ms;
use crate::options::{Opt, Options, maybe, value};
use crate::session::{admin, block_on, client_config, failed};

const INTRO: &str =
    "Measures how long it takes until a record that was sent can be read, one record at a time.";

const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "String: bootstrap-server", "REQUIRED: The brokers to connect to."),
    maybe("command-config", "String: config-file", "A file with properties of producer, consumer and admin."),
    maybe("num-headers", "Integer: count", "How many headers each record has. (default: 0)"),
    value("num-records", "Integer: count", "REQUIRED: How many records."),
    value("producer-acks", "String: producer-acks", "REQUIRED: Who must have written a record: 1 or all."),
    maybe("record-header-key-size", "Integer: bytes", "How long the names of headers are. (default: 0)"),
    maybe(
        "record-header-size",
        "Integer: bytes",
        "How long the values of headers are; -1 for null. (default: 0)",
    ),
    maybe("record-key-size", "Integer: bytes", "How long keys are. (default: 0)"),
    value("record-size", "Integer: bytes", "REQUIRED: How long values are."),
    value("topic", "String: topic-name", "REQUIRED: The topic; made with one partition if it is not there."),
];

const REQUIRED: [&str; 5] = ["bootstrap-server", "topic", "num-records", "producer-acks", "record-size"];
const POLL: Duration = Duration::from_secs(60);
const OLD_USAGE: &str = "Expected 5 or 6 positional arguments, but got";

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let args = named(args, out)?;
    let options = Options::parse_or_usage(INTRO, OPTIONS, &args)?;
    let plan = Plan::read(&options)?;
    let base = client_config(options.value("command-config")?, options.value("bootstrap-server")?)?;
    let acks = options.value("producer-acks")?.unwrap_or_default().to_owned();
    block_on(async {
        create_topic(&base, &plan.topic, out).await?;
        let mut consumer = Consumer::from_map(&consumer_config(&base)).map_err(failed)?;
        begin(&mut consumer, &base, &plan.topic).await?;
        let producer = Producer::from_map(&producer_config(&base, &acks)).map_err(failed)?;
        let measured = measure(&producer, &mut consumer, &plan, out).await;
        let committed = consumer.commit_sync().await.map_err(failed);
        producer.close(Duration::from_secs(30)).await;
        let _ = consumer.close(Duration::from_secs(30)).await;
        show(measured?, out)?;
        committed
    })
}

/// Arguments of old are told by their place. Kafka: `EndToEndLatency.convertLegacyArgsIfNeeded`.
fn named(args: &[String], out: &mut dyn Write) -> Result<Vec<String>, Failure> {
    let is_new = |word: &String| word.strip_prefix("--").is_some_and(|name| REQUIRED.contains(&name));
    if args.is_empty() || args.iter().any(is_new) {
        return Ok(args.to_vec());
    }
    if !(5..=6).contains(&args.len()) {
        return Err(Failure::message(format!(
            "Invalid number of arguments. {OLD_USAGE} {}. Usage: bootstrap-server topic num-records producer-acks \
             record-size [optional] command-config",
            args.len()
        )));
    }
    writeln!(
        out,
        "WARNING: Positional argument usage is deprecated and will be removed in Apache Kafka 5.0. Please use named \
         arguments instead: --bootstrap-server, --topic, --num-records, --producer-acks, --record-size, --command-config"
    )?;
    let names = REQUIRED.into_iter().chain(["command-config"]);
    Ok(names.zip(args).flat_map(|(name, value)| [format!("--{name}"), value.clone()]).collect())
}

/// What the command line asks for. Sizes are in bytes.
struct Plan {
    topic: String,
    count: usize,
    value: usize,
    key: usize,
    headers: usize,
    header_key: usize,
    /// `None` for null.
    header_value: Option<usize>,
}

impl Plan {
    fn read(options: &Options) -> Result<Self, Failure> {
        options.require(&REQUIRED)?;
        if !matches!(options.value("producer-acks")?, Some("1" | "all")) {
            return Err(options.usage(
                "Invalid value for --producer-acks. Latency testing requires synchronous acknowledgement. Please use \
                 '1' or 'all'.",
            ));
        }
        let count: i32 = options.number("num-records")?.unwrap_or(0);
        if count <= 0 {
            return Err(options.usage("Value for --num-records must be a positive integer."));
        }
        let size = |name: &str| -> Result<usize, Failure> {
            let size: i32 = options.number(name)?.unwrap_or(0);
            usize::try_from(size)
                .map_err(|_| options.usage(format!("Value for --{name} must be a non-negative integer.")))
        };
        let header_value: i32 = options.number("record-header-size")?.unwrap_or(0);
        if header_value < -1 {
            return Err(options.usage(
                "Value for --record-header-size must be a non-negative integer or -1 for null header value.",
            ));
        }
        Ok(Self {
            topic: options.value("topic")?.unwrap_or_default().to_owned(),
            count: usize::try_from(count).unwrap_or(0),
            value: size("record-size")?,
            key: size("record-key-size")?,
            headers: size("num-headers")?,
            header_key: size("record-header-key-size")?,
            header_value: usize::try_from(header_value).ok(),
        })
    }

    /// A record whose parts are one letter each, which `index` decides.
    fn record(&self, index: usize) -> ProducerRecord {
        let letters = |part: usize, size: usize| {
            let letter = b'A' + u8::try_from((index * 7 + part * 11) % 26).unwrap_or(0);
            vec![letter; size]
        };
        let mut record =
            ProducerRecord::to(self.topic.as_str()).key(letters(0, self.key)).value(letters(1, self.value));
        for header in 0..self.headers {
            let key = String::from_utf8(letters(2 + header, self.header_key)).unwrap_or_default();
            let value = self.header_value.map(|size| Bytes::from(letters(3 + header, size)));
            record.headers.push((key, value));
        }
        record
    }
}

fn with(base: &ConfigMap, settings: &[(&str, &str)]) -> ConfigMap {
    let mut config = base.clone();
    config.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    config
}

fn consumer_config(base: &ConfigMap) -> ConfigMap {
    let group = format!("test-group-{}", now_ms());
    with(
        base,
        &[
            ("group.id", &group),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "latest"),
            ("fetch.max.wait.ms", "0"),
        ],
    )
}

fn producer_config(base: &ConfigMap, acks: &str) -> ConfigMap {
    with(base, &[("linger.ms", "0"), ("max.block.ms", "9223372036854775807"), ("acks", acks)])
}

/// Makes the topic, if it is not there.
async fn create_topic(base: &ConfigMap, topic: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let admin = admin(base)?;
    if admin.list_topics(true).await.map_err(failed)?.iter().any(|listing| listing.name == topic) {
        return Ok(());
    }
    writeln!(
        out,
        "Topic \"{topic}\" does not exist. Will create topic with 1 partition(s) and replication factor = 1"
    )?;
    let new = NewTopic::new(topic).sized(1, 1);
    let created = admin.create_topics(&[new], CreateTopicsOptions::default()).await.map_err(failed)?;
    if let Some(error) = created.into_values().find_map(Result::err) {
        writeln!(out, "Creation of topic {topic} failed")?;
        return Err(failed(error));
    }
    Ok(())
}

/// Takes all partitions of the topic, at their ends.
async fn begin(consumer: &mut Consumer, base: &ConfigMap, topic: &str) -> Result<(), Failure> {
    let probe = Producer::from_map(base).map_err(failed)?;
    let count = probe.partition_count(topic).await.map_err(failed)?;
    probe.close(Duration::ZERO).await;
    let partitions: Vec<_> = (0..count).map(|index| TopicPartition::new(topic, index)).collect();
    consumer.assign(&partitions).await.map_err(failed)?;
    consumer.seek_to_end(&partitions).map_err(failed)?;
    for partition in &partitions {
        consumer.position(partition).await.map_err(failed)?;
    }
    Ok(())
}

/// Sends and reads one record after the other; how long each took.
async fn measure(
    producer: &Producer,
    consumer: &mut Consumer,
    plan: &Plan,
    out: &mut dyn Write,
) -> Result<Vec<Duration>, Failure> {
    let mut latencies = Vec::with_capacity(plan.count.min(1 << 20));
    for index in 0..plan.count {
        let record = plan.record(index);
        let begin = Instant::now();
        producer.send(record.clone()).await.map_err(failed)?;
        let records = consumer.poll(POLL).await.map_err(failed)?;
        let elapsed = begin.elapsed();
        check(&record, &records.records)?;
        if index % 1000 == 0 {
            writeln!(out, "{index}\t{}", elapsed.as_secs_f64() * 1000.0)?;
        }
        latencies.push(elapsed);
    }
    Ok(latencies)
}

/// Kafka: `EndToEndLatency.validate`.
fn check(sent: &ProducerRecord, read: &[ConsumerRecord]) -> Result<(), Failure> {
    let text =
        |bytes: &Option<Bytes>| String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned();
    let refuse = |text: String| Err(Failure::message(text));
    let Some(first) = read.first() else {
        let waited = POLL.as_millis();
        return refuse(format!("poll() timed out before finding a result (timeout:[{waited}ms])"));
    };
    for (what, read, sent) in [("value", &first.value, &sent.value), ("key", &first.key, &sent.key)] {
        if read != sent {
            return refuse(format!(
                "The message {what} read [{}] did not match the message {what} sent [{}]",
                text(read),
                text(sent)
            ));
        }
    }
    let read_headers: Vec<_> =
        first.headers.iter().map(|header| (header.key.clone(), header.value.clone())).collect();
    if read_headers != sent.headers {
        return refuse(format!(
            "The message headers read {read_headers:?} did not match the message headers sent {:?}",
            sent.headers
        ));
    }
    match read.len() {
        1 => Ok(()),
        count => refuse(format!("Only one result was expected during this test. We found [{count}]")),
    }
}

fn show(mut latencies: Vec<Duration>, out: &mut dyn Write) -> Result<(), Failure> {
    let total: Duration = latencies.iter().sum();
    let average = total.as_secs_f64() * 1000.0 / latencies.len().max(1) as f64;
    writeln!(out, "Avg latency: {average:.4} ms")?;
    latencies.sort();
    let at = |part: f64| {
        let index = (latencies.len() as f64 * part) as usize;
        latencies.get(index).map_or(0, Duration::as_millis)
    };
    let (p50, p99, p999) = (at(0.5), at(0.99), at(0.999));
    Ok(writeln!(out, "Percentiles: 50th = {p50}, 99th = {p99}, 99.9th = {p999}")?)
}
