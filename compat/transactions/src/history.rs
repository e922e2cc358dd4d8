//! What happened, one event a line: the evidence that a verdict is given on, kept beside it.
//!
//! Invariant: an event of intent (`sending`, `ending`) is written before the thing is done, an event of outcome after; so
//! that whoever is killed in between leaves an open outcome, never a wrong one.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    /// A value goes out, in a transaction or in none.
    Sending { txn: Option<String>, topic: String, partition: i32, value: String },
    /// It was acknowledged at an offset.
    Acked { topic: String, partition: i32, offset: i64, value: String },
    /// A transaction is about to be ended.
    Ending { txn: String, commit: bool },
    /// It was ended so, for certain.
    Ended { txn: String, commit: bool },
    /// A reader was given a value. A reader's name stands for one unbroken reading of a partition.
    Read { reader: String, topic: String, partition: i32, offset: i64, value: String },
    /// The group's committed offset of a partition, as it was told.
    Committed { group: String, topic: String, partition: i32, offset: i64 },
    /// After everything healed: a value of the last reading, from offset 0 to the end.
    Final { topic: String, partition: i32, offset: i64, value: String },
    /// After everything healed: where a partition ends.
    End { topic: String, partition: i32, offset: i64 },
    /// For people.
    Note { text: String },
}

/// An event: when (milliseconds since 1970), who, what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When it was written.
    pub ms: u64,
    /// By whom.
    pub who: String,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// Where events go: memory and a file, or standard output in a process that can be killed.
#[derive(Clone)]
pub struct History {
    sink: Arc<Mutex<Sink>>,
}

struct Sink {
    out: Box<dyn Write + Send>,
    kept: Option<Vec<Event>>,
}

impl History {
    /// Writes to `out`, and keeps the events for the verdict if `keep`.
    pub fn new(out: impl Write + Send + 'static, keep: bool) -> Self {
        Self { sink: Arc::new(Mutex::new(Sink { out: Box::new(out), kept: keep.then(Vec::new) })) }
    }

    /// Writes an event of `who`.
    pub fn tell(&self, who: &str, what: What) {
        let ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        self.add(Event { ms, who: who.to_owned(), what });
    }

    /// Writes a remark of `who`.
    pub fn note(&self, who: &str, text: impl Into<String>) {
        self.tell(who, What::Note { text: text.into() });
    }

    /// Writes an event that happened elsewhere.
    pub fn add(&self, event: Event) {
        let mut sink = self.sink.lock().expect("no holder panics");
        let mut line = serde_json::to_vec(&event).expect("an event is plain data");
        line.push(b'\n');
        // A parent that is gone does not need the line.
        let _ = sink.out.write_all(&line).and_then(|()| sink.out.flush());
        if let Some(kept) = &mut sink.kept {
            kept.push(event);
        }
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Event> {
        self.sink.lock().expect("no holder panics").kept.clone().unwrap_or_default()
    }
}
