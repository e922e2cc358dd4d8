//! `kafka-console-consumer`: reads topics to standard output. Kafka: `ConsoleConsumer`, `ConsoleConsumerOptions`.

mod deserializer;
pub(super) mod formatter;
pub(super) mod settings;

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use client::{Consumer, ConsumerRecord};
use model::{Offset, TopicPartition};
use regex::Regex;

use crate::Failure;
use crate::options::{Opt, Options, flag, value};
use crate::session::{block_on, failed, stop_signal};

use formatter::Formatter;
use settings::{Settings, Start};

const INTRO: &str = "Reads topics and writes their records to standard output.";

const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "String: server to connect to", "REQUIRED: The brokers to connect to."),
    value("command-config", "String: config file", "A file with properties of the consumer."),
    value(
        "command-property",
        "String: consumer_prop",
        "A property of the consumer, as key=value; may be repeated.",
    ),
    value("consumer-property", "String: consumer_prop", "The old name of --command-property."),
    value("consumer.config", "String: config file", "The old name of --command-config."),
    flag("enable-systest-events", "Tell when the consumer ends, for system tests."),
    value("formatter", "String: class", "How records are written; Kafka's formatters are built in."),
    value("formatter-config", "String: config file", "A file with properties of the formatter."),
    value(
        "formatter-property",
        "String: prop",
        "How records are written: print.timestamp, print.key, print.offset, print.epoch, print.partition, \
         print.headers, print.value, print.delivery, key.separator, line.separator, headers.separator, null.literal, \
         key.deserializer, value.deserializer, headers.deserializer.",
    ),
    flag("from-beginning", "Begin with the first record where the group has no offset yet."),
    value("group", "String: consumer group id", "The group; one of its own, if unset."),
    value("include", "String: Java regex (String)", "The topics, as a regular expression."),
    value("isolation-level", "String", "read_committed, or read_uncommitted. (default: read_uncommitted)"),
    value("key-deserializer", "String: class", "How keys are read."),
    value("max-messages", "Integer: num_messages", "How many records to read before ending."),
    value(
        "offset",
        "String: consume offset",
        "Where to begin: earliest, latest or an offset. (default: latest)",
    ),
    value("partition", "Integer: partition", "The partition to read."),
    value("property", "String: prop", "The old name of --formatter-property."),
    flag("skip-message-on-error", "Go on where a record cannot be written."),
    value("timeout-ms", "Long: timeout_ms", "End when no record came for so long."),
    value("topic", "String: topic", "The topic to read."),
    value("value-deserializer", "String: class", "How values are read."),
];

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse_or_usage(INTRO, OPTIONS, args)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    options.old_names(
        "Option",
        &[
            ("property", "formatter-property"),
            ("consumer-property", "command-property"),
            ("consumer.config", "command-config"),
        ],
    )?;
    let settings = Settings::read(&options)?;
    block_on(async {
        let mut consumer = Consumer::from_map(&settings.consumer).map_err(failed)?;
        subscribe(&mut consumer, &settings).await?;
        let mut count = 0;
        let read = read(&mut consumer, &settings, &mut count, out).await;
        let flushed = out.flush();
        let closed = consumer.close(Duration::from_secs(30)).await;
        complain!("Processed a total of {count} messages");
        if settings.tells_events {
            say!("shutdown_complete");
        }
        if let Err(error) = closed {
            complain!("{error}");
        }
        read.and(flushed.map_err(Failure::from))
    })
}

async fn subscribe(consumer: &mut Consumer, settings: &Settings) -> Result<(), Failure> {
    let Some(topic) = &settings.topic else {
        let pattern = Regex::new(&format!("^(?:{})$", settings.include))
            .map_err(|error| Failure::message(error.to_string()))?;
        return consumer.subscribe_pattern(pattern).map_err(failed);
    };
    let Some(partition) = settings.partition else {
        return consumer.subscribe(&[topic]).await.map_err(failed);
    };
    let partition = TopicPartition::new(topic.as_str(), partition);
    let partitions = std::slice::from_ref(&partition);
    consumer.assign(partitions).await.map_err(failed)?;
    match settings.start {
        Start::Earliest => consumer.seek_to_beginning(partitions),
        Start::Latest => consumer.seek_to_end(partitions),
        Start::Offset(offset) => consumer.seek(&partition, Offset(offset)),
    }
    .map_err(failed)
}

/// Reads until enough records came, none came for too long, or a signal ends it.
async fn read(
    consumer: &mut Consumer,
    settings: &Settings,
    count: &mut u64,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut formatter = Formatter::new(&settings.formatter_class, &settings.formatter)?;
    let limit = settings.max_messages.unwrap_or(u64::MAX);
    let mut last = Instant::now();
    let stop = stop_signal();
    tokio::pin!(stop);
    while *count < limit {
        let wait =
            settings.timeout.map_or(Duration::from_secs(1), |timeout| timeout.saturating_sub(last.elapsed()));
        let polled = tokio::select! {
            polled = consumer.poll(wait.min(Duration::from_secs(1))) => polled,
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
            out.flush()?;
            if settings.timeout.is_some_and(|timeout| last.elapsed() >= timeout) {
                complain!(
                    "Error processing message, terminating consumer process: no record came for the given time"
                );
                return Ok(());
            }
            continue;
        }
        last = Instant::now();
        let mut records = records.into_iter();
        for record in records.by_ref().take(usize::try_from(limit - *count).unwrap_or(usize::MAX)) {
            *count += 1;
            match formatter.write(&record, out) {
                Err(Failure::Message(text, _)) if settings.skips_errors => {
                    complain!("Error processing message, skipping this message: {text}");
                }
                other => other?,
            }
        }
        out.flush()?;
        give_back(consumer, records)?;
    }
    Ok(())
}

/// Sets the positions back to records that were polled and not written, so that they are not committed.
fn give_back(consumer: &mut Consumer, records: impl Iterator<Item = ConsumerRecord>) -> Result<(), Failure> {
    let mut first: BTreeMap<TopicPartition, Offset> = BTreeMap::new();
    for record in records {
        first.entry(TopicPartition::new(&*record.topic, record.partition)).or_insert(record.offset);
    }
    first.iter().try_for_each(|(partition, offset)| consumer.seek(partition, *offset).map_err(failed))
}
