//! The verdict on a history: which of the anomalies of transactions it shows, each with its evidence.
//!
//! A value is `TXN|NAME` in a transaction and `NAME` in none. The whole value is unique; the name may be tried again by
//! another transaction (a transformation of the same input), and must be there once in the end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use crate::history::{Event, What};

/// What must not be. The names are those of the literature on transactional logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Acknowledged or committed, and not there in the end.
    LostWrite,
    /// There more than once.
    Duplicate,
    /// Of one transaction, some values are there and some are not.
    Torn,
    /// Of a transaction that was surely aborted, or never ended.
    AbortedRead,
    /// A reader went back.
    NonmonotonicPoll,
    /// A reader left out what lies between two things that it saw.
    PollSkip,
    /// One sender's values of a partition lie in another order than they were sent in.
    NonmonotonicSend,
    /// An offset held two values, or a value lies elsewhere than where it was acknowledged.
    InconsistentOffsets,
    /// Read once, gone in the end.
    FinalMissing,
    /// A group's committed offset went back.
    CommitWentBack,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LostWrite => "lost-write",
            Self::Duplicate => "duplicate",
            Self::Torn => "torn-transaction",
            Self::AbortedRead => "aborted-read",
            Self::NonmonotonicPoll => "nonmonotonic-poll",
            Self::PollSkip => "poll-skip",
            Self::NonmonotonicSend => "nonmonotonic-send",
            Self::InconsistentOffsets => "inconsistent-offsets",
            Self::FinalMissing => "final-missing",
            Self::CommitWentBack => "commit-went-back",
        })
    }
}

/// An anomaly with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Anomaly {
    /// Which.
    pub kind: Kind,
    /// What shows it.
    pub evidence: String,
}

type Place = (String, i32, i64);

/// What is known of a transaction.
#[derive(Default)]
struct Transaction {
    values: Vec<String>,
    commit_tried: bool,
    ended: Option<bool>,
}

/// A history, sorted by what the rules ask for.
#[derive(Default)]
struct Known {
    transactions: BTreeMap<String, Transaction>,
    sent: Vec<(String, String, i32, String)>,
    acked: Vec<(Place, String)>,
    reads: BTreeMap<(String, String, i32), Vec<(i64, String)>>,
    committed: BTreeMap<(String, String, i32), Vec<i64>>,
    last: BTreeMap<Place, String>,
    places: HashMap<String, Vec<Place>>,
}

/// The part of a value that another transaction may try again.
pub fn name_of(value: &str) -> &str {
    value.split_once('|').map_or(value, |(_, name)| name)
}

fn txn_of(value: &str) -> Option<&str> {
    value.split_once('|').map(|(txn, _)| txn)
}

/// Gives the verdict: no anomalies, or which. `inputs` must each have been transformed once into each of `outputs`.
pub fn check(events: &[Event], inputs: &str, outputs: &[&str]) -> Vec<Anomaly> {
    let known = Known::of(events);
    let mut found = Vec::new();
    known.losses(inputs, outputs, &mut found);
    known.duplicates(&mut found);
    known.transactions(&mut found);
    known.readers(&mut found);
    known.offsets(&mut found);
    known.order(&mut found);
    known.commits(&mut found);
    found.sort();
    found.dedup();
    found
}

impl Known {
    fn of(events: &[Event]) -> Self {
        let mut known = Self::default();
        for event in events {
            known.take(event);
        }
        known
    }

    fn take(&mut self, event: &Event) {
        match event.what.clone() {
            What::Sending { txn, topic, partition, value } => {
                if let Some(txn) = txn {
                    self.transactions.entry(txn).or_default().values.push(value.clone());
                }
                self.sent.push((event.who.clone(), topic, partition, value));
            }
            What::Acked { topic, partition, offset, value } => {
                self.acked.push(((topic, partition, offset), value));
            }
            What::Ending { txn, commit } => {
                self.transactions.entry(txn).or_default().commit_tried |= commit;
            }
            What::Ended { txn, commit } => self.transactions.entry(txn).or_default().ended = Some(commit),
            What::Read { reader, topic, partition, offset, value } => {
                self.reads.entry((reader, topic, partition)).or_default().push((offset, value));
            }
            What::Committed { group, topic, partition, offset } => {
                self.committed.entry((group, topic, partition)).or_default().push(offset);
            }
            What::Final { topic, partition, offset, value } => {
                let place = (topic, partition, offset);
                self.places.entry(value.clone()).or_default().push(place.clone());
                self.last.insert(place, value);
            }
            What::End { .. } | What::Note { .. } => {}
        }
    }

    fn is_there(&self, value: &str) -> bool {
        self.places.contains_key(value)
    }

    fn losses(&self, inputs: &str, outputs: &[&str], found: &mut Vec<Anomaly>) {
        let names: BTreeSet<&str> = self.places.keys().map(|value| name_of(value)).collect();
        for ((topic, ..), value) in self.acked.iter().filter(|(_, value)| txn_of(value).is_none()) {
            if !self.is_there(value) {
                lost(found, format!("{value} was acknowledged and is not there"));
            }
            let transformed = outputs.iter().filter(|_| topic == inputs);
            for output in transformed {
                let name = format!("{output}:{value}");
                if !names.contains(name.as_str()) {
                    lost(found, format!("{value} was not transformed into {output}"));
                }
            }
        }
        for (txn, transaction) in self.transactions.iter().filter(|(_, of)| of.ended == Some(true)) {
            for value in transaction.values.iter().filter(|value| !self.is_there(value)) {
                lost(found, format!("{value} of {txn} was committed and is not there"));
            }
        }
    }

    fn duplicates(&self, found: &mut Vec<Anomaly>) {
        let mut by_name: BTreeMap<&str, Vec<&Place>> = BTreeMap::new();
        for (value, places) in &self.places {
            by_name.entry(name_of(value)).or_default().extend(places);
        }
        for (name, places) in by_name.into_iter().filter(|(_, places)| places.len() > 1) {
            add(found, Kind::Duplicate, format!("{name} is at {places:?}"));
        }
    }

    fn transactions(&self, found: &mut Vec<Anomaly>) {
        let seen: BTreeSet<&str> = self.reads.values().flatten().map(|(_, value)| value.as_str()).collect();
        for (txn, transaction) in &self.transactions {
            let there: Vec<&String> =
                transaction.values.iter().filter(|value| self.is_there(value)).collect();
            if !there.is_empty() && there.len() < transaction.values.len() {
                let of = transaction.values.len();
                add(found, Kind::Torn, format!("{txn}: {} of {of} are there, as {}", there.len(), there[0]));
            }
            let aborted = transaction.ended == Some(false) || !transaction.commit_tried;
            for value in transaction.values.iter().filter(|_| aborted) {
                if seen.contains(value.as_str()) || self.is_there(value) {
                    add(found, Kind::AbortedRead, format!("{value} of {txn}, which was not committed"));
                }
            }
        }
    }

    fn readers(&self, found: &mut Vec<Anomaly>) {
        for ((reader, topic, partition), reads) in &self.reads {
            for pair in reads.windows(2).filter(|pair| pair[1].0 <= pair[0].0) {
                let (before, after) = (pair[0].0, pair[1].0);
                let text = format!("{reader} read {topic}-{partition} at {before} and then at {after}");
                add(found, Kind::NonmonotonicPoll, text);
            }
            let (Some(first), Some(last)) = (reads.first(), reads.last()) else { continue };
            let offsets: BTreeSet<i64> = reads.iter().map(|(offset, _)| *offset).collect();
            let place = |offset: i64| (topic.clone(), *partition, offset);
            let between = self.last.range(place(first.0)..=place(last.0.max(first.0)));
            for ((.., offset), value) in between.filter(|((.., offset), _)| !offsets.contains(offset)) {
                let text = format!("{reader} did not read {value} at {topic}-{partition} {offset}");
                add(found, Kind::PollSkip, text);
            }
            for (offset, value) in reads.iter().filter(|(_, value)| !self.is_there(value)) {
                let text = format!("{reader} read {value} at {topic}-{partition} {offset}");
                add(found, Kind::FinalMissing, text);
            }
        }
    }

    fn offsets(&self, found: &mut Vec<Anomaly>) {
        let reads = self.reads.iter().flat_map(|((reader, topic, partition), reads)| {
            reads
                .iter()
                .map(move |(offset, value)| (reader.as_str(), (topic.clone(), *partition, *offset), value))
        });
        let acks = self.acked.iter().map(|(place, value)| ("an acknowledgement", place.clone(), value));
        for (who, place, value) in reads.chain(acks) {
            if let Some(other) = self.last.get(&place).filter(|other| *other != value) {
                let text = format!("{place:?} holds {other}, and {value} for {who}");
                add(found, Kind::InconsistentOffsets, text);
            }
            let elsewhere = self.places.get(value).filter(|places| !places.contains(&place));
            if let Some(places) = elsewhere {
                add(
                    found,
                    Kind::InconsistentOffsets,
                    format!("{value} is at {places:?}, for {who} at {place:?}"),
                );
            }
        }
    }

    fn order(&self, found: &mut Vec<Anomaly>) {
        let mut before: BTreeMap<(&str, &str, i32), (&Place, &str)> = BTreeMap::new();
        for (who, topic, partition, value) in &self.sent {
            let Some(place) = self.places.get(value).and_then(|places| places.first()) else { continue };
            let line = before.entry((who, topic, *partition)).or_insert((place, value));
            if place.2 < line.0.2 {
                let text = format!("{who} sent {} before {value}, which is before it", line.1);
                add(found, Kind::NonmonotonicSend, text);
            }
            *line = (place, value);
        }
    }

    fn commits(&self, found: &mut Vec<Anomaly>) {
        for ((group, topic, partition), offsets) in &self.committed {
            for pair in offsets.windows(2).filter(|pair| pair[1] < pair[0]) {
                let text = format!("{group} of {topic}-{partition} from {} to {}", pair[0], pair[1]);
                add(found, Kind::CommitWentBack, text);
            }
        }
    }
}

fn lost(found: &mut Vec<Anomaly>, evidence: String) {
    add(found, Kind::LostWrite, evidence);
}

fn add(found: &mut Vec<Anomaly>, kind: Kind, evidence: String) {
    found.push(Anomaly { kind, evidence });
}

#[cfg(test)]
mod tests;
