//! Sends numbered records and prints how fast: `produce BOOTSTRAP TOPIC COUNT BYTES [KEY=VALUE…]`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use client::{Producer, ProducerRecord, Result, config_map};

/// How many records may wait for their answers.
const WINDOW: usize = 100_000;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, bootstrap, topic, count, bytes, more @ ..] = arguments.as_slice() else {
        eprintln!("produce BOOTSTRAP TOPIC COUNT BYTES [KEY=VALUE…]");
        return Ok(());
    };
    let (count, bytes): (u64, usize) = (count.parse().unwrap_or(1000), bytes.parse().unwrap_or(100));
    let mut config = config_map([("bootstrap.servers", bootstrap.as_str())]);
    config.extend(
        more.iter().filter_map(|pair| pair.split_once('=')).map(|(key, value)| (key.into(), value.into())),
    );
    let producer = Producer::from_map(&config)?;
    let start = Instant::now();
    let mut waiting = VecDeque::new();
    let mut failed = 0;
    for i in 0..count {
        let value = format!("{i:0bytes$}");
        waiting.push_back(producer.enqueue(ProducerRecord::to(topic.as_str()).value(value)).await?);
        if waiting.len() > WINDOW
            && let Some(oldest) = waiting.pop_front()
        {
            failed += u64::from(oldest.await.is_err());
        }
    }
    producer.flush().await;
    for delivery in waiting {
        failed += u64::from(delivery.await.is_err());
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{count} records, {failed} failed, {:.0} records/s, {:.1} MiB/s",
        count as f64 / seconds,
        (count * bytes as u64) as f64 / seconds / 1_048_576.0
    );
    producer.close(Duration::from_secs(30)).await;
    Ok(())
}
