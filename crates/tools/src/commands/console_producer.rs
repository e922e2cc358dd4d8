//! `kafka-console-producer`: sends the lines of standard input. Kafka: `ConsoleProducer`, `LineMessageReader`.
//!
//! Bytes that are no UTF-8 are sent as they are.

mod line_reader;

use std::collections::VecDeque;
use std::io::{BufReader, IsTerminal, Write};
use std::time::Duration;

use client::{ConfigMap, Producer, ProducerRecord};

use crate::Failure;
use crate::lines::Lines;
use crate::options::{Opt, Options, flag, maybe, value};
use crate::session::{block_on, client_config, failed, load_properties};

use line_reader::LineReader;

const INTRO: &str = "Reads lines from standard input and sends each as a record.";

const OPTIONS: &[Opt] = &[
    value("batch-size", "Integer: size", "How large batches grow, in bytes. (default: 16384)"),
    value("bootstrap-server", "String: server to connect to", "REQUIRED: The brokers to connect to."),
    value("command-config", "String: config file", "A file with properties of the producer."),
    value(
        "command-property",
        "String: producer_prop",
        "A property of the producer, as key=value; may be repeated.",
    ),
    maybe(
        "compression-codec",
        "String: codec",
        "The codec: none, gzip, snappy, lz4 or zstd. gzip, if none is named.",
    ),
    value("line-reader", "String: reader_class", "The reader of lines; only Kafka's own is there."),
    value("max-block-ms", "Long: max block on send", "How long sending may wait for room. (default: 60000)"),
    value(
        "max-memory-bytes",
        "Long: memory in bytes",
        "How much memory waiting records take. (default: 33554432)",
    ),
    value("max-partition-memory-bytes", "Integer: size", "The old name of --batch-size."),
    value("message-send-max-retries", "Integer", "How often sending is tried again. (default: 3)"),
    value(
        "metadata-expiry-ms",
        "Long: interval",
        "How often the cluster's metadata is read anew. (default: 300000)",
    ),
    value("producer-property", "String: producer_prop", "The old name of --command-property."),
    value("producer.config", "String: config file", "The old name of --command-config."),
    value("property", "String: prop", "The old name of --reader-property."),
    value("reader-config", "String: config file", "A file with properties of the reader."),
    value(
        "reader-property",
        "String: prop",
        "How lines are read: parse.key, key.separator (a tab), parse.headers, headers.delimiter (a tab), \
         headers.separator (,), headers.key.separator (:), null.marker, ignore.error.",
    ),
    value("request-required-acks", "String: acks", "The acks to ask for. (default: -1)"),
    value("request-timeout-ms", "Integer: timeout ms", "How long the broker may take. (default: 1500)"),
    value("retry-backoff-ms", "Long", "How long to rest before trying again. (default: 100)"),
    value("socket-buffer-size", "Integer: size", "The size of the socket's buffer. (default: 102400)"),
    flag("sync", "Wait for each record before the next."),
    value("timeout", "Long: timeout_ms", "How long a record waits for others to go with it. (default: 1000)"),
    value("topic", "String: topic", "REQUIRED: The topic to send to."),
];

/// How many records are on their way before the first of them is looked at.
const IN_FLIGHT: usize = 20_000;

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse_or_usage(INTRO, OPTIONS, args)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    options.require(&["topic"])?;
    options.require(&["bootstrap-server"])?;
    options.old_names(
        "Warning:",
        &[
            ("property", "reader-property"),
            ("producer-property", "command-property"),
            ("producer.config", "command-config"),
        ],
    )?;
    let reader = LineReader::new(&reader_properties(&options)?)?;
    let config = producer_config(&options)?;
    let topic = options.value("topic")?.unwrap_or_default().to_owned();
    let prompts = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    block_on(async {
        let producer = Producer::from_map(&config).map_err(failed)?;
        let sent = send_lines(&producer, reader, &topic, options.has("sync"), prompts, out).await;
        producer.close(Duration::from_secs(u64::from(u32::MAX))).await;
        sent
    })
}

async fn send_lines(
    producer: &Producer,
    mut reader: LineReader,
    topic: &str,
    sync: bool,
    prompts: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut lines = Lines::new(BufReader::with_capacity(1 << 16, std::io::stdin()));
    let mut pending = VecDeque::new();
    loop {
        if prompts {
            write!(out, ">")?;
            out.flush()?;
        }
        let Some(line) = tokio::task::block_in_place(|| lines.next_line())? else { break };
        let (key, value, headers) = reader.read(line)?;
        let record = ProducerRecord { key, value, headers, ..ProducerRecord::to(topic) };
        let size = record.value.as_ref().map_or(0, |value| value.len());
        match producer.enqueue(record).await {
            Ok(delivery) if sync => {
                delivery.await.map_err(failed)?;
            }
            Ok(delivery) => pending.push_back((delivery, size)),
            Err(error) if sync => return Err(failed(error)),
            Err(error) => tell(topic, size, &error),
        }
        if prompts || pending.len() > IN_FLIGHT {
            settle(&mut pending, topic, if prompts { 0 } else { IN_FLIGHT / 2 }).await;
        }
    }
    producer.flush().await;
    settle(&mut pending, topic, 0).await;
    Ok(())
}

/// Waits for the oldest records until only `left` are on their way.
async fn settle(pending: &mut VecDeque<(client::producer::Delivery, usize)>, topic: &str, left: usize) {
    while pending.len() > left {
        let Some((delivery, size)) = pending.pop_front() else { return };
        if let Err(error) = delivery.await {
            tell(topic, size, &error);
        }
    }
}

/// Kafka: `ErrorLoggingCallback`.
fn tell(topic: &str, size: usize, error: &client::Error) {
    complain!("Error when sending message to topic {topic} with value of {size} bytes: {error}");
}

fn reader_properties(options: &Options) -> Result<ConfigMap, Failure> {
    if options.value("line-reader")?.is_some_and(|class| !class.ends_with("LineMessageReader")) {
        return Err(Failure::message(format!("{} cannot be loaded", options.value_or("line-reader", "")?)));
    }
    let mut map = options.value("reader-config")?.map(load_properties).transpose()?.unwrap_or_default();
    map.extend(options.pairs(&["property", "reader-property"])?);
    Ok(map)
}

fn producer_config(options: &Options) -> Result<ConfigMap, Failure> {
    let file = options.value("command-config")?.or(options.value("producer.config")?);
    let mut map = client_config(file, None)?;
    map.extend(options.pairs(&["producer-property", "command-property"])?);
    map.insert("bootstrap.servers".into(), options.value_or("bootstrap-server", "")?.into());
    if options.has("compression-codec") {
        map.insert("compression.type".into(), options.value("compression-codec")?.unwrap_or("gzip").into());
    }
    for (key, option, default) in [
        ("client.id", "", "console-producer"),
        ("linger.ms", "timeout", "1000"),
        ("acks", "request-required-acks", "-1"),
        ("request.timeout.ms", "request-timeout-ms", "1500"),
        ("retries", "message-send-max-retries", "3"),
        ("retry.backoff.ms", "retry-backoff-ms", "100"),
        ("send.buffer.bytes", "socket-buffer-size", "102400"),
        ("buffer.memory", "max-memory-bytes", "33554432"),
        ("batch.size", "max-partition-memory-bytes", "16384"),
        ("batch.size", "batch-size", "16384"),
        ("metadata.max.age.ms", "metadata-expiry-ms", "300000"),
        ("max.block.ms", "max-block-ms", "60000"),
    ] {
        let given = if option.is_empty() { None } else { options.value(option)? };
        match given {
            Some(value) => {
                map.insert(key.into(), value.into());
            }
            None => {
                map.entry(key.into()).or_insert_with(|| default.into());
            }
        }
    }
    Ok(map)
}
