//! Produces as fast as the broker answers, with a few requests unanswered at any time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use protocol::ProduceRequest;
use records::Codec;
use serde_json::{Value, json};

use crate::flags::Flags;
use crate::load::{NAMED_PRODUCE, batch, check_produced, produce, text};
use crate::quantiles;
use crate::target::Target;

/// How many partitions one request writes to.
const PARTITIONS_AT_ONCE: usize = 16;
/// How many batches there are, of which partitions send one over and over.
const BATCHES: usize = 8;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The command.
pub async fn run(target: &Target, flags: &Flags) -> Result<Value> {
    let (connection, partitions) = target.connect().await?;
    let size = flags.number("size", 1024)?.max(1) as usize;
    let window = flags.number("window", 5)?.max(1) as usize;
    let limit = flags.number("bytes", 1 << 30)? as usize;
    let deadline = Instant::now() + Duration::from_secs(flags.number("secs", 60)? as u64);
    let in_batch = (flags.number("batch", 64 << 10)? as usize / (size + 8)).max(1);
    let requests = requests(target.topic(), &partitions, size, in_batch, flags)?;
    let version = connection.version_at_most::<ProduceRequest>(NAMED_PRODUCE)?;

    let (mut payload, mut next, mut micros) = (0, requests.iter().cycle(), Vec::new());
    let mut waiting = VecDeque::new();
    let began = Instant::now();
    loop {
        while waiting.len() < window && payload < limit && Instant::now() < deadline {
            let Some(request) = next.next() else { bail!("the topic has no partitions") };
            let answer = Box::pin(connection.begin(request, version, PATIENCE)?);
            payload += request.topic_data[0].partition_data.len() * in_batch * size;
            waiting.push_back((Instant::now(), answer));
        }
        let Some((sent, answer)) = waiting.pop_front() else { break };
        check_produced(&answer.await?)?;
        micros.push(sent.elapsed().as_micros() as u32);
    }
    let seconds = began.elapsed().as_secs_f64();
    let mib_s = payload as f64 / seconds / f64::from(1 << 20);
    Ok(json!({
        "secs": seconds, "payload": payload, "records": payload / size, "mib_s": mib_s, "ack_us": quantiles(micros),
    }))
}

/// Requests that together write a batch to each partition.
fn requests(
    topic: &str,
    partitions: &[i32],
    size: usize,
    in_batch: usize,
    flags: &Flags,
) -> Result<Vec<ProduceRequest>> {
    let codec = match flags.text("codec", "none") {
        "none" => Codec::None,
        "lz4" => Codec::Lz4,
        other => bail!("--codec {other} is neither none nor lz4"),
    };
    let acks = flags.number("acks", -1)? as i16;
    let values = |of: usize| (0..in_batch).map(move |n| text(size, (of * in_batch + n) as u64));
    let batches = (0..BATCHES).map(|of| batch(values(of), codec)).collect::<Result<Vec<_>>>()?;
    let of = |index: &i32| (*index, batches[*index as usize % BATCHES].clone());
    Ok(partitions.chunks(PARTITIONS_AT_ONCE).map(|few| produce(topic, acks, few.iter().map(of))).collect())
}
