//! Transcripts: `testdata/*.txt` say what is asked, and below `----` what the controller answers and writes.
//!
//! `UPDATE_TRANSCRIPTS=1 cargo test -p controller` writes the answers anew; read the difference before committing it.

#![allow(clippy::disallowed_methods, reason = "tests read and rewrite their transcripts")]

mod brokers;
mod large_requests;
mod partitions;
mod settings;
mod topics;
mod written;

use std::fmt::Write;
use std::time::Duration;

use metadata::bootstrap_records;
use model::{Timestamp, Uuid};
use protocol::*;

use super::*;

use written::{answer, fields};

struct Transcript {
    controller: Controller,
    now: Duration,
}

impl Transcript {
    fn new() -> Self {
        let config = ControllerConfig {
            cluster_id: "cluster".to_owned(),
            node_id: NodeId(100),
            max_idle_interval: None,
            seed: 1,
            ..ControllerConfig::default()
        };
        let mut this = Self { controller: Controller::new(config), now: Duration::ZERO };
        let bootstrap =
            bootstrap_records(metadata::MetadataVersion::LATEST, &BTreeMap::new()).expect("defaults");
        let records = this.controller.activation_records(&bootstrap);
        this.replay(records);
        this.controller.activate(this.now());
        this
    }

    fn now(&self) -> Now {
        Now { monotonic: self.now, wall: Timestamp(0) }
    }

    fn replay(&mut self, records: Vec<MetadataRecord>) {
        for record in records {
            self.controller.replay(record);
        }
        assert_eq!(self.controller.failure(), None);
    }

    fn ask(&mut self, request: impl Into<ControllerRequest>) -> String {
        let now = self.now();
        let outcome = self.controller.handle(now, Ticket(0), request.into());
        let mut out = String::new();
        for (_, response) in &outcome.answers {
            answer(&mut out, response);
        }
        self.write(out, outcome.records)
    }

    fn write(&mut self, mut out: String, records: Vec<MetadataRecord>) -> String {
        for record in &records {
            let name = record.name();
            writeln!(out, "  {name} {}", fields(record)).expect("a string takes all");
        }
        self.replay(records);
        out
    }

    fn epoch(&self, broker: i32) -> i64 {
        self.controller.broker(NodeId(broker)).map_or(-1, |broker| broker.epoch)
    }

    fn run(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["advance", millis] = words.as_slice() {
            return self.advance(Duration::from_millis(number(millis) as u64));
        }
        let told = self.ask_of_brokers(&words);
        let told = told.or_else(|| self.ask_of_topics(&words));
        let told = told.or_else(|| self.ask_of_partitions(&words));
        let told = told.or_else(|| self.ask_of_settings(&words));
        told.unwrap_or_else(|| panic!("{words:?} is no command"))
    }

    fn advance(&mut self, time: Duration) -> String {
        self.now += time;
        let now = self.now();
        let outcome = self.controller.handle_timeout(now);
        self.write(String::new(), outcome.records)
    }
}

fn number(word: &str) -> i32 {
    word.parse().expect("a number")
}

fn ids(word: &str) -> Vec<i32> {
    word.split(',').filter(|id| !id.is_empty()).map(number).collect()
}

fn check(name: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    let text = std::fs::read_to_string(&path).expect("the transcript can be read");
    let mut transcript = Transcript::new();
    let mut written = String::new();
    for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        let commands = block.split("\n----").next().unwrap_or_default();
        let mut answers = String::new();
        for line in commands.lines().filter(|line| !line.starts_with('#')) {
            answers.push_str(&transcript.run(line));
        }
        write!(written, "{commands}\n----\n{answers}\n").expect("a string takes all");
    }
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        std::fs::write(&path, written.trim_end().to_owned() + "\n").expect("the transcript can be written");
        return;
    }
    assert_eq!(written.trim_end(), text.trim_end(), "{name} tells otherwise");
}

#[test]
fn topics_are_created_grown_and_deleted() {
    check("topics.txt");
}

#[test]
fn brokers_come_and_go_and_their_partitions_follow() {
    check("brokers.txt");
}

#[test]
fn configs_are_altered() {
    check("configs.txt");
}

#[test]
fn credentials_and_quotas_are_altered() {
    check("clients.txt");
}

#[test]
fn partitions_are_reassigned_and_isrs_altered() {
    check("partitions.txt");
}

#[test]
fn features_and_producer_ids_are_handed_out() {
    check("features.txt");
}
