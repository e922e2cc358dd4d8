//! `kafka-transactions find-hanging`: open in a partition for long, though no coordinator has the partition in a
//! transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use client::admin::{ListTransactionsOptions, ProducerState};
use client::{Admin, Error};
use model::{NodeId, ProducerId, TopicPartition};
use protocol::ErrorCode;

use super::{broker, failed};
use crate::Failure;
use crate::arguments::Arguments;
use crate::datetime::now_ms;
use crate::session::tab_table;

/// How many topics or partitions are asked about at a time.
const BATCH: usize = 500;
const MINUTE_MS: i64 = 60_000;

type Open = (TopicPartition, ProducerState);

pub(super) async fn run(admin: &Admin, args: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let (topic, partition, broker) = (args.value("--topic"), args.number::<i32>("--partition"), broker(args));
    if topic.is_none() && broker.is_none() {
        return Err(Failure::message(
            "The `find-hanging` command requires either --topic or --broker-id to limit the scope of the search",
        ));
    }
    if topic.is_none() && partition.is_some() {
        return Err(Failure::message("The --partition argument requires --topic to be provided"));
    }
    let longest = args.number::<i64>("--max-transaction-timeout").unwrap_or(15) * MINUTE_MS;
    let searched = match (topic, partition) {
        (Some(topic), Some(partition)) => vec![TopicPartition::new(topic, partition)],
        _ => partitions(admin, topic, broker).await?,
    };
    let mut open = Vec::new();
    for batch in searched.chunks(BATCH) {
        open.extend(open_for_long(admin, broker, batch, longest).await?);
    }
    let hanging = if open.is_empty() { open } else { unknown_to_coordinators(admin, open).await? };
    show(&hanging, out)
}

async fn partitions(
    admin: &Admin,
    topic: Option<&str>,
    broker: Option<NodeId>,
) -> Result<Vec<TopicPartition>, Failure> {
    let topics = match topic {
        Some(topic) => vec![topic.to_owned()],
        None => {
            let listed = admin.list_topics(true).await;
            let listed = listed.map_err(failed("Failed to list topics".to_owned()))?;
            listed.into_iter().map(|topic| topic.name).collect()
        }
    };
    let mut found = Vec::new();
    for batch in topics.chunks(BATCH) {
        let what = || format!("Failed to describe {} topics", batch.len());
        for topic in admin.describe_topics(batch).await.map_err(failed(what()))?.into_values() {
            let topic = topic.map_err(failed(what()))?;
            let here = topic
                .partitions
                .iter()
                .filter(|partition| broker.is_none_or(|broker| partition.replicas.contains(&broker)));
            found.extend(here.map(|partition| TopicPartition::new(topic.name.as_str(), partition.partition)));
        }
    }
    Ok(found)
}

async fn open_for_long(
    admin: &Admin,
    broker: Option<NodeId>,
    partitions: &[TopicPartition],
    longest_ms: i64,
) -> Result<Vec<Open>, Failure> {
    let described = match broker {
        Some(broker) => admin.describe_producers_of_replica(broker, partitions).await,
        None => Ok(admin.describe_producers(partitions).await),
    };
    let on = broker.map_or_else(|| "Optional.empty".to_owned(), |broker| format!("Optional[{broker}]"));
    let what = || format!("Failed to describe producers for {} partitions on broker {on}", partitions.len());
    let now = now_ms();
    let mut open = Vec::new();
    for (partition, states) in described.map_err(failed(what()))? {
        let long = |state: &ProducerState| {
            state.transaction_start.is_some() && now - state.last_timestamp.0 > longest_ms
        };
        let states = states.map_err(failed(what()))?;
        open.extend(states.into_iter().filter(long).map(|state| (partition.clone(), state)));
    }
    Ok(open)
}

/// Those of `open` that no coordinator has in a transaction.
async fn unknown_to_coordinators(admin: &Admin, open: Vec<Open>) -> Result<Vec<Open>, Failure> {
    let producer_ids: BTreeSet<ProducerId> = open.iter().map(|(_, state)| state.producer_id).collect();
    let what = format!("Failed to list transactions for {} producers", producer_ids.len());
    let options =
        ListTransactionsOptions { producer_ids: producer_ids.into_iter().collect(), ..Default::default() };
    let listed = admin.list_transactions(&options).await.map_err(failed(what))?;
    let ids: BTreeMap<ProducerId, String> = listed
        .into_values()
        .flatten()
        .map(|listing| (listing.producer_id, listing.transactional_id))
        .collect();
    let known = described_partitions(admin, &ids.values().cloned().collect::<Vec<_>>()).await?;
    let is_known = |(partition, state): &Open| {
        let partitions = ids.get(&state.producer_id).and_then(|id| known.get(id));
        partitions.is_some_and(|partitions| partitions.contains(partition))
    };
    Ok(open.into_iter().filter(|open| !is_known(open)).collect())
}

/// The partitions that each of the transactional ids has in its transaction; an id that is gone is left out.
async fn described_partitions(
    admin: &Admin,
    ids: &[String],
) -> Result<BTreeMap<String, BTreeSet<TopicPartition>>, Failure> {
    let mut known = BTreeMap::new();
    for (id, described) in admin.describe_transactions(ids).await {
        match described {
            Ok(described) => drop(known.insert(id, described.partitions)),
            Err(Error::Broker { code: ErrorCode::TRANSACTIONAL_ID_NOT_FOUND, .. }) => {}
            Err(error) => {
                return Err(failed(format!("Failed to describe {} transactions", ids.len()))(error));
            }
        }
    }
    Ok(known)
}

fn show(hanging: &[Open], out: &mut dyn Write) -> Result<(), Failure> {
    let now = now_ms();
    let row = |(partition, state): &Open| {
        vec![
            partition.topic.to_string(),
            partition.partition.to_string(),
            state.producer_id.to_string(),
            state.producer_epoch.to_string(),
            state.coordinator_epoch.unwrap_or(-1).to_string(),
            state.transaction_start.map_or(-1, |offset| offset.0).to_string(),
            state.last_timestamp.to_string(),
            ((now - state.last_timestamp.0) / MINUTE_MS).to_string(),
        ]
    };
    let rows: Vec<_> = hanging.iter().map(row).collect();
    let headers = [
        "Topic",
        "Partition",
        "ProducerId",
        "ProducerEpoch",
        "CoordinatorEpoch",
        "StartOffset",
        "LastTimestamp",
        "Duration(min)",
    ];
    tab_table(&headers, &rows, out)
}
