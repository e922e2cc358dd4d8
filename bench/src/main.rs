//! A load generator for one broker. One command, one measurement, one line of JSON.
//!
//! It speaks through the client crate's connections with batches that are made beforehand, so that a core of its own can
//! keep a core of the broker busy. `cargo xtask bench` runs it; `bench/RESULTS.md` keeps what that found.

mod consume;
mod flags;
mod latency;
mod load;
mod produce;
mod target;

use anyhow::{Result, bail};
use flags::Flags;
use serde_json::{Value, json};
use target::Target;

const HELP: &str = "bench COMMAND --bootstrap HOST:PORT --topic NAME [--option value]…
  topic    --partitions N                       creates it, or finds it; the seconds until every partition can be used
  produce  --size B --bytes N [--codec lz4] [--acks -1] [--batch 64K] [--window 5] [--secs 60]
  consume  [--max-bytes 8M] [--partition-bytes 1M] [--secs 60]        all that is there
  latency  --rate R [--size 1024] [--secs 10] [--warm 2] [--acks -1] [--window 5]
           each record is due at a time that is fixed beforehand, and its latency counts from that time
  --spin   never sleep while waiting, as on machines where waking a core is dear";

fn main() -> Result<()> {
    let flags = Flags::parse(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let told = runtime.block_on(async {
        if flags.has("spin") {
            tokio::spawn(async {
                loop {
                    tokio::task::yield_now().await;
                }
            });
        }
        run(&flags).await
    })?;
    println!("{told}");
    Ok(())
}

async fn run(flags: &Flags) -> Result<Value> {
    let topic = flags.text("topic", "bench");
    let target = || Target::new(flags.text("bootstrap", "127.0.0.1:9092"), topic);
    match flags.command() {
        "topic" => {
            let seconds = target()?.create(flags.number("partitions", 6)? as i32).await?;
            Ok(json!({ "usable": seconds }))
        }
        "produce" => produce::run(&target()?, flags).await,
        "consume" => consume::run(&target()?, flags).await,
        "latency" => latency::run(&target()?, target()?, flags).await,
        _ => bail!("{HELP}"),
    }
}

/// The quantiles of `micros`, as the JSON line tells them.
fn quantiles(mut micros: Vec<u32>) -> Value {
    micros.sort_unstable();
    let at = |share: f64| micros.get(((micros.len() as f64 * share) as usize).min(micros.len().max(1) - 1));
    json!({ "n": micros.len(), "p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": micros.last() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_value_that_so_many_lie_below() {
        let told = quantiles((0..1000).rev().collect());
        assert_eq!((&told["p50"], &told["p99"], &told["p999"]), (&json!(500), &json!(990), &json!(999)));
        assert!(quantiles(Vec::new())["p50"].is_null());
    }
}
