//! `kafka-share-consumer-perf-test`: reads records in a share group and tells how fast they came. Kafka:
//! `ShareConsumerPerformance`.
//!
//! Unlike Kafka's, it does not break off when reading takes longer than `--timeout`, but when no record came for so long.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use client::{ConfigMap, ShareConsumer};
use tokio::task::JoinSet;

use super::perf_test::{self, Read};
use crate::Failure;
use crate::datetime::{format_time, now_ms};
use crate::options::{Opt, Options, flag, maybe, value};
use crate::print_metrics::print_metrics;
use crate::session::{block_on, failed};

const INTRO: &str = "Reads records in a share group and tells how fast they came.";

const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "String: server to connect to", "REQUIRED: The brokers to connect to."),
    value("command-config", "String: config file", "A file with properties of the consumer."),
    value(
        "command-property",
        "String: prop1=val1",
        "A property of the consumer, as key=value; may be repeated.",
    ),
    value("consumer.config", "String: config file", "The old name of --command-config."),
    value("date-format", "String: date format", "How times are written. (default: yyyy-MM-dd HH:mm:ss:SSS)"),
    value("fetch-size", "Integer: size", "How many bytes to fetch at a time. (default: 1048576)"),
    value("group", "String: gid", "The share group. (default: perf-share-consumer)"),
    flag("hide-header", "Print no header."),
    value("messages", "Long: count", "The old name of --num-records."),
    value("num-records", "Long: count", "REQUIRED: How many records to read."),
    flag("print-metrics", "Print the consumers' metrics at the end."),
    value("reporting-interval", "Long: interval_ms", "How often to report, in milliseconds. (default: 5000)"),
    flag("show-consumer-stats", "Report what each consumer read."),
    flag("show-detailed-stats", "Report as often as --reporting-interval says."),
    value("socket-buffer-size", "Integer: size", "The size of the socket's buffer. (default: 2097152)"),
    value("threads", "Integer: count", "How many consumers share the load. (default: 1)"),
    maybe("timeout", "Long: milliseconds", "How long to wait for a record. (default: 10000)"),
    value("topic", "String: topic", "REQUIRED: The topic to read."),
];

const POLL: Duration = Duration::from_millis(100);

/// What to read and how to tell of it.
struct Plan {
    topic: String,
    count: u64,
    interval: Duration,
    timeout: Duration,
    is_detailed: bool,
    tells_consumers: bool,
    prints_metrics: bool,
    pattern: String,
}

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse_or_usage(INTRO, OPTIONS, args)?;
    let plan = Arc::new(plan(&options, out)?);
    let configs = configurations(&options)?;
    if !options.has("hide-header") {
        writeln!(
            out,
            "start.time, end.time, data.consumed.in.MB, MB.sec, nMsg.sec, data.consumed.in.nMsg, fetch.time.ms"
        )?;
    }
    block_on(measure(&plan, &configs, out))
}

fn plan(options: &Options, out: &mut dyn Write) -> Result<Plan, Failure> {
    options.require(&["topic", "bootstrap-server"])?;
    perf_test::check(options, out)?;
    let interval = perf_test::millis(options, "reporting-interval", 5000)?;
    if interval.is_zero() {
        return Err(Failure::message("Reporting interval must be greater than 0."));
    }
    Ok(Plan {
        topic: options.value_or("topic", "")?.to_owned(),
        count: perf_test::count(options)?,
        interval,
        timeout: perf_test::millis(options, "timeout", 10_000)?,
        is_detailed: options.has("show-detailed-stats"),
        tells_consumers: options.has("show-consumer-stats"),
        prints_metrics: options.has("print-metrics"),
        pattern: options.value_or("date-format", "yyyy-MM-dd HH:mm:ss:SSS")?.to_owned(),
    })
}

/// The configuration of each consumer.
fn configurations(options: &Options) -> Result<Vec<ConfigMap>, Failure> {
    let mut map = perf_test::consumer_config(options)?;
    map.insert("group.id".into(), options.value_or("group", "perf-share-consumer")?.into());
    map.insert("fetch.max.bytes".into(), options.value_or("fetch-size", "1048576")?.into());
    let client_id =
        map.entry("client.id".into()).or_insert_with(|| "perf-share-consumer-client".into()).clone();
    let threads = options.number::<usize>("threads")?.unwrap_or(1);
    if threads <= 1 {
        return Ok(vec![map; threads]);
    }
    let numbered = |number: usize| {
        let mut map = map.clone();
        map.insert("client.id".into(), format!("{client_id}-{number}"));
        map
    };
    Ok((1..=threads).map(numbered).collect())
}

async fn measure(plan: &Arc<Plan>, configs: &[ConfigMap], out: &mut dyn Write) -> Result<(), Failure> {
    let mut consumers = Vec::new();
    for config in configs {
        let mut consumer = ShareConsumer::from_map(config).map_err(failed)?;
        consumer.subscribe(&[&plan.topic]).await.map_err(failed)?;
        consumers.push(consumer);
    }
    let span = Span { started: Instant::now(), start_ms: now_ms() };
    let total = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for (index, consumer) in consumers.into_iter().enumerate() {
        tasks.spawn(consume(consumer, plan.clone(), total.clone(), index + 1));
    }
    let mut ended = Vec::new();
    while let Some(done) = tasks.join_next().await {
        ended.push(done.map_err(|error| Failure::message(error.to_string()))??);
    }
    ended.sort_by_key(|(number, ..)| *number);
    let client_id = |number: usize| configs[number - 1]["client.id"].as_str();
    if plan.tells_consumers {
        for (number, _, read) in &ended {
            let client_id = client_id(*number);
            let figures = span.figures(*read, &plan.pattern);
            writeln!(
                out,
                "Share consumer {number} having client id {client_id} consumption metrics- {figures}"
            )?;
        }
    }
    if total.load(Ordering::Relaxed) < plan.count {
        perf_test::warn_of_timeout(plan.timeout, out)?;
    }
    let figures = span.figures(ended.iter().map(|(_, _, read)| *read).sum(), &plan.pattern);
    let mut metrics = Vec::new();
    for (number, mut consumer, _) in ended {
        metrics.push((client_id(number).to_owned(), consumer.metrics()));
        let committed = consumer.commit_sync(Duration::from_secs(60)).await;
        let closed = consumer.close(Duration::from_millis(500)).await;
        committed.map_err(failed)?;
        closed.map_err(failed)?;
    }
    writeln!(out, "{figures}")?;
    for (client_id, metrics) in metrics.iter().filter(|_| plan.prints_metrics) {
        print_metrics(metrics, client_id, out)?;
    }
    Ok(())
}

/// Reads until all consumers together have read enough, or no record comes any more.
async fn consume(
    mut consumer: ShareConsumer,
    plan: Arc<Plan>,
    total: Arc<AtomicU64>,
    number: usize,
) -> Result<(usize, ShareConsumer, Read), Failure> {
    let (mut read, mut before) = (Read::default(), Read::default());
    let (mut last_record, mut last_report) = (Instant::now(), (Instant::now(), now_ms()));
    while total.load(Ordering::Relaxed) < plan.count && last_record.elapsed() <= plan.timeout {
        let records = consumer.poll(POLL).await.map_err(failed)?;
        if records.is_empty() {
            continue;
        }
        last_record = Instant::now();
        total.fetch_add(records.len() as u64, Ordering::Relaxed);
        records.iter().for_each(|record| read.add(&record.record));
        if last_report.0.elapsed() >= plan.interval {
            if plan.is_detailed {
                let now = now_ms();
                say!("{} for share consumer {number}", progress(&plan, (before, read), last_report.1, now));
            }
            (before, last_report) = (read, (Instant::now(), now_ms()));
        }
    }
    Ok((number, consumer, read))
}

/// What was read since the last report.
fn progress(plan: &Plan, (before, now): (Read, Read), start_ms: i64, end_ms: i64) -> String {
    let elapsed_ms = (end_ms - start_ms) as f64;
    let new = now.since(before);
    format!(
        "{}, {}, {:.4}, {:.4}, {:.4}, {}, {}",
        format_time(start_ms, &plan.pattern),
        format_time(end_ms, &plan.pattern),
        now.megabytes(),
        1000.0 * new.megabytes() / elapsed_ms,
        new.records as f64 / elapsed_ms * 1000.0,
        now.records,
        end_ms - start_ms
    )
}

/// When reading began.
struct Span {
    started: Instant,
    start_ms: i64,
}

impl Span {
    /// What was read from then on until now.
    fn figures(&self, read: Read, pattern: &str) -> String {
        let elapsed = self.started.elapsed();
        let megabytes = read.megabytes();
        format!(
            "{}, {}, {megabytes:.4}, {:.4}, {:.4}, {}, {}",
            format_time(self.start_ms, pattern),
            format_time(now_ms(), pattern),
            megabytes / elapsed.as_secs_f64(),
            read.records as f64 / elapsed.as_secs_f64(),
            read.records,
            elapsed.as_millis()
        )
    }
}
