//! Many transactions of many producers over all partitions of one topic.

use std::time::Duration;

use client::Error;

use crate::chance::Chance;
use crate::history::History;
use crate::plan::{PARTITIONS, Plan};
use crate::transaction::{Transaction, producer};

/// Writes transactions for ever: after an error with a new producer.
pub async fn write(plan: Plan, history: History, mut chance: Chance, id: String, generation: u64) {
    for incarnation in 0.. {
        let who = format!("{id}.{generation}.{incarnation}");
        if let Err(error) = live(&plan, &history, &mut chance, &id, &who).await {
            history.note(&who, format!("begins anew after {error:?}"));
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

async fn live(plan: &Plan, history: &History, chance: &mut Chance, id: &str, who: &str) -> Result<(), Error> {
    let producer = producer(plan, id).await?;
    let topic = plan.topic("plain");
    for number in 0.. {
        let mut transaction = Transaction::begin(&producer, history, &format!("{who}.{number}"))?;
        let mut sent = Ok(());
        for at in 0..1 + chance.below(6) {
            let partition = chance.below(PARTITIONS as u64) as i32;
            sent = transaction.send(&topic, partition, &format!("{who}.{number}.{at}")).await;
            if chance.percent(15) {
                producer.flush().await;
            }
            if sent.is_err() {
                break;
            }
        }
        transaction.end(sent, !chance.percent(plan.aborts)).await?;
        tokio::time::sleep(Duration::from_millis(chance.below(20))).await;
    }
    Ok(())
}
