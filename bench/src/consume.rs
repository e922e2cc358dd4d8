//! Consumes all that a topic holds, one fetch after the other as consumers do.

use std::time::{Duration, Instant};

use anyhow::Result;
use client::admin::OffsetSpec;
use protocol::FetchRequest;
use serde_json::{Value, json};

use crate::flags::Flags;
use crate::load::{NAMED_FETCH, Reading};
use crate::quantiles;
use crate::target::Target;

/// The command.
pub async fn run(target: &Target, flags: &Flags) -> Result<Value> {
    let (connection, mut partitions) = target.connect().await?;
    let ends = target.offsets(OffsetSpec::Latest).await?;
    let mut reading = Reading {
        topic: target.topic().to_owned(),
        positions: target.offsets(OffsetSpec::Earliest).await?,
        max_bytes: flags.number("max-bytes", 8 << 20)? as i32,
        partition_bytes: flags.number("partition-bytes", 1 << 20)? as i32,
    };
    let version = connection.version_at_most::<FetchRequest>(NAMED_FETCH)?;
    let deadline = Instant::now() + Duration::from_secs(flags.number("secs", 60)? as u64);

    let (mut wire, mut records, mut micros) = (0, 0, Vec::new());
    let began = Instant::now();
    while Instant::now() < deadline {
        partitions.retain(|partition| reading.positions[partition] < ends[partition]);
        if partitions.is_empty() {
            break;
        }
        // As consumers do: the one that was read first has its turn last.
        partitions.rotate_left(1);
        let sent = Instant::now();
        let response = connection.send_version(&reading.request(partitions.iter().copied()), version).await?;
        wire += reading.advance(response, |batch| {
            records += i64::from(batch.header().record_count);
            Ok(())
        })?;
        micros.push(sent.elapsed().as_micros() as u32);
    }
    let seconds = began.elapsed().as_secs_f64();
    let mib_s = wire as f64 / seconds / f64::from(1 << 20);
    Ok(json!({
        "secs": seconds, "wire": wire, "records": records, "mib_s": mib_s, "fetch_us": quantiles(micros),
    }))
}
