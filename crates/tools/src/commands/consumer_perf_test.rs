//! `kafka-consumer-perf-test`: reads records and tells how fast they came. Kafka: `ConsumerPerformance`.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use client::consumer::{ListenerFuture, RebalanceListener};
use client::{ConfigMap, Consumer};
use model::TopicPartition;
use regex::Regex;

use super::perf_test::{self, Read};
use crate::Failure;
use crate::datetime::{format_time, now_ms};
use crate::options::{Opt, Options, flag, maybe, value};
use crate::print_metrics::print_metrics;
use crate::progress::Progress;
use crate::session::{block_on, failed};

const INTRO: &str = "Reads records and tells how fast they came.";

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
    value(
        "fetch-size",
        "Integer: size",
        "How many bytes of a partition to fetch at a time. (default: 1048576)",
    ),
    flag("from-latest", "Begin with the newest record where the group has no offset yet."),
    value("group", "String: gid", "The group; one of its own, if unset."),
    flag("hide-header", "Print no header."),
    value("include", "String: Java regex (String)", "The topics, as a regular expression."),
    value("messages", "Long: count", "The old name of --num-records."),
    value("num-records", "Long: count", "REQUIRED: How many records to read."),
    flag("print-metrics", "Print the consumer's metrics at the end."),
    value("reporting-interval", "Long: interval_ms", "How often to report, in milliseconds. (default: 5000)"),
    flag("show-detailed-stats", "Report as often as --reporting-interval says."),
    value("socket-buffer-size", "Integer: size", "The size of the socket's buffer. (default: 2097152)"),
    maybe("timeout", "Long: milliseconds", "How long to wait for a record. (default: 10000)"),
    value("topic", "String: topic", "The topic to read."),
];

/// What to read and how to tell of it.
struct Plan {
    topic: Option<String>,
    include: String,
    count: u64,
    interval: Duration,
    timeout: Duration,
    is_detailed: bool,
    prints_metrics: bool,
    pattern: String,
}

/// How long the group was rebalancing.
#[derive(Clone, Copy)]
struct Joining {
    since: Instant,
    total: Duration,
    this_round: Duration,
}

/// Measures rebalances.
struct Watch(Arc<Mutex<Joining>>);

impl RebalanceListener for Watch {
    fn on_partitions_revoked<'a>(
        &'a mut self,
        _: &'a mut Consumer,
        _: &'a [TopicPartition],
    ) -> ListenerFuture<'a> {
        self.0.lock().expect("no holder panics").since = Instant::now();
        Box::pin(std::future::ready(Ok(())))
    }

    fn on_partitions_assigned<'a>(
        &'a mut self,
        _: &'a mut Consumer,
        _: &'a [TopicPartition],
    ) -> ListenerFuture<'a> {
        let mut joining = self.0.lock().expect("no holder panics");
        let elapsed = joining.since.elapsed();
        joining.total += elapsed;
        joining.this_round += elapsed;
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse_or_usage(INTRO, OPTIONS, args)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    let plan = plan(&options, out)?;
    let config = consumer_config(&options)?;
    if !options.has("hide-header") {
        let first = if plan.is_detailed { "time, threadId" } else { "start.time, end.time" };
        writeln!(
            out,
            "{first}, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, \
             fetch.MB.sec, fetch.nMsg.sec"
        )?;
    }
    block_on(measure(&config, &plan, out))
}

fn plan(options: &Options, out: &mut dyn Write) -> Result<Plan, Failure> {
    options.require(&["bootstrap-server"])?;
    options.require_one_of(&["topic", "include"])?;
    perf_test::check(options, out)?;
    Ok(Plan {
        topic: options.value("topic")?.map(str::to_owned),
        include: options.value_or("include", "")?.to_owned(),
        count: perf_test::count(options)?,
        interval: perf_test::millis(options, "reporting-interval", 5000)?,
        timeout: perf_test::millis(options, "timeout", 10_000)?,
        is_detailed: options.has("show-detailed-stats"),
        prints_metrics: options.has("print-metrics"),
        pattern: options.value_or("date-format", "yyyy-MM-dd HH:mm:ss:SSS")?.to_owned(),
    })
}

fn consumer_config(options: &Options) -> Result<ConfigMap, Failure> {
    let mut map = perf_test::consumer_config(options)?;
    let own = format!("perf-consumer-{}", now_ms() % 100_000);
    if options.has("group") || !map.contains_key("group.id") {
        map.insert("group.id".into(), options.value_or("group", &own)?.into());
    }
    map.insert("max.partition.fetch.bytes".into(), options.value_or("fetch-size", "1048576")?.into());
    let reset = if options.has("from-latest") { "latest" } else { "earliest" };
    map.insert("auto.offset.reset".into(), reset.into());
    map.entry("client.id".into()).or_insert_with(|| "perf-consumer-client".into());
    Ok(map)
}

async fn measure(config: &ConfigMap, plan: &Plan, out: &mut dyn Write) -> Result<(), Failure> {
    let now = Instant::now();
    let joining = Joining { since: now, total: Duration::ZERO, this_round: Duration::ZERO };
    let joining = Arc::new(Mutex::new(joining));
    let mut consumer = Consumer::from_map(config).map_err(failed)?;
    consumer.set_rebalance_listener(Watch(Arc::clone(&joining)));
    match &plan.topic {
        Some(topic) => consumer.subscribe(&[topic]).await.map_err(failed)?,
        None => {
            let pattern = Regex::new(&format!("^(?:{})$", plan.include));
            let pattern = pattern.map_err(|error| Failure::message(error.to_string()))?;
            consumer.subscribe_pattern(pattern).map_err(failed)?;
        }
    }
    let (started, start_ms) = (Instant::now(), now_ms());
    let read = consume(&mut consumer, plan, &joining, out).await?;
    let (elapsed, end_ms) = (started.elapsed(), now_ms());
    let metrics = consumer.metrics();
    if let Err(error) = consumer.close(Duration::from_secs(30)).await {
        complain!("{error}");
    }
    if !plan.is_detailed {
        let joined = joining.lock().expect("no holder panics").total;
        let fetching = elapsed.saturating_sub(joined);
        let megabytes = read.megabytes();
        let per = |amount: f64, time: Duration| amount / time.as_secs_f64();
        writeln!(
            out,
            "{}, {}, {megabytes:.4}, {:.4}, {}, {:.4}, {}, {}, {:.4}, {:.4}",
            format_time(start_ms, &plan.pattern),
            format_time(end_ms, &plan.pattern),
            per(megabytes, elapsed),
            read.records,
            per(read.records as f64, elapsed),
            joined.as_millis(),
            fetching.as_millis(),
            per(megabytes, fetching),
            per(read.records as f64, fetching)
        )?;
    }
    if plan.prints_metrics {
        print_metrics(&metrics, &config["client.id"], out)?;
    }
    Ok(())
}

async fn consume(
    consumer: &mut Consumer,
    plan: &Plan,
    joining: &Mutex<Joining>,
    out: &mut dyn Write,
) -> Result<Read, Failure> {
    let (mut read, mut before) = (Read::default(), Read::default());
    let (mut last_record, mut last_report) = (Instant::now(), Instant::now());
    let progress = Progress::new(plan.count, "records");
    while read.records < plan.count && last_record.elapsed() <= plan.timeout {
        let records = consumer.poll(Duration::from_millis(100)).await.map_err(failed)?;
        if !records.is_empty() {
            last_record = Instant::now();
        }
        records.records.iter().for_each(|record| read.add(record));
        progress.set(read.records);
        if last_report.elapsed() >= plan.interval {
            let joined = std::mem::take(&mut joining.lock().expect("no holder panics").this_round);
            if plan.is_detailed {
                report(plan, (before, read), last_report.elapsed(), joined, out)?;
            }
            (before, last_report) = (read, Instant::now());
        }
    }
    progress.finish();
    if read.records < plan.count {
        perf_test::warn_of_timeout(plan.timeout, out)?;
    }
    Ok(read)
}

fn report(
    plan: &Plan,
    (before, now): (Read, Read),
    elapsed: Duration,
    joined: Duration,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let fetching = elapsed.saturating_sub(joined);
    let new = now.since(before);
    let (megabytes, records) = (new.megabytes(), new.records as f64);
    let per = |amount: f64, time: Duration| if time.is_zero() { 0.0 } else { amount / time.as_secs_f64() };
    writeln!(
        out,
        "{}, 0, {:.4}, {:.4}, {}, {:.4}, {}, {}, {:.4}, {:.4}",
        format_time(now_ms(), &plan.pattern),
        now.megabytes(),
        per(megabytes, elapsed),
        now.records,
        per(records, elapsed),
        joined.as_millis(),
        fetching.as_millis(),
        per(megabytes, fetching),
        per(records, fetching)
    )?;
    Ok(out.flush()?)
}
