//! `kafka-console-share-consumer`: reads a topic as a member of a share group to standard output. Kafka:
//! `ConsoleShareConsumer`, `ConsoleShareConsumerOptions`.

use std::io::Write;
use std::time::{Duration, Instant};

use client::{AcknowledgeType, ConfigMap, ConsumerRecord, ShareConsumer, ShareRecord};

use super::console_consumer::formatter::Formatter;
use super::console_consumer::settings::{formatter_properties, group};
use crate::Failure;
use crate::options::{Opt, Options, flag, value};
use crate::session::{block_on, client_config, failed, stop_signal};

const INTRO: &str =
    "This tool helps to read data from Kafka topics using share groups and outputs it to standard output.";

const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "server to connect to", "REQUIRED: The brokers to connect to."),
    value("command-config", "config file", "A file with properties of the consumer."),
    value("command-property", "consumer_prop", "A property of the consumer, as key=value; may be repeated."),
    value("consumer-config", "config file", "The old name of --command-config."),
    value("consumer-property", "consumer_prop", "The old name of --command-property."),
    flag("enable-systest-events", "Tell when the consumer ends, for system tests."),
    value("formatter", "class", "How records are written; Kafka's formatters are built in."),
    value("formatter-config", "config file", "A file with properties of the formatter."),
    value(
        "formatter-property",
        "prop",
        "How records are written: print.timestamp, print.key, print.offset, print.delivery, print.epoch, \
         print.partition, print.headers, print.value, key.separator, line.separator, headers.separator, null.literal, \
         key.deserializer, value.deserializer, headers.deserializer.",
    ),
    value("group", "share group id", "The share group. (default: console-share-consumer)"),
    value("key-deserializer", "deserializer for keys", "How keys are read."),
    value("max-messages", "Integer: num_messages", "How many records to read before ending."),
    value("property", "prop", "The old name of --formatter-property."),
    flag("reject", "Reject records as they are read."),
    flag("reject-message-on-error", "Reject a record that cannot be written, instead of ending."),
    flag("release", "Release records as they are read."),
    value("timeout-ms", "Integer: timeout_ms", "End when no record came for so long."),
    value("topic", "topic", "REQUIRED: The topic to read."),
    value("value-deserializer", "deserializer for values", "How values are read."),
];

struct Settings {
    topic: String,
    max_messages: Option<u64>,
    timeout: Option<Duration>,
    kind: AcknowledgeType,
    rejects_errors: bool,
    formatter: Formatter,
}

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse_or_usage(INTRO, OPTIONS, args)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    let mut settings = settings(&options)?;
    let config = consumer_config(&options)?;
    block_on(async {
        let mut consumer = ShareConsumer::from_map(&config).map_err(failed)?;
        consumer.subscribe(&[&settings.topic]).await.map_err(failed)?;
        let mut count = 0;
        let read = read(&mut consumer, &mut settings, &mut count, out).await;
        let flushed = out.flush();
        let closed = consumer.close(Duration::from_secs(30)).await;
        complain!("Processed a total of {count} messages");
        if options.has("enable-systest-events") {
            say!("shutdown_complete");
        }
        if let Err(error) = closed {
            complain!("{error}");
        }
        read.and(flushed.map_err(Failure::from))
    })
}

fn settings(options: &Options) -> Result<Settings, Failure> {
    let Some(topic) = options.value("topic")? else {
        return Err(options.usage("--topic is a required argument"));
    };
    options.require(&["bootstrap-server"])?;
    if options.has("reject") && options.has("release") {
        return Err(options.usage("At most one of --reject and --release may be specified."));
    }
    options.old_names(
        "Option",
        &[
            ("consumer-property", "command-property"),
            ("consumer-config", "command-config"),
            ("property", "formatter-property"),
        ],
    )?;
    let class = options.value_or("formatter", "org.apache.kafka.tools.consumer.DefaultMessageFormatter")?;
    Ok(Settings {
        topic: topic.to_owned(),
        max_messages: options.number::<i32>("max-messages")?.and_then(|count| u64::try_from(count).ok()),
        timeout: options
            .number::<i32>("timeout-ms")?
            .and_then(|ms| u64::try_from(ms).ok())
            .map(Duration::from_millis),
        kind: match (options.has("reject"), options.has("release")) {
            (true, _) => AcknowledgeType::Reject,
            (_, true) => AcknowledgeType::Release,
            _ => AcknowledgeType::Accept,
        },
        rejects_errors: options.has("reject-message-on-error"),
        formatter: Formatter::new(class, &formatter_properties(options)?)?,
    })
}

fn consumer_config(options: &Options) -> Result<ConfigMap, Failure> {
    let file = options.value("command-config")?.or(options.value("consumer-config")?);
    let mut map = client_config(file, None)?;
    let given = options.pairs(&["consumer-property", "command-property"])?;
    let group = group(options, &map, &given)?;
    map.extend(given);
    map.insert("bootstrap.servers".into(), options.value_or("bootstrap-server", "")?.into());
    map.entry("client.id".into()).or_insert_with(|| "console-share-consumer".into());
    map.insert("group.id".into(), group.unwrap_or_else(|| "console-share-consumer".into()));
    map.insert("share.acknowledgement.mode".into(), "explicit".into());
    Ok(map)
}

/// Reads until enough records came, none came for too long, or a signal ends it. What came and was not written is
/// given back when the consumer closes.
async fn read(
    consumer: &mut ShareConsumer,
    settings: &mut Settings,
    count: &mut u64,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let limit = settings.max_messages.unwrap_or(u64::MAX);
    let mut last = Instant::now();
    let stop = stop_signal();
    tokio::pin!(stop);
    while *count < limit {
        let polled = tokio::select! {
            polled = consumer.poll(Duration::from_millis(200)) => polled,
            _ = &mut stop => return Ok(()),
        };
        let records = match polled {
            Ok(records) => records,
            Err(error) => {
                complain!("Error processing message, terminating consumer process: {error}");
                return Ok(());
            }
        };
        if records.is_empty() {
            if settings.timeout.is_some_and(|timeout| last.elapsed() >= timeout) {
                complain!(
                    "Error processing message, terminating consumer process: no record came for the given time"
                );
                return Ok(());
            }
            continue;
        }
        last = Instant::now();
        for record in records.iter().take(usize::try_from(limit - *count).unwrap_or(usize::MAX)) {
            *count += 1;
            write_one(consumer, settings, record, out)?;
        }
        out.flush()?;
    }
    Ok(())
}

fn write_one(
    consumer: &mut ShareConsumer,
    settings: &mut Settings,
    record: &ShareRecord,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    // The tool does not show leader epochs.
    let shown = ConsumerRecord { leader_epoch: None, ..record.record.clone() };
    match settings.formatter.write_delivered(&shown, Some(record.delivery_count), out) {
        Ok(()) => consumer.acknowledge_as(record, settings.kind).map_err(failed),
        Err(error) => {
            if settings.rejects_errors {
                if let Failure::Message(text, _) = &error {
                    complain!("Error processing message, rejecting this message: {text}");
                }
                consumer.acknowledge_as(record, AcknowledgeType::Reject).map_err(failed)?;
            }
            Err(error)
        }
    }
}
