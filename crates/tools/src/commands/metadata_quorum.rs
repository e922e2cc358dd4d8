//! `kafka-metadata-quorum`: the state of the quorum of the controllers. Kafka: `MetadataQuorumCommand`.

mod voters;

use std::io::Write;

use client::admin::{QuorumInfo, QuorumReplica};
use model::{NodeId, Timestamp, Uuid};

use crate::Failure;
use crate::arguments::Arity::{Flag, One};
use crate::arguments::Number::Integer;
use crate::arguments::{Arguments, Syntax, arg};
use crate::datetime::now_ms;
use crate::session::{admin, block_on, bootstrap_config, failed, tab_table};

const SYNTAX: Syntax = Syntax {
    program: "kafka-metadata-quorum",
    intro: "Tells the state of the quorum of the controllers.",
    args: &[
        arg("--command-config", "", One, "A file with properties of the client."),
        arg("--bootstrap-server", "", One, "The brokers to connect to.").group(-1),
        arg("--bootstrap-controller", "", One, "The controllers to connect to.").group(-1),
    ],
    commands: &[
        (
            "describe",
            Syntax {
                program: "kafka-metadata-quorum describe",
                intro: "Tell about the quorum.",
                args: &[
                    arg("--status", "", Flag, "In short."),
                    arg("--replication", "", Flag, "Node by node."),
                    arg("--human-readable", "", Flag, "With times as people say them."),
                ],
                commands: &[],
            },
        ),
        (
            "add-controller",
            Syntax {
                program: "kafka-metadata-quorum add-controller",
                intro: "Add a controller to the voters.",
                args: &[arg("--dry-run", "", Flag, "Only say what would be done.")],
                commands: &[],
            },
        ),
        (
            "remove-controller",
            Syntax {
                program: "kafka-metadata-quorum remove-controller",
                intro: "Remove a controller from the voters.",
                args: &[
                    arg("--controller-id", "-i", One, "The node's id.").number(Integer).required(),
                    arg("--controller-directory-id", "-d", One, "The id of its directory.").required(),
                    arg("--dry-run", "", Flag, "Only say what would be done."),
                ],
                commands: &[],
            },
        ),
    ],
};

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let args = Arguments::parse(&SYNTAX, args)?;
    let config = bootstrap_config(
        args.value("--command-config"),
        args.value("--bootstrap-server"),
        args.value("--bootstrap-controller"),
    )?;
    match args.command {
        Some("add-controller") => return voters::add(&config, &args, out),
        Some("remove-controller") => return voters::remove(&config, &args, out),
        _ => {}
    }
    let (status, replication, human) =
        (args.has("--status"), args.has("--replication"), args.has("--human-readable"));
    if status && replication {
        let text = "Only one of --status or --replication should be specified with describe sub-command";
        return Err(Failure::message(text));
    }
    if !status && !replication {
        return Err(Failure::message(
            "One of --status or --replication must be specified with describe sub-command",
        ));
    }
    if status && human {
        return Err(Failure::message(
            "The option --human-readable is only supported along with --replication",
        ));
    }
    block_on(async {
        let admin = admin(&config)?;
        let quorum = admin.describe_quorum().await.map_err(failed)?;
        if replication {
            return show_replication(&quorum, human.then(now_ms), out);
        }
        let cluster = admin.describe_cluster(false).await.map_err(failed)?;
        show_status(&quorum, &cluster.cluster_id, out)
    })
}

fn leader(quorum: &QuorumInfo) -> Result<&QuorumReplica, Failure> {
    let found = quorum.voters.iter().find(|voter| voter.id == quorum.leader);
    found.ok_or_else(|| Failure::message(format!("The leader {} is not among the voters.", quorum.leader)))
}

fn show_status(quorum: &QuorumInfo, cluster_id: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let leader = leader(quorum)?;
    let slowest = quorum.voters.iter().min_by_key(|voter| voter.log_end_offset).unwrap_or(leader);
    let lag_time = match (leader.last_caught_up, slowest.last_caught_up) {
        _ if slowest.id == leader.id => 0,
        (Some(leader), Some(slowest)) => leader.0 - slowest.0,
        _ => -1,
    };
    let list = |replicas: &[QuorumReplica]| {
        let shown: Vec<_> = replicas.iter().map(|replica| show_node(replica, quorum)).collect();
        format!("[{}]", shown.join(", "))
    };
    for (name, value) in [
        ("ClusterId:", cluster_id.to_owned()),
        ("LeaderId:", quorum.leader.to_string()),
        ("LeaderEpoch:", quorum.leader_epoch.to_string()),
        ("HighWatermark:", quorum.high_watermark.to_string()),
        ("MaxFollowerLag:", (leader.log_end_offset.0 - slowest.log_end_offset.0).to_string()),
        ("MaxFollowerLagTimeMs:", lag_time.to_string()),
        ("CurrentVoters:", list(&quorum.voters)),
        ("CurrentObservers:", list(&quorum.observers)),
    ] {
        writeln!(out, "{name:<24}{value}")?;
    }
    Ok(())
}

fn show_node(replica: &QuorumReplica, quorum: &QuorumInfo) -> String {
    let mut fields = vec![format!("\"id\": {}", replica.id)];
    if replica.directory_id != Uuid::ZERO {
        fields.push(format!("\"directoryId\": \"{}\"", replica.directory_id));
    }
    if let Some(node) = quorum.nodes.iter().find(|node| node.id == replica.id) {
        let endpoints: Vec<_> =
            node.listeners.iter().map(|(name, address)| format!("\"{name}://{address}\"")).collect();
        fields.push(format!("\"endpoints\": [{}]", endpoints.join(", ")));
    }
    format!("{{{}}}", fields.join(", "))
}

/// `now`: set to show times as how long ago they were.
fn show_replication(quorum: &QuorumInfo, now: Option<i64>, out: &mut dyn Write) -> Result<(), Failure> {
    let leader = leader(quorum)?;
    let time = |time: Option<Timestamp>| match (time, now) {
        (None, _) => "-1".to_owned(),
        (Some(time), None) => time.to_string(),
        (Some(time), Some(now)) => format!("{} ms ago", now - time.0),
    };
    let row = |replica: &QuorumReplica, status: &str| {
        vec![
            replica.id.to_string(),
            replica.directory_id.to_string(),
            replica.log_end_offset.to_string(),
            (leader.log_end_offset.0 - replica.log_end_offset.0).to_string(),
            time(replica.last_fetch),
            time(replica.last_caught_up),
            status.to_owned(),
        ]
    };
    let is_leader = |id: NodeId| id == leader.id;
    let mut rows = vec![row(leader, "Leader")];
    rows.extend(
        quorum.voters.iter().filter(|voter| !is_leader(voter.id)).map(|voter| row(voter, "Follower")),
    );
    rows.extend(quorum.observers.iter().map(|observer| row(observer, "Observer")));
    let headers = [
        "NodeId",
        "DirectoryId",
        "LogEndOffset",
        "Lag",
        "LastFetchTimestamp",
        "LastCaughtUpTimestamp",
        "Status",
    ];
    tab_table(&headers, &rows, out)
}

#[cfg(test)]
mod tests {
    use model::{LeaderEpoch, Offset};

    use super::*;

    fn replica(id: i32, end: i64, caught_up: i64) -> QuorumReplica {
        QuorumReplica {
            id: NodeId(id),
            directory_id: Uuid::ZERO,
            log_end_offset: Offset(end),
            last_fetch: None,
            last_caught_up: Some(Timestamp(caught_up)),
        }
    }

    #[test]
    fn the_slowest_voter_makes_the_lag() {
        let quorum = QuorumInfo {
            leader: NodeId(1),
            leader_epoch: LeaderEpoch(7),
            high_watermark: Offset(90),
            voters: vec![replica(1, 100, 5000), replica(2, 90, 4200)],
            observers: vec![replica(3, 80, 10)],
            nodes: vec![],
        };
        let mut out = Vec::new();
        show_status(&quorum, "abc", &mut out).unwrap();
        let expected = "\
ClusterId:              abc
LeaderId:               1
LeaderEpoch:            7
HighWatermark:          90
MaxFollowerLag:         10
MaxFollowerLagTimeMs:   800
CurrentVoters:          [{\"id\": 1}, {\"id\": 2}]
CurrentObservers:       [{\"id\": 3}]
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
