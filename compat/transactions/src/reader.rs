//! Readers: one that reads along while things break, and the last reading when all has healed.

use std::collections::BTreeMap;
use std::time::Duration;

use client::{Consumer, Error};
use model::{Offset, TopicPartition};

use crate::history::{History, What};
use crate::plan::{PARTITIONS, Plan};

/// All partitions of the run.
pub fn partitions(plan: &Plan) -> Vec<TopicPartition> {
    let of = |topic: String| (0..PARTITIONS).map(move |index| TopicPartition::new(topic.as_str(), index));
    plan.topics().into_iter().flat_map(of).collect()
}

async fn reader(plan: &Plan, isolation: &str) -> Result<Consumer, Error> {
    let config = plan.config([
        ("isolation.level", isolation.to_owned()),
        ("auto.offset.reset", "earliest".to_owned()),
        ("fetch.max.wait.ms", "50".to_owned()),
    ]);
    let mut consumer = Consumer::from_map(&config)?;
    consumer.assign(&partitions(plan)).await?;
    Ok(consumer)
}

/// Reads along for ever.
pub async fn follow(plan: Plan, history: History, name: String) {
    let mut consumer = match reader(&plan, plan.isolation()).await {
        Ok(consumer) => consumer,
        Err(error) => return history.note(&name, format!("cannot read: {error:?}")),
    };
    loop {
        match consumer.poll(Duration::from_millis(200)).await {
            Ok(records) => {
                for record in records {
                    let value =
                        String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned();
                    let (topic, partition, offset) =
                        (record.topic.to_string(), record.partition, record.offset.0);
                    history.tell(&name, What::Read { reader: name.clone(), topic, partition, offset, value });
                }
            }
            Err(error) => {
                history.note(&name, format!("poll: {error:?}"));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Waits until nothing is open any more: one who reads what is committed gets as far as one who reads everything.
pub async fn settled(plan: &Plan) -> Result<BTreeMap<TopicPartition, Offset>, String> {
    let all = partitions(plan);
    let say = |error: Error| format!("{error:?}");
    let everything = reader(plan, "read_uncommitted").await.map_err(say)?;
    let committed = reader(plan, "read_committed").await.map_err(say)?;
    let mut open = Vec::new();
    for _ in 0..100 {
        let ends = everything.end_offsets(&all).await.map_err(say)?;
        let stable = committed.end_offsets(&all).await.map_err(say)?;
        if ends == stable {
            return Ok(ends);
        }
        open = ends.into_iter().filter(|(name, end)| stable[name] != *end).collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(format!("a transaction hangs in {open:?}"))
}

/// Reads everything from offset 0 to `ends`.
pub async fn read_all(
    plan: &Plan,
    history: &History,
    ends: &BTreeMap<TopicPartition, Offset>,
) -> Result<(), String> {
    let mut consumer = reader(plan, plan.isolation()).await.map_err(|error| format!("{error:?}"))?;
    let behind = |consumer: &Consumer| {
        ends.iter().any(|(name, end)| consumer.known_position(name).is_none_or(|at| at < *end))
    };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while behind(&consumer) {
        if tokio::time::Instant::now() > deadline {
            return Err("the last reading does not come to its end".into());
        }
        for record in consumer.poll(Duration::from_millis(200)).await.map_err(|error| format!("{error:?}"))? {
            let value = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned();
            let (topic, partition, offset) = (record.topic.to_string(), record.partition, record.offset.0);
            history.tell("final", What::Final { topic, partition, offset, value });
        }
    }
    for (name, end) in ends {
        let (topic, partition) = (name.topic.to_string(), name.partition);
        history.tell("final", What::End { topic, partition, offset: end.0 });
    }
    Ok(())
}
