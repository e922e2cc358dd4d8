//! `kafka-verifiable-consumer`: reads a topic in a group, and tells in JSON of assignments, records and commits.
//! Kafka: `VerifiableConsumer`.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use client::consumer::{ListenerFuture, RebalanceListener};
use client::{ConfigMap, Consumer, ConsumerRecord, ConsumerRecords, Error, OffsetAndMetadata};
use model::{Offset, TopicPartition};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::Failure;
use crate::arguments::Arity::{Flag, One};
use crate::arguments::Number::Integer;
use crate::arguments::{Arguments, Syntax, arg};
use crate::events::Event;
use crate::session::{block_on, client_config, failed, stop_signal};

const SYNTAX: Syntax = Syntax {
    program: "verifiable-consumer",
    intro: "Reads a topic in a group, and prints a line of JSON for each assignment, batch of records and commit.",
    args: &[
        arg("--topic", "", One, "The topic.").required(),
        arg("--group-protocol", "", One, "classic or consumer. (default: classic)"),
        arg("--group-remote-assignor", "", One, "The broker's assignor, with --group-protocol consumer."),
        arg("--group-id", "", One, "The group.").required(),
        arg("--group-instance-id", "", One, "The name of this member, if it is a static one."),
        arg("--max-messages", "", One, "How many records; -1: until the program is ended. (default: -1)")
            .number(Integer),
        arg("--session-timeout", "", One, "session.timeout.ms, with --group-protocol classic.")
            .number(Integer),
        arg("--verbose", "", Flag, "Tell of each record."),
        arg("--enable-autocommit", "", Flag, "Leave it to the consumer to commit."),
        arg("--reset-policy", "", One, "Where to begin: earliest, latest or none. (default: earliest)"),
        arg("--assignment-strategy", "", One, "The class of the assignor, with --group-protocol classic."),
        arg("--consumer.config", "", One, "The old name of --command-config."),
        arg("--command-config", "", One, "A file with properties of the consumer."),
        arg("--bootstrap-server", "", One, "The brokers to connect to.").required(),
    ],
    commands: &[],
};

const RANGE: &str = "org.apache.kafka.clients.consumer.RangeAssignor";

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let args = Arguments::parse_or_help(&SYNTAX, args)?;
    let config = configuration(&args, out)?;
    block_on(async {
        let consumer = Consumer::from_map(&config).map_err(failed)?;
        let left = args.number::<i64>("--max-messages").and_then(|count| u64::try_from(count).ok());
        let (sender, events) = mpsc::unbounded_channel();
        let mut session =
            Session { consumer, events, left: left.unwrap_or(u64::MAX), verbose: args.has("--verbose") };
        session.consumer.set_rebalance_listener(Teller(sender));
        let commits = !args.has("--enable-autocommit");
        session.read(args.value("--topic").unwrap_or_default(), commits, out).await
    })
}

fn configuration(args: &Arguments, out: &mut dyn Write) -> Result<ConfigMap, Failure> {
    let (old, new) = (args.value("--consumer.config"), args.value("--command-config"));
    if old.is_some() && new.is_some() {
        let text = "Options --consumer.config and --command-config are mutually exclusive.";
        return Err(Failure::message(format!("{}verifiable-consumer: error: {text}", SYNTAX.usage())));
    }
    if old.is_some() {
        writeln!(
            out,
            "Option --consumer.config has been deprecated and will be removed in a future version. Use --command-config \
             instead."
        )?;
    }
    let mut config = client_config(old.or(new), args.value("--bootstrap-server"))?;
    let mut set = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            config.insert(key.to_owned(), value.to_owned());
        }
    };
    let protocol = args.value("--group-protocol").unwrap_or("classic").to_lowercase();
    set("group.protocol", Some(&protocol));
    if protocol == "consumer" {
        set("group.remote.assignor", args.value("--group-remote-assignor"));
    } else {
        let strategy = args.value("--assignment-strategy").unwrap_or(RANGE);
        set("partition.assignment.strategy", Some(strategy));
    }
    set("session.timeout.ms", args.value("--session-timeout"));
    set("group.id", args.value("--group-id"));
    set("group.instance.id", args.value("--group-instance-id"));
    set("enable.auto.commit", Some(if args.has("--enable-autocommit") { "true" } else { "false" }));
    set("auto.offset.reset", Some(args.value("--reset-policy").unwrap_or("earliest")));
    Ok(config)
}

/// Passes on what the group gives and takes.
struct Teller(UnboundedSender<Event>);

impl Teller {
    fn tell(&self, name: &str, partitions: &[TopicPartition]) -> ListenerFuture<'static> {
        let shown: Vec<Value> = partitions.iter().map(named).collect();
        let _ = self.0.send(Event::new(name).with("partitions", shown));
        Box::pin(async { Ok(()) })
    }
}

impl RebalanceListener for Teller {
    fn on_partitions_revoked<'a>(
        &'a mut self,
        _consumer: &'a mut Consumer,
        partitions: &'a [TopicPartition],
    ) -> ListenerFuture<'a> {
        self.tell("partitions_revoked", partitions)
    }

    fn on_partitions_assigned<'a>(
        &'a mut self,
        _consumer: &'a mut Consumer,
        partitions: &'a [TopicPartition],
    ) -> ListenerFuture<'a> {
        self.tell("partitions_assigned", partitions)
    }
}

fn named(partition: &TopicPartition) -> Value {
    json!({ "topic": *partition.topic, "partition": partition.partition })
}

struct Session {
    consumer: Consumer,
    events: UnboundedReceiver<Event>,
    /// How many records are still to be read.
    left: u64,
    verbose: bool,
}

impl Session {
    async fn read(mut self, topic: &str, commits: bool, out: &mut dyn Write) -> Result<(), Failure> {
        Event::new("startup_complete").write(out)?;
        self.consumer.subscribe(&[topic]).await.map_err(failed)?;
        let stop = stop_signal();
        tokio::pin!(stop);
        let mut signal = None;
        while self.left > 0 {
            let polled = tokio::select! {
                polled = Self::poll(&mut self.consumer, &mut self.events, out) => polled?,
                code = &mut stop => {
                    signal = Some(code);
                    Event::new("shutdown_requested").write(out)?;
                    break;
                }
            };
            let records = match polled {
                Ok(records) => records,
                Err(error) => {
                    complain!("Error during processing, terminating consumer process: {error}");
                    break;
                }
            };
            let offsets = self.tell_records(&records, out)?;
            if commits {
                let done = self.consumer.commit_offsets_sync(&offsets).await;
                tell_commit(&offsets, done, out)?;
            }
        }
        let closed = self.consumer.close(Duration::from_secs(30)).await;
        while let Ok(event) = self.events.try_recv() {
            event.write(out)?;
        }
        if let Err(error) = closed {
            complain!("{error}");
        }
        Event::new("shutdown_complete").write(out)?;
        match signal {
            Some(code) => Err(Failure::Code(code)),
            None => Event::new("shutdown_requested").write(out),
        }
    }

    /// Waits for records, and tells meanwhile of what the group gives and takes.
    async fn poll(
        consumer: &mut Consumer,
        events: &mut UnboundedReceiver<Event>,
        out: &mut dyn Write,
    ) -> Result<Result<ConsumerRecords, Error>, Failure> {
        loop {
            let polled = consumer.poll(Duration::from_secs(1));
            tokio::pin!(polled);
            let polled = loop {
                tokio::select! {
                    biased;
                    Some(event) = events.recv() => event.write(out)?,
                    polled = &mut polled => break polled,
                }
            };
            while let Ok(event) = events.try_recv() {
                event.write(out)?;
            }
            if !polled.as_ref().is_ok_and(ConsumerRecords::is_empty) {
                return Ok(polled);
            }
        }
    }

    /// Tells of records up to the limit; what to commit.
    fn tell_records(
        &mut self,
        records: &ConsumerRecords,
        out: &mut dyn Write,
    ) -> Result<BTreeMap<TopicPartition, OffsetAndMetadata>, Failure> {
        let mut offsets = BTreeMap::new();
        let mut summaries = Vec::new();
        for records in records.records.chunk_by(|a, b| a.topic == b.topic && a.partition == b.partition) {
            let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(records.len());
            let (Some(first), Some(last)) = (records.first(), records[..count].last()) else { break };
            let name = TopicPartition::new(&*first.topic, first.partition);
            if self.verbose {
                records[..count].iter().try_for_each(|record| tell_record(record, out))?;
            }
            summaries.push(json!({
                "topic": *name.topic, "partition": name.partition, "count": count,
                "minOffset": first.offset.0, "maxOffset": last.offset.0,
            }));
            offsets.insert(name, OffsetAndMetadata::new(Offset(last.offset.0 + 1)));
            self.left -= count as u64;
        }
        Event::new("records_consumed")
            .with("count", records.len())
            .with("partitions", summaries)
            .write(out)?;
        Ok(offsets)
    }
}

/// Tells of one record.
pub(super) fn tell_record(record: &ConsumerRecord, out: &mut dyn Write) -> Result<(), Failure> {
    let text = |bytes: &Option<bytes::Bytes>| {
        bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    Event::new("record_data")
        .with("key", text(&record.key))
        .with("value", text(&record.value))
        .with("topic", &*record.topic)
        .with("partition", record.partition)
        .with("offset", record.offset.0)
        .write(out)
}

fn tell_commit(
    offsets: &BTreeMap<TopicPartition, OffsetAndMetadata>,
    done: Result<(), Error>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let shown: Vec<Value> = offsets
        .iter()
        .map(|(name, to)| json!({ "topic": *name.topic, "partition": name.partition, "offset": to.offset.0 }))
        .collect();
    let event = Event::new("offsets_committed").with("offsets", shown);
    match done {
        Ok(()) => event.with("success", true).write(out),
        Err(error) => event.with("error", error.to_string()).with("success", false).write(out),
    }
}
