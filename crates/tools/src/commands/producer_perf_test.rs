//! `kafka-producer-perf-test`: sends records as fast as asked for and tells how long they took.
//!
//! Kafka: `ProducerPerformance`.

mod statistics;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::{ClientMetric, ConfigMap, Producer, ProducerRecord};
use tokio::sync::mpsc;

use crate::Failure;
use crate::arguments::Arity::{Flag, Many, One};
use crate::arguments::{Arguments, Syntax, arg};
use crate::commands::storage::random_uuid;
use crate::print_metrics::print_metrics;
use crate::progress::Progress;
use crate::session::{block_on, client_config, failed};

use statistics::Statistics;

const SYNTAX: Syntax = Syntax {
    program: "kafka-producer-perf-test",
    intro: "Sends records and tells how many went through and how long they took.",
    args: &[
        arg("--bootstrap-server", "", One, "The brokers to connect to."),
        arg("--topic", "", One, "The topic to send to.").required(),
        arg("--num-records", "", One, "How many records to send.").required(),
        arg("--payload-delimiter", "", One, "What separates records in the payload file. (default: \\n)"),
        arg("--throughput", "", One, "How many records a second to send at most; -1 for no limit.")
            .required(),
        arg("--producer-props", "", Many, "The old name of --command-property."),
        arg("--command-property", "", Many, "Properties of the producer, as key=value."),
        arg("--producer.config", "", One, "The old name of --command-config."),
        arg("--command-config", "", One, "A file with properties of the producer."),
        arg("--print-metrics", "", Flag, "Print the producer's metrics at the end."),
        arg("--transactional-id", "", One, "Send within transactions of this id."),
        arg("--transaction-duration-ms", "", One, "How long a transaction lasts."),
        arg("--warmup-records", "", One, "How many first records the steady state leaves out. (default: 0)"),
        arg("--reporting-interval", "", One, "How often to report, in milliseconds. (default: 5000)"),
        arg("--record-size", "", One, "The size of each record in bytes.").group(-1),
        arg("--payload-file", "", One, "A file with records, of which one is taken by chance each time.")
            .group(-1),
        arg("--payload-monotonic", "", Flag, "Send numbers that grow.").group(-1),
    ],
    commands: &[],
};

/// How long a transaction lasts if that is not said.
const DEFAULT_TRANSACTION_MS: i64 = 3000;

/// What records are made of.
enum Payload {
    Random(usize),
    Lines(Vec<Bytes>),
    Numbers,
}

/// How fast and how much to send.
struct Plan {
    topic: String,
    count: u64,
    per_second: f64,
    warmup: u64,
    interval: Duration,
    payload: Payload,
    /// How long each transaction takes records, where there are transactions.
    transactions: Option<Duration>,
}

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let args = Arguments::parse_or_help(&SYNTAX, args)?;
    let mut config = producer_config(&args)?;
    let transactions = transactions(&args, &mut config)?;
    let plan = Plan { transactions, ..plan(&args, out)? };
    if plan.warmup > 0 {
        writeln!(
            out,
            "Warmup first {} records. Steady state results will print after the complete test summary.",
            plan.warmup
        )?;
        out.flush()?;
    }
    let Sent { steady, all, metrics } = block_on(send(&config, &plan))?;
    writeln!(out, "{}", all.total("records sent"))?;
    if let Some(steady) = steady {
        writeln!(out, "{}", steady.total("steady state records sent"))?;
    }
    if args.has("--print-metrics") {
        print_metrics(&metrics, &config["client.id"], out)?;
    }
    Ok(())
}

fn number<T: std::str::FromStr>(args: &Arguments, name: &str, kind: &str) -> Result<Option<T>, Failure> {
    let parse = |text: &str| {
        text.parse().map_err(|_| {
            let reason = format!(
                "argument {name}: could not convert '{text}' to {kind} (For input string: \"{text}\")"
            );
            Failure::message(format!("{}{}: error: {reason}", SYNTAX.usage(), SYNTAX.program))
        })
    };
    args.value(name).map(parse).transpose()
}

fn plan(args: &Arguments, out: &mut dyn Write) -> Result<Plan, Failure> {
    let payload = if let Some(size) = number(args, "--record-size", "Integer")? {
        Payload::Random(size)
    } else if let Some(path) = args.value("--payload-file") {
        Payload::Lines(read_payloads(path, args.value("--payload-delimiter").unwrap_or("\\n"), out)?)
    } else {
        Payload::Numbers
    };
    let count = number(args, "--num-records", "Long")?.unwrap_or(0);
    let warmup = number(args, "--warmup-records", "Long")?.unwrap_or(0);
    if warmup > 0 && warmup >= count {
        return Err(Failure::message(
            "The value for --warmup-records must be strictly fewer than the number of records in the test, --num-records.",
        ));
    }
    Ok(Plan {
        topic: args.value("--topic").unwrap_or_default().to_owned(),
        count,
        per_second: number(args, "--throughput", "Double")?.unwrap_or(-1.0),
        warmup,
        interval: Duration::from_millis(number(args, "--reporting-interval", "Long")?.unwrap_or(5000)),
        payload,
        transactions: None,
    })
}

/// Whether to send within transactions, and how long each takes records.
fn transactions(args: &Arguments, config: &mut ConfigMap) -> Result<Option<Duration>, Failure> {
    let duration = number::<i64>(args, "--transaction-duration-ms", "Long")?;
    if duration.is_some_and(|duration| duration <= 0) {
        let text = "--transaction-duration-ms should be greater than zero.";
        return Err(Failure::message(format!("{}{}: error: {text}", SYNTAX.usage(), SYNTAX.program)));
    }
    let given = args.value("--transactional-id");
    if duration.is_none() && given.is_none() && !config.contains_key("transactional.id") {
        return Ok(None);
    }
    if let Some(id) = given {
        config.insert("transactional.id".into(), id.into());
    }
    if !config.contains_key("transactional.id") {
        config.insert("transactional.id".into(), format!("performance-producer-{}", random_uuid()?));
    }
    Ok(Some(Duration::from_millis(duration.unwrap_or(DEFAULT_TRANSACTION_MS) as u64)))
}

fn read_payloads(path: &str, delimiter: &str, out: &mut dyn Write) -> Result<Vec<Bytes>, Failure> {
    let shown = std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.display().to_string());
    writeln!(out, "Reading payloads from: {shown}")?;
    let text = std::fs::read_to_string(path).unwrap_or_default();
    if text.is_empty() {
        return Err(Failure::message("File does not exist or empty file provided."));
    }
    let regex = regex::Regex::new(delimiter).map_err(|error| Failure::message(error.to_string()))?;
    let mut payloads: Vec<_> =
        regex.split(&text).map(|part| Bytes::copy_from_slice(part.as_bytes())).collect();
    while payloads.last().is_some_and(Bytes::is_empty) {
        payloads.pop();
    }
    writeln!(out, "Number of records read: {}", payloads.len())?;
    Ok(payloads)
}

fn producer_config(args: &Arguments) -> Result<ConfigMap, Failure> {
    let mut map = client_config(args.value("--command-config").or(args.value("--producer.config")), None)?;
    for pair in args.values("--producer-props").into_iter().chain(args.values("--command-property")) {
        let (key, value) =
            pair.split_once('=').ok_or_else(|| Failure::message(format!("Invalid property: {pair}")))?;
        map.insert(key.to_owned(), value.to_owned());
    }
    if let Some(servers) = args.value("--bootstrap-server") {
        map.insert("bootstrap.servers".into(), servers.into());
    }
    if !map.contains_key("bootstrap.servers") {
        let text = "At least one of --bootstrap-server, --command-property, --producer-props, --producer.config or --command-config must be specified.";
        return Err(Failure::message(format!("{}{}: error: {text}", SYNTAX.usage(), SYNTAX.program)));
    }
    map.entry("client.id".into()).or_insert_with(|| "perf-producer-client".into());
    Ok(map)
}

/// What came of sending everything.
struct Sent {
    /// Without the first records, if they are to be left out.
    steady: Option<Statistics>,
    all: Statistics,
    metrics: Vec<ClientMetric>,
}

/// Sends everything.
async fn send(config: &ConfigMap, plan: &Plan) -> Result<Sent, Failure> {
    let producer = Producer::from_map(config).map_err(failed)?;
    let all = Arc::new(Mutex::new(Statistics::new(plan.count, plan.interval)));
    let steady = (plan.warmup > 0)
        .then(|| Arc::new(Mutex::new(Statistics::new(plan.count - plan.warmup, Duration::MAX))));
    let (sender, mut receiver) =
        mpsc::unbounded_channel::<(client::producer::Delivery, Instant, usize, bool)>();
    let (counted, counted_steady) = (Arc::clone(&all), steady.clone());
    let collector = tokio::spawn(async move {
        while let Some((delivery, sent, size, is_steady)) = receiver.recv().await {
            match delivery.await {
                Err(error) => complain!("{error}"),
                Ok(_) => {
                    let steady = counted_steady.iter().filter(|_| is_steady);
                    for statistics in [&counted].into_iter().chain(steady) {
                        statistics.lock().expect("no holder panics").record(sent.elapsed(), size);
                    }
                }
            }
        }
    });
    if plan.transactions.is_some() {
        producer.init_transactions().await.map_err(failed)?;
    }
    let mut transaction = None;
    let progress = Progress::new(plan.count, "records");
    let start = Instant::now();
    let mut random = Random::new();
    for index in 0..plan.count {
        if plan.transactions.is_some() && transaction.is_none() {
            producer.begin_transaction().map_err(failed)?;
            transaction = Some(Instant::now());
        }
        let value = random.payload(&plan.payload, index);
        let size = value.len();
        if let Some(steady) = steady.as_ref().filter(|_| index == plan.warmup) {
            steady.lock().expect("no holder panics").restart();
        }
        let sent = Instant::now();
        match producer.enqueue(ProducerRecord::to(plan.topic.as_str()).value(value)).await {
            Ok(delivery) => {
                let message = (delivery, sent, size, index >= plan.warmup);
                sender.send(message).map_err(|_| Failure::message("the collector ended"))?;
            }
            Err(error) => complain!("{error}"),
        }
        let lasted = transaction.map(|since| sent.duration_since(since));
        if lasted.zip(plan.transactions).is_some_and(|(lasted, duration)| lasted >= duration) {
            producer.commit_transaction().await.map_err(failed)?;
            transaction = None;
        }
        progress.set(index + 1);
        if plan.per_second > 0.0 {
            let due = start + Duration::from_secs_f64((index + 1) as f64 / plan.per_second);
            if due > Instant::now() + Duration::from_millis(1) {
                tokio::time::sleep_until(due.into()).await;
            }
        }
    }
    if transaction.is_some() {
        producer.commit_transaction().await.map_err(failed)?;
    }
    producer.flush().await;
    drop(sender);
    collector.await.map_err(|error| Failure::message(error.to_string()))?;
    progress.finish();
    let metrics = producer.metrics();
    producer.close(Duration::from_secs(60)).await;
    let take = |shared: &Arc<Mutex<Statistics>>| shared.lock().expect("no holder panics").clone();
    Ok(Sent { steady: steady.as_ref().map(take), all: take(&all), metrics })
}

/// A small generator of payloads: what it gives need not be secret.
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn payload(&mut self, payload: &Payload, index: u64) -> Bytes {
        match payload {
            Payload::Numbers => Bytes::from(index.to_string()),
            Payload::Lines(lines) => lines[(self.next() % lines.len().max(1) as u64) as usize].clone(),
            Payload::Random(size) => {
                let mut bytes = Vec::with_capacity(*size);
                while bytes.len() < *size {
                    let mut word = self.next();
                    for _ in 0..8.min(size - bytes.len()) {
                        bytes.push(b'A' + (word % 26) as u8);
                        word /= 26;
                    }
                }
                bytes.into()
            }
        }
    }
}
