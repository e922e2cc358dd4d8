//! `kafka-verifiable-share-consumer`: reads a topic in a share group, and tells in JSON of records and acknowledgements.
//! Kafka: `VerifiableShareConsumer`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;

use client::admin::{AlterConfigOp, ConfigResource, ResourceType};
use client::{Acknowledged, ConfigMap, Error, ShareConsumer, ShareRecord};
use serde_json::json;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::verifiable_consumer::tell_record;
use crate::Failure;
use crate::arguments::Arity::{Flag, One};
use crate::arguments::Number::Integer;
use crate::arguments::{Arguments, Syntax, arg};
use crate::events::Event;
use crate::session::{admin, block_on, client_config, failed, stop_signal};

const SYNTAX: Syntax = Syntax {
    program: "verifiable-share-consumer",
    intro: "Reads a topic in a share group, and prints a line of JSON for each batch of records and acknowledgement.",
    args: &[
        arg("--topic", "", One, "The topic.").required(),
        arg("--group-id", "", One, "The share group.").required(),
        arg("--max-messages", "", One, "How many records; -1: until the program is ended. (default: -1)")
            .number(Integer),
        arg("--verbose", "", Flag, "Tell of each record."),
        arg(
            "--acknowledgement-mode",
            "",
            One,
            "auto: with the next poll; sync or async: at once, waiting for the answer or not. (default: auto)",
        ),
        arg(
            "--offset-reset-strategy",
            "",
            One,
            "Where the group begins, which is set for it: earliest or latest.",
        ),
        arg("--command-config", "", One, "A file with properties of the consumer."),
        arg("--bootstrap-server", "", One, "The brokers to connect to.").required(),
    ],
    commands: &[],
};

const POLL: Duration = Duration::from_secs(5);
const COMMIT: Duration = Duration::from_secs(60);

#[derive(Clone, Copy)]
enum Mode {
    Auto,
    Async,
    Sync,
}

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let args = Arguments::parse_or_help(&SYNTAX, args)?;
    let mode = mode(args.value("--acknowledgement-mode").unwrap_or("auto"))?;
    let mut config = client_config(args.value("--command-config"), args.value("--bootstrap-server"))?;
    let group = args.value("--group-id").unwrap_or_default();
    config.insert("group.id".to_owned(), group.to_owned());
    let max = args.number::<i64>("--max-messages").and_then(|count| u64::try_from(count).ok());
    block_on(async {
        let mut consumer = ShareConsumer::from_map(&config).map_err(failed)?;
        let (sender, acknowledged) = mpsc::unbounded_channel();
        consumer.set_acknowledgement_commit_callback(move |done| _ = sender.send(done.clone()));
        let max = max.unwrap_or(u64::MAX);
        let verbose = args.has("--verbose");
        let mut session = Session { consumer, acknowledged, total: 0, max, mode, verbose };
        Event::new("startup_complete").write(out)?;
        let reset = args.value("--offset-reset-strategy").map(str::to_lowercase).filter(|it| !it.is_empty());
        let began = match reset {
            Some(strategy) => set_reset(&config, group, &strategy, out).await,
            None => Ok(()),
        };
        let stopped = match began {
            Ok(()) => session.read(args.value("--topic").unwrap_or_default(), out).await?,
            Err(error) => Stopped::Failed(error),
        };
        session.end(stopped, out).await
    })
}

fn mode(text: &str) -> Result<Mode, Failure> {
    match text.to_uppercase().as_str() {
        "AUTO" => Ok(Mode::Auto),
        "ASYNC" => Ok(Mode::Async),
        "SYNC" => Ok(Mode::Sync),
        other => Err(Failure::message(format!(
            "No enum constant org.apache.kafka.tools.VerifiableShareConsumer.AcknowledgementMode.{other}"
        ))),
    }
}

async fn set_reset(
    config: &ConfigMap,
    group: &str,
    strategy: &str,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let resource = ConfigResource::new(ResourceType::Group, group);
    let changes = BTreeMap::from([(resource, vec![AlterConfigOp::set("share.auto.offset.reset", strategy)])]);
    let results = admin(config)?.incremental_alter_configs(&changes, false).await.map_err(failed)?;
    results.into_values().try_for_each(|result| result.map_err(failed))?;
    Event::new("offset_reset_strategy_set").with("offsetResetStrategy", strategy).write(out)
}

/// Why reading ended.
enum Stopped {
    /// As many records as were asked for are acknowledged.
    Done,
    /// The program is to end, with this exit code.
    Signal(i32),
    /// The cluster refused.
    Failed(Failure),
}

struct Session {
    consumer: ShareConsumer,
    acknowledged: UnboundedReceiver<Acknowledged>,
    /// How many records are acknowledged.
    total: u64,
    max: u64,
    mode: Mode,
    verbose: bool,
}

impl Session {
    async fn read(&mut self, topic: &str, out: &mut dyn Write) -> Result<Stopped, Failure> {
        if let Err(error) = self.consumer.subscribe(&[topic]).await {
            return Ok(Stopped::Failed(failed(error)));
        }
        let stop = stop_signal();
        tokio::pin!(stop);
        while self.total < self.max {
            let polled = tokio::select! {
                polled = self.poll(out) => polled?,
                code = &mut stop => return Ok(Stopped::Signal(code)),
            };
            match polled {
                Ok(records) if records.is_empty() => continue,
                Ok(records) => self.tell_records(&records, out)?,
                Err(error) => return Ok(Stopped::Failed(failed(error))),
            }
            match self.mode {
                Mode::Auto => {}
                Mode::Async => self.consumer.commit_async(),
                Mode::Sync => {
                    let committed = tokio::select! {
                        committed = self.consumer.commit_sync(COMMIT) => committed,
                        code = &mut stop => return Ok(Stopped::Signal(code)),
                    };
                    self.tell_acknowledged(out)?;
                    if let Err(error) = committed {
                        return Ok(Stopped::Failed(failed(error)));
                    }
                }
            }
        }
        Ok(Stopped::Done)
    }

    /// Waits for records, and tells meanwhile of what was acknowledged.
    async fn poll(&mut self, out: &mut dyn Write) -> Result<Result<Vec<ShareRecord>, Error>, Failure> {
        let polled = {
            let polled = self.consumer.poll(POLL);
            tokio::pin!(polled);
            loop {
                tokio::select! {
                    biased;
                    Some(done) = self.acknowledged.recv() => self.total += tell(&done, out)?,
                    polled = &mut polled => break polled,
                }
            }
        };
        self.tell_acknowledged(out)?;
        Ok(polled)
    }

    fn tell_acknowledged(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        while let Ok(done) = self.acknowledged.try_recv() {
            self.total += tell(&done, out)?;
        }
        Ok(())
    }

    fn tell_records(&self, records: &[ShareRecord], out: &mut dyn Write) -> Result<(), Failure> {
        let mut partitions: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for ShareRecord { record, .. } in records {
            partitions.entry((record.topic.clone(), record.partition)).or_default().push(record);
        }
        let mut summaries = Vec::new();
        for ((topic, partition), records) in partitions {
            let offsets: BTreeSet<i64> = records.iter().map(|record| record.offset.0).collect();
            summaries.push(json!({
                "topic": *topic, "partition": partition, "count": offsets.len(), "offsets": offsets,
            }));
            if self.verbose {
                records.into_iter().try_for_each(|record| tell_record(record, out))?;
            }
        }
        Event::new("records_consumed").with("count", records.len()).with("partitions", summaries).write(out)
    }

    /// Gives back what is held, and tells of the end.
    async fn end(self, stopped: Stopped, out: &mut dyn Write) -> Result<(), Failure> {
        if let Stopped::Failed(failure) = &stopped {
            complain!("Error during processing, terminating share consumer process: {}", failure.text());
        }
        let Self { consumer, mut acknowledged, .. } = self;
        if let Err(error) = consumer.close(Duration::from_secs(30)).await {
            complain!("{error}");
        }
        while let Ok(done) = acknowledged.try_recv() {
            tell(&done, out)?;
        }
        Event::new("shutdown_complete").write(out)?;
        match stopped {
            Stopped::Signal(code) => Err(Failure::Code(code)),
            Stopped::Done | Stopped::Failed(_) => Ok(()),
        }
    }
}

/// Tells what became of acknowledgements; returns how many succeeded.
fn tell(done: &Acknowledged, out: &mut dyn Write) -> Result<u64, Failure> {
    let count = done.offsets.len();
    let offsets: Vec<i64> = done.offsets.iter().map(|offset| offset.0).collect();
    let (topic, partition) = (&*done.partition.topic, done.partition.partition);
    let partitions = json!([{ "topic": topic, "partition": partition, "count": count, "offsets": offsets }]);
    let event = Event::new("offsets_acknowledged").with("count", count).with("partitions", partitions);
    match &done.outcome {
        Ok(()) => event.with("success", true).write(out)?,
        Err(error) => event.with("success", false).with("error", error.to_string()).write(out)?,
    }
    Ok(if done.outcome.is_ok() { count as u64 } else { 0 })
}
