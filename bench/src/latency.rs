//! Latency at a fixed rate, open loop: a record is due at a time fixed beforehand, whatever became of those before it.
//!
//! Invariants:
//! - both latencies count from when the record was due, so that a stalled broker is charged for all that it held up
//! - what is due goes out at once while fewer than the window's requests are unanswered; what is due meanwhile goes out
//!   together after that, as a producer's batch

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use client::admin::OffsetSpec;
use protocol::{FetchRequest, ProduceRequest};
use records::Codec;
use serde_json::{Value, json};

use crate::flags::Flags;
use crate::load::{NAMED_FETCH, NAMED_PRODUCE, Reading, batch, check_produced, produce, text};
use crate::quantiles;
use crate::target::Target;

/// The most records of one request.
const RECORDS_MAX: u64 = 5_000;
/// How long an answer, or the last record, may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many bytes of a value tell when its record was due.
const DUE_LEN: usize = 8;

/// The plan: which record is due when.
#[derive(Clone, Copy)]
struct Plan {
    start: Instant,
    rate: f64,
    /// Records in all.
    total: u64,
    /// Nanoseconds from the start during which nothing counts.
    warm: u64,
}

impl Plan {
    /// When a record is due, in nanoseconds from the start.
    fn due(&self, record: u64) -> u64 {
        (record as f64 * 1e9 / self.rate) as u64
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// Notes a record that was due at `due` and came now.
    fn note(&self, due: u64, micros: &mut Vec<u32>) {
        if due >= self.warm {
            micros.push((self.now().saturating_sub(due) / 1000) as u32);
        }
    }

    /// Waits until a record is due, exactly.
    async fn until(&self, record: u64) {
        while self.now() < self.due(record) {
            tokio::task::yield_now().await;
        }
    }
}

/// The command: `writing` and `reading` are the same topic over connections of their own.
pub async fn run(writing: &Target, reading: Target, flags: &Flags) -> Result<Value> {
    let rate = flags.number("rate", 1000)? as f64;
    let (seconds, warm) = (flags.number("secs", 10)?, flags.number("warm", 2)?);
    let positions = reading.offsets(OffsetSpec::Latest).await?;
    let (fetching, _) = reading.connect().await?;
    let reading = Reading {
        topic: reading.topic().to_owned(),
        positions,
        max_bytes: 8 << 20,
        partition_bytes: 1 << 20,
    };
    let (producing, partitions) = writing.connect().await?;
    let total = (rate * (seconds + warm) as f64) as u64;
    let warm = Duration::from_secs(warm as u64).as_nanos() as u64;
    let plan = Plan { start: Instant::now() + Duration::from_millis(50), rate, total, warm };
    let reader = tokio::spawn(read(fetching, reading, plan));
    let acknowledged = write(&producing, writing.topic(), &partitions, plan, flags).await?;
    let read = tokio::time::timeout(PATIENCE, reader).await.context("the last records did not come")???;
    Ok(json!({ "rate": rate, "sent": total, "ack_us": quantiles(acknowledged), "e2e_us": quantiles(read) }))
}

/// Sends every record as it is due; returns how long after that it was acknowledged.
async fn write(
    connection: &client::connection::Connection,
    topic: &str,
    partitions: &[i32],
    plan: Plan,
    flags: &Flags,
) -> Result<Vec<u32>> {
    let version = connection.version_at_most::<ProduceRequest>(NAMED_PRODUCE)?;
    let window = flags.number("window", 5)?.max(1) as usize;
    let acks = flags.number("acks", -1)? as i16;
    let filler = text((flags.number("size", 1024)? as usize).max(DUE_LEN), 1);
    let (mut next, mut micros, mut waiting) = (0, Vec::new(), VecDeque::new());
    while next < plan.total || !waiting.is_empty() {
        tokio::select! {
            biased;
            answered = first(&mut waiting) => {
                let (records, response): (std::ops::Range<u64>, _) = answered;
                check_produced(&response?)?;
                records.for_each(|record| plan.note(plan.due(record), &mut micros));
            }
            () = plan.until(next), if next < plan.total && waiting.len() < window => {
                let now = plan.now();
                let mut end = next + 1;
                while end < plan.total && end - next < RECORDS_MAX && plan.due(end) <= now {
                    end += 1;
                }
                let request = request(topic, acks, partitions, &filler, next..end, plan)?;
                waiting.push_back((next..end, Box::pin(connection.begin(&request, version, PATIENCE)?)));
                next = end;
            }
        }
    }
    Ok(micros)
}

/// Waits for the first answer; for ever, if there is none to come.
async fn first<T, F: Future + Unpin>(waiting: &mut VecDeque<(T, F)>) -> (T, F::Output) {
    let Some((_, answer)) = waiting.front_mut() else { return std::future::pending().await };
    let output = answer.await;
    let (records, _) = waiting.pop_front().expect("there is a first");
    (records, output)
}

/// Records in turn over all partitions, each with the time when it was due.
fn request(
    topic: &str,
    acks: i16,
    partitions: &[i32],
    filler: &[u8],
    records: std::ops::Range<u64>,
    plan: Plan,
) -> Result<ProduceRequest> {
    let count = partitions.len() as u64;
    let value = |record| {
        let mut value = filler.to_vec();
        value[..DUE_LEN].copy_from_slice(&plan.due(record).to_be_bytes());
        value
    };
    let mut batches = Vec::new();
    for (place, partition) in (0..).zip(partitions) {
        let mut own = records.clone().filter(|record| record % count == place).peekable();
        if own.peek().is_some() {
            batches.push((*partition, batch(own.map(value), Codec::None)?));
        }
    }
    Ok(produce(topic, acks, batches))
}

/// Fetches until every record has come; returns how long after it was due.
async fn read(
    connection: client::connection::Connection,
    mut reading: Reading,
    plan: Plan,
) -> Result<Vec<u32>> {
    let version = connection.version_at_most::<FetchRequest>(NAMED_FETCH)?;
    let partitions: Vec<i32> = reading.positions.keys().copied().collect();
    let (mut come, mut micros) = (0, Vec::new());
    while come < plan.total {
        let request = reading.request(partitions.iter().copied());
        let response = connection.send_version(&request, version).await?;
        reading.advance(response, |batch| {
            for record in batch.decode(usize::MAX)?.iter() {
                let due =
                    record?.value.and_then(|value| value.first_chunk()).context("a record of others")?;
                plan.note(u64::from_be_bytes(*due), &mut micros);
                come += 1;
            }
            Ok(())
        })?;
    }
    Ok(micros)
}
