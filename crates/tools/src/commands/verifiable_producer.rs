//! `kafka-verifiable-producer`: sends counted records and tells of each, in JSON, whether it was written.
//! Kafka: `VerifiableProducer`.

use std::io::Write;
use std::time::{Duration, Instant};

use client::producer::Delivery;
use client::{ConfigMap, Error, Producer, ProducerRecord, RecordMetadata};
use model::Timestamp;
use tokio::sync::mpsc;

use crate::Failure;
use crate::arguments::Arity::One;
use crate::arguments::Number::{Integer, Long};
use crate::arguments::{Arguments, Syntax, arg};
use crate::datetime::now_ms;
use crate::events::Event;
use crate::session::{block_on, exception, failed, load_properties, stop_signal};

const SYNTAX: Syntax = Syntax {
    program: "verifiable-producer",
    intro: "Sends records whose values count up, and prints a line of JSON for each that was written or was not.",
    args: &[
        arg("--topic", "", One, "The topic.").required(),
        arg("--max-messages", "", One, "How many records; -1: until the program is ended. (default: -1)")
            .number(Integer),
        arg("--throughput", "", One, "About how many records a second at most; -1: no limit. (default: -1)")
            .number(Integer),
        arg("--acks", "", One, "Who must have written a record: 0, 1 or -1. (default: -1)").number(Integer),
        arg("--producer.config", "", One, "The old name of --command-config."),
        arg("--message-create-time", "", One, "The time of the first record, in ms since 1970; -1: now.")
            .number(Long),
        arg("--value-prefix", "", One, "What stands, with a dot, before each value.").number(Integer),
        arg(
            "--repeating-keys",
            "",
            One,
            "Give records keys that count from 0 to below this, again and again.",
        )
        .number(Integer),
        arg("--command-config", "", One, "A file with properties of the producer."),
        arg("--bootstrap-server", "", One, "The brokers to connect to.").required(),
    ],
    commands: &[],
};

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let args = Arguments::parse_or_help(&SYNTAX, args)?;
    let config = configuration(&args, out)?;
    let plan = Plan::of(&args);
    block_on(async {
        let start = Instant::now();
        let producer = Producer::from_map(&config).map_err(failed)?;
        let mut tally = Tally::default();
        let signal = send(&producer, &plan, &mut tally, out).await?;
        producer.close(Duration::ZERO).await;
        Event::new("shutdown_complete").write(out)?;
        let average = 1000.0 * tally.acked as f64 / start.elapsed().as_millis().max(1) as f64;
        Event::new("tool_data")
            .with("sent", tally.sent)
            .with("acked", tally.acked)
            .with("target_throughput", plan.throughput)
            .with("avg_throughput", average)
            .write(out)?;
        signal.map_or(Ok(()), |code| Err(Failure::Code(code)))
    })
}

fn configuration(args: &Arguments, out: &mut dyn Write) -> Result<ConfigMap, Failure> {
    let refuse =
        |text: &str| Failure::message(format!("{}verifiable-producer: error: {text}", SYNTAX.usage()));
    let acks: i32 = args.number("--acks").unwrap_or(-1);
    if !(-1..=1).contains(&acks) {
        let text = format!("argument --acks: invalid choice: '{acks}' (choose from {{0,1,-1}})");
        return Err(refuse(&text));
    }
    let (old, new) = (args.value("--producer.config"), args.value("--command-config"));
    if old.is_some() && new.is_some() {
        return Err(refuse("Options --producer.config and --command-config are mutually exclusive."));
    }
    if old.is_some() {
        writeln!(
            out,
            "Option --producer.config has been deprecated and will be removed in a future version. Use --command-config \
             instead."
        )?;
    }
    let mut config = ConfigMap::new();
    config.insert("bootstrap.servers".into(), args.value("--bootstrap-server").unwrap_or_default().into());
    config.insert("acks".into(), acks.to_string());
    config.insert("retries".into(), "0".into());
    if let Some(path) = old.or(new) {
        config.extend(load_properties(path)?);
    }
    Ok(config)
}

/// What the command line asks for.
struct Plan {
    topic: String,
    count: u64,
    throughput: i64,
    created: Option<i64>,
    prefix: Option<i32>,
    keys: Option<u64>,
}

impl Plan {
    fn of(args: &Arguments) -> Self {
        let count: i64 = args.number("--max-messages").unwrap_or(-1);
        Self {
            topic: args.value("--topic").unwrap_or_default().to_owned(),
            count: u64::try_from(count).unwrap_or(u64::MAX),
            throughput: args.number("--throughput").unwrap_or(-1),
            created: args.number("--message-create-time").filter(|time| *time != -1),
            prefix: args.number("--value-prefix"),
            keys: args.number::<u64>("--repeating-keys").filter(|keys| *keys > 0),
        }
    }

    fn key(&self, index: u64) -> Option<String> {
        self.keys.map(|keys| (index % keys).to_string())
    }

    fn value(&self, index: u64) -> String {
        self.prefix.map_or_else(|| index.to_string(), |prefix| format!("{prefix}.{index}"))
    }

    /// The record, `elapsed_ms` after the start.
    fn record(&self, index: u64, elapsed_ms: i64) -> ProducerRecord {
        let mut record = ProducerRecord::to(self.topic.as_str()).value(self.value(index));
        record.key = self.key(index).map(Into::into);
        record.timestamp = self.created.map(|time| Timestamp(time + elapsed_ms));
        record
    }

    /// When the record after `sent` others is due, if there is a limit.
    fn due(&self, start: Instant, sent: u64) -> Option<Instant> {
        (self.throughput > 0).then(|| start + Duration::from_secs_f64(sent as f64 / self.throughput as f64))
    }
}

#[derive(Debug, Default)]
struct Tally {
    sent: u64,
    acked: u64,
}

type Answer = (u64, Result<RecordMetadata, Error>);

/// Sends everything and tells of each answer; the exit code, if a signal ended it.
async fn send(
    producer: &Producer,
    plan: &Plan,
    tally: &mut Tally,
    out: &mut dyn Write,
) -> Result<Option<i32>, Failure> {
    Event::new("startup_complete").write(out)?;
    let (answers, mut answered) = mpsc::unbounded_channel::<Answer>();
    let stop = stop_signal();
    tokio::pin!(stop);
    let (start, start_ms) = (Instant::now(), now_ms());
    let mut signal = None;
    while tally.sent < plan.count && signal.is_none() && plan.throughput != 0 {
        let index = tally.sent;
        let record = plan.record(index, now_ms() - start_ms);
        let enqueued = producer.enqueue(record);
        tokio::pin!(enqueued);
        tally.sent += 1;
        loop {
            tokio::select! {
                Some(answer) = answered.recv() => tell(plan, answer, tally, out)?,
                code = &mut stop => {
                    signal = Some(code);
                    break;
                }
                delivery = &mut enqueued => {
                    collect(index, delivery, &answers);
                    break;
                }
            }
        }
        while let Ok(answer) = answered.try_recv() {
            tell(plan, answer, tally, out)?;
        }
        if let Some(due) = plan.due(start, tally.sent) {
            tokio::time::sleep_until(due.into()).await;
        }
    }
    drop(answers);
    producer.flush().await;
    while let Some(answer) = answered.recv().await {
        tell(plan, answer, tally, out)?;
    }
    Ok(signal)
}

/// Waits for the answer to a record in the background.
fn collect(index: u64, delivery: Result<Delivery, Error>, answers: &mpsc::UnboundedSender<Answer>) {
    let answers = answers.clone();
    match delivery {
        Err(error) => drop(answers.send((index, Err(error)))),
        Ok(delivery) => drop(tokio::spawn(async move { answers.send((index, delivery.await)) })),
    }
}

fn tell(plan: &Plan, (index, answer): Answer, tally: &mut Tally, out: &mut dyn Write) -> Result<(), Failure> {
    let event = |name: &str| Event::new(name).with("key", plan.key(index)).with("value", plan.value(index));
    match answer {
        Ok(written) => {
            tally.acked += 1;
            event("producer_send_success")
                .with("offset", written.offset.map_or(-1, |offset| offset.0))
                .with("topic", &*written.topic_partition.topic)
                .with("partition", written.topic_partition.partition)
                .write(out)
        }
        Err(error) => event("producer_send_error")
            .with("exception", format!("class {}", exception(&error)))
            .with("message", error.to_string())
            .with("topic", plan.topic.as_str())
            .write(out),
    }
}
