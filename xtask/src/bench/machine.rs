//! `cargo xtask bench --machine`: what bounds the figures on this machine, whatever serves: how late it lets a thread run, and
//! what its disk takes to flush.
//!
//! Each is measured by a process of its own, which can be held to the broker's core. The table takes them in turn with its
//! subjects, so that they tell of the same minutes.

use super::generator::{cpu_seconds, last_line, pinned};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const HELP: &str = "cargo xtask bench --machine hiccups SECS        how late a thread is that wants to run every 100 µs
cargo xtask bench --machine flush FOLDER SECS   appends of 4 KiB each followed by fdatasync, by one thread, for SECS;
                                                then appends of 1 MiB, each flushed or none
Each prints one line of JSON, its times in microseconds. Run them under `taskset -c 0` to learn of one core.";

/// How often the thread wants to run.
const EVERY: Duration = Duration::from_micros(100);
/// What is appended before each flush.
const APPEND: usize = 4096;
/// What is appended at a time where the bytes count, not the flushes.
const PIECE: usize = 1 << 20;
/// How many of those.
const PIECES: usize = 512;

/// The command.
pub fn run(arguments: &[&str]) -> Result<()> {
    let told = match arguments {
        ["hiccups", secs] => hiccups(seconds(secs)?),
        ["flush", folder, secs] => flush(Path::new(folder), seconds(secs)?)?,
        _ => bail!("{HELP}"),
    };
    println!("{told}");
    Ok(())
}

fn seconds(text: &str) -> Result<Duration> {
    Ok(Duration::from_secs(text.parse().context("SECS is a number")?))
}

/// The command in a process of its own, held to the broker's core.
pub fn begin(arguments: &[&str]) -> Result<Child> {
    let mut command = pinned(0, &std::env::current_exe()?);
    command.args(["bench", "--machine"]).args(arguments).stdout(Stdio::piped());
    command.spawn().context("cannot measure the machine")
}

/// What such a process told.
pub fn end(process: Child) -> Result<Value> {
    let output = process.wait_with_output()?;
    if !output.status.success() {
        bail!("the machine was not measured");
    }
    last_line(&output.stdout)
}

/// How late a thread runs that is due at fixed times, as a record is in a latency cell: each time that passed meanwhile counts.
fn hiccups(length: Duration) -> Value {
    // By default Linux lets timers of a thread be 50 µs late to save wake-ups. Without the file they stay so.
    _ = fs::write("/proc/self/timerslack_ns", "1");
    let start = Instant::now();
    let mut due = Duration::ZERO;
    let mut late = Vec::new();
    while due < length {
        if let Some(early) = due.checked_sub(start.elapsed()) {
            std::thread::sleep(early);
        }
        late.push(start.elapsed().saturating_sub(due));
        due += EVERY;
    }
    json!({ "late_us": quantiles(late) })
}

fn flush(folder: &Path, length: Duration) -> Result<Value> {
    fs::create_dir_all(folder)?;
    let path = folder.join("flush.tmp");
    let mut file = File::create(&path)?;
    let told = (|| {
        let mut told = small_flushes(&mut file, length)?;
        (told["synced_mib_s"], told["synced_cpu_s_per_gib"]) = pieces(&mut file, true)?;
        // Last: what is only in the page cache at its end is thrown away with the file.
        (told["mib_s"], told["cpu_s_per_gib"]) = pieces(&mut file, false)?;
        Ok(told)
    })();
    fs::remove_file(path)?;
    told
}

fn small_flushes(file: &mut File, length: Duration) -> Result<Value> {
    let (start, cpu) = (Instant::now(), own_cpu_seconds());
    let mut took = Vec::new();
    while start.elapsed() < length {
        let began = Instant::now();
        file.write_all(&[1; APPEND])?;
        file.sync_data()?;
        took.push(began.elapsed());
    }
    let count = took.len().max(1) as f64;
    Ok(json!({
        "flushes_s": count / start.elapsed().as_secs_f64(),
        "cpu_us_per_flush": (own_cpu_seconds() - cpu) * 1e6 / count,
        "flush_us": quantiles(took),
    }))
}

/// MiB a second and CPU seconds a GiB of large appends to a file that is empty again.
fn pieces(file: &mut File, synced: bool) -> Result<(Value, Value)> {
    file.set_len(0)?;
    file.rewind()?;
    let (start, cpu, piece) = (Instant::now(), own_cpu_seconds(), vec![1; PIECE]);
    for _ in 0..PIECES {
        file.write_all(&piece)?;
        if synced {
            file.sync_data()?;
        }
    }
    let (mib, spent) = (((PIECES * PIECE) >> 20) as f64, own_cpu_seconds() - cpu);
    Ok((json!(mib / start.elapsed().as_secs_f64()), json!(spent / (mib / 1024.0))))
}

fn own_cpu_seconds() -> f64 {
    cpu_seconds(std::process::id())
}

/// In microseconds.
fn quantiles(mut times: Vec<Duration>) -> Value {
    times.sort();
    let at = |share: f64| {
        let place = ((times.len() as f64 * share).ceil() as usize).saturating_sub(1);
        times.get(place).map(|time| time.as_nanos() as f64 / 1000.0)
    };
    let told = [("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)];
    told.iter().map(|(name, share)| ((*name).to_owned(), json!(at(*share)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_taken() {
        let told = quantiles((1..=1000).rev().map(Duration::from_micros).collect());
        assert_eq!(told, json!({ "p50": 500.0, "p99": 990.0, "p999": 999.0, "max": 1000.0 }));
        assert_eq!(quantiles(Vec::new())["max"], Value::Null);
    }

    #[test]
    fn every_time_that_was_due_counts() {
        let told = hiccups(Duration::from_millis(5));
        assert!(told["late_us"]["max"].as_f64() >= told["late_us"]["p50"].as_f64(), "{told}");
    }

    #[test]
    fn a_flush_is_measured_and_leaves_nothing() {
        let folder = std::env::temp_dir().join(format!("machine-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("the folder is ours");
        let mut file = File::create(folder.join("flush")).expect("the folder is ours");
        let told = small_flushes(&mut file, Duration::from_millis(5)).expect("the disk takes it");
        fs::remove_dir_all(&folder).expect("the folder is ours");
        assert!(told["flushes_s"].as_f64().is_some_and(|rate| rate > 0.0), "{told}");
    }
}
