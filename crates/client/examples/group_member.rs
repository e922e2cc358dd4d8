//! Joins a group and prints what it gets: `group_member BOOTSTRAP TOPIC GROUP ASSIGNOR SECONDS [KEY=VALUE…]`.

use std::time::{Duration, Instant};

use client::{Consumer, Result, config_map};

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, bootstrap, topic, group, assignor, seconds, more @ ..] = arguments.as_slice() else {
        eprintln!("group_member BOOTSTRAP TOPIC GROUP ASSIGNOR SECONDS [KEY=VALUE…]");
        return Ok(());
    };
    let mut config = config_map([
        ("bootstrap.servers", bootstrap.as_str()),
        ("group.id", group),
        ("partition.assignment.strategy", assignor),
        ("auto.offset.reset", "earliest"),
    ]);
    config.extend(
        more.iter().filter_map(|pair| pair.split_once('=')).map(|(key, value)| (key.into(), value.into())),
    );
    let mut consumer = Consumer::from_map(&config)?;
    consumer.subscribe(&[topic]).await?;
    let end = Instant::now() + Duration::from_secs(seconds.parse().unwrap_or(10));
    let (mut count, mut before) = (0, None);
    while Instant::now() < end {
        count += consumer.poll(Duration::from_millis(200)).await?.len();
        let assigned = Some(consumer.assignment());
        if assigned != before {
            println!(
                "assigned {:?} after {count} records",
                assigned.iter().flatten().map(ToString::to_string).collect::<Vec<_>>()
            );
            before = assigned;
        }
    }
    println!("{count} records");
    consumer.close(Duration::from_secs(5)).await
}
