//! `kafka-transactions`: the transactions of a cluster, and those that hang. Kafka: `TransactionsCommand`.

mod abort;
mod find_hanging;

use std::io::Write;

use client::admin::{ListTransactionsOptions, ProducerState};
use client::{Admin, Error};
use model::{NodeId, TopicPartition};

use crate::arguments::Arity::{Flag, One};
use crate::arguments::Number::{Integer, Long, Short};
use crate::arguments::{Arg, Arguments, Syntax, arg};
use crate::datetime::now_ms;
use crate::session::{admin, block_on, client_config, tab_table};
use crate::{Failure, KAFKA_VERSION};

const TOPIC: Arg = arg("--topic", "", One, "The topic's name.");
const PARTITION: Arg = arg("--partition", "", One, "The partition's number.").number(Integer);
const BROKER: Arg = arg("--broker-id", "", One, "The broker whose replicas are asked.").number(Integer);

const SYNTAX: Syntax = Syntax {
    program: "kafka-transactions.sh",
    intro: "Tells the state of transactions and of producers, finds transactions that hang, and aborts them.",
    args: &[
        arg("--version", "-v", Flag, "Print the version of Kafka that this tool follows."),
        arg("--command-config", "", One, "A file with properties of the client."),
        arg("--bootstrap-server", "", One, "The brokers to connect to: host:port,host:port.").required(),
    ],
    commands: &[
        (
            "list",
            Syntax {
                program: "kafka-transactions.sh list",
                intro: "List transactions.",
                args: &[
                    arg(
                        "--duration-filter",
                        "",
                        One,
                        "Only those open for longer than this, in ms; all if < 0.",
                    )
                    .number(Long),
                    arg(
                        "--transactional-id-pattern",
                        "",
                        One,
                        "Only ids that match this regular expression.",
                    ),
                ],
                commands: &[],
            },
        ),
        (
            "describe",
            Syntax {
                program: "kafka-transactions.sh describe",
                intro: "Describe a transactional id.",
                args: &[arg("--transactional-id", "", One, "The transactional id.").required()],
                commands: &[],
            },
        ),
        (
            "describe-producers",
            Syntax {
                program: "kafka-transactions.sh describe-producers",
                intro: "Describe the producers that a partition remembers.",
                args: &[BROKER, TOPIC.required(), PARTITION.required()],
                commands: &[],
            },
        ),
        (
            "abort",
            Syntax {
                program: "kafka-transactions.sh abort",
                intro: "Abort a transaction that hangs in a partition.",
                args: &[
                    TOPIC.required(),
                    PARTITION.required(),
                    arg(
                        "--start-offset",
                        "",
                        One,
                        "Where the transaction begins. Enough for brokers of 3.0 or later.",
                    )
                    .number(Long),
                    arg("--producer-id", "", One, "For older brokers: the producer's id.").number(Long),
                    arg("--producer-epoch", "", One, "For older brokers: the producer's epoch.")
                        .number(Short),
                    arg("--coordinator-epoch", "", One, "For older brokers: the coordinator's epoch.")
                        .number(Integer),
                ],
                commands: &[],
            },
        ),
        (
            "find-hanging",
            Syntax {
                program: "kafka-transactions.sh find-hanging",
                intro: "Find transactions that hang.",
                args: &[
                    BROKER,
                    arg(
                        "--max-transaction-timeout",
                        "",
                        One,
                        "Open for how many minutes at least (15 if not given).",
                    )
                    .number(Integer),
                    TOPIC,
                    PARTITION,
                ],
                commands: &[],
            },
        ),
        (
            "forceTerminateTransaction",
            Syntax {
                program: "kafka-transactions.sh forceTerminateTransaction",
                intro: "Abort whatever a transactional id has open, and fence its producer.",
                args: &[arg("--transactionalId", "", One, "The transactional id.").required()],
                commands: &[],
            },
        ),
    ],
};

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    if args.first().is_some_and(|word| matches!(word.as_str(), "-v" | "--version")) {
        return Ok(writeln!(out, "{KAFKA_VERSION}")?);
    }
    let args = Arguments::parse_or_fail(&SYNTAX, args)?;
    let config = client_config(args.value("--command-config"), args.value("--bootstrap-server"))?;
    block_on(async {
        let admin = admin(&config)?;
        match args.command {
            Some("list") => list(&admin, &args, out).await,
            Some("describe") => describe(&admin, &args, out).await,
            Some("describe-producers") => describe_producers(&admin, &args, out).await,
            Some("abort") => abort::run(&admin, &args).await,
            Some("find-hanging") => find_hanging::run(&admin, &args, out).await,
            _ => abort::force_terminate(&admin, &args).await,
        }
    })
}

/// Kafka: `TransactionsCommand.printErrorAndExit`.
fn failed(what: String) -> impl FnOnce(Error) -> Failure {
    move |error| Failure::message(format!("{what}: {error}. Enable debug logging for additional detail."))
}

/// The partition that the command line names.
fn partition(args: &Arguments) -> TopicPartition {
    TopicPartition::new(
        args.value("--topic").unwrap_or_default(),
        args.number("--partition").unwrap_or_default(),
    )
}

fn broker(args: &Arguments) -> Option<NodeId> {
    args.number("--broker-id").map(NodeId)
}

async fn list(admin: &Admin, args: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let options = ListTransactionsOptions {
        longer_than_ms: args.number("--duration-filter"),
        id_pattern: args.value("--transactional-id-pattern").map(str::to_owned),
        ..Default::default()
    };
    let listed = admin.list_transactions(&options).await;
    let mut rows = Vec::new();
    for (coordinator, listings) in listed.map_err(failed("Failed to list transactions".to_owned()))? {
        rows.extend(listings.into_iter().map(|listing| {
            vec![
                listing.transactional_id,
                coordinator.to_string(),
                listing.producer_id.to_string(),
                listing.state,
            ]
        }));
    }
    tab_table(&["TransactionalId", "Coordinator", "ProducerId", "TransactionState"], &rows, out)
}

async fn describe(admin: &Admin, args: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let id = args.value("--transactional-id").unwrap_or_default().to_owned();
    let what = format!("Failed to describe transaction state of transactional-id `{id}`");
    let described = admin.describe_transactions(std::slice::from_ref(&id)).await.remove(&id);
    let described = described
        .unwrap_or_else(|| Err(Error::IllegalState("nothing was described".to_owned())))
        .map_err(failed(what))?;
    let or_none = |time: Option<i64>| time.map_or_else(|| "None".to_owned(), |time| time.to_string());
    let partitions: Vec<_> = described.partitions.iter().map(ToString::to_string).collect();
    let row = vec![
        described.coordinator.to_string(),
        id,
        described.producer_id.to_string(),
        described.producer_epoch.to_string(),
        described.state,
        described.timeout_ms.to_string(),
        or_none(described.start.map(|start| start.0)),
        or_none(described.start.map(|start| now_ms() - start.0)),
        partitions.join(","),
    ];
    let headers = [
        "CoordinatorId",
        "TransactionalId",
        "ProducerId",
        "ProducerEpoch",
        "TransactionState",
        "TransactionTimeoutMs",
        "CurrentTransactionStartTimeMs",
        "TransactionDurationMs",
        "TopicPartitions",
    ];
    tab_table(&headers, &[row], out)
}

async fn describe_producers(admin: &Admin, args: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let (partition, broker) = (partition(args), broker(args));
    let on = broker.map_or_else(|| "leader".to_owned(), |broker| format!("broker {broker}"));
    let what = format!("Failed to describe producers for partition {partition} on {on}");
    let states = producers(admin, broker, &partition).await.map_err(failed(what))?;
    let row = |state: ProducerState| {
        vec![
            state.producer_id.to_string(),
            state.producer_epoch.to_string(),
            state.coordinator_epoch.unwrap_or(-1).to_string(),
            state.last_sequence.to_string(),
            state.last_timestamp.to_string(),
            state.transaction_start.map_or_else(|| "None".to_owned(), |offset| offset.to_string()),
        ]
    };
    let rows: Vec<_> = states.into_iter().map(row).collect();
    let headers = [
        "ProducerId",
        "ProducerEpoch",
        "LatestCoordinatorEpoch",
        "LastSequence",
        "LastTimestamp",
        "CurrentTransactionStartOffset",
    ];
    tab_table(&headers, &rows, out)
}

/// What `broker`, or the leader, remembers of the producers of a partition.
async fn producers(
    admin: &Admin,
    broker: Option<NodeId>,
    partition: &TopicPartition,
) -> Result<Vec<ProducerState>, Error> {
    let asked = std::slice::from_ref(partition);
    let mut described = match broker {
        Some(broker) => admin.describe_producers_of_replica(broker, asked).await?,
        None => admin.describe_producers(asked).await,
    };
    let missing = || Err(Error::IllegalState(format!("{partition} was not described")));
    described.remove(partition).unwrap_or_else(missing)
}
