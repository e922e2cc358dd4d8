//! `kafka-cluster`: the id of a cluster, its nodes, and the removal of a broker's registration. Kafka: `ClusterTool`.

use std::io::Write;

use client::Admin;
use client::admin::ClusterDescription;
use model::NodeId;

use crate::Failure;
use crate::arguments::Arity::{Flag, One};
use crate::arguments::{Arg, Arguments, Syntax, arg};
use crate::session::{admin, block_on, client_config, failed, failed_with_name};

const SERVER: Arg = arg("--bootstrap-server", "-b", One, "The brokers to connect to.").group(-1);
const CONTROLLER: Arg = arg("--bootstrap-controller", "-C", One, "The controllers to connect to.").group(-1);
const CONFIG: Arg = arg("--config", "-c", One, "The old name of --command-config.");
const COMMAND_CONFIG: Arg = arg("--command-config", "", One, "A file with properties of the client.");

const SYNTAX: Syntax = Syntax {
    program: "kafka-cluster",
    intro: "Tells about a cluster.",
    args: &[],
    commands: &[
        (
            "cluster-id",
            Syntax {
                program: "kafka-cluster cluster-id",
                intro: "Print the id of the cluster.",
                args: &[CONFIG, COMMAND_CONFIG, SERVER, CONTROLLER],
                commands: &[],
            },
        ),
        (
            "unregister",
            Syntax {
                program: "kafka-cluster unregister",
                intro: "Remove the registration of a broker.",
                args: &[
                    CONFIG,
                    COMMAND_CONFIG,
                    SERVER,
                    CONTROLLER,
                    arg("--id", "-i", One, "The broker's id.").required(),
                ],
                commands: &[],
            },
        ),
        (
            "list-endpoints",
            Syntax {
                program: "kafka-cluster list-endpoints",
                intro: "List the nodes and where they listen.",
                args: &[
                    CONFIG,
                    COMMAND_CONFIG,
                    SERVER,
                    CONTROLLER,
                    arg(
                        "--include-fenced-brokers",
                        "",
                        Flag,
                        "List brokers too that are registered and not alive.",
                    ),
                ],
                commands: &[],
            },
        ),
    ],
};

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let args = Arguments::parse_or_fail(&SYNTAX, args)?;
    let file = args.value("--command-config").or(args.value("--config"));
    let mut config = client_config(file, args.value("--bootstrap-server"))?;
    let controllers = args.value("--bootstrap-controller");
    if let Some(controllers) = controllers {
        config.insert("bootstrap.controllers".into(), controllers.into());
    }
    block_on(async {
        let admin = admin(&config)?;
        match args.command {
            Some("unregister") => unregister(&admin, args.value("--id").unwrap_or_default(), out).await,
            Some("list-endpoints") => {
                let fenced = args.has("--include-fenced-brokers");
                if fenced && controllers.is_some() {
                    return Err(Failure::message(
                        "The option --include-fenced-brokers is only supported with --bootstrap-server option",
                    ));
                }
                let found = admin.describe_cluster(fenced).await.map_err(failed)?;
                show_endpoints(&found, controllers.is_some(), out)
            }
            _ => {
                let found = admin.describe_cluster(false).await.map_err(failed)?;
                Ok(writeln!(out, "Cluster ID: {}", found.cluster_id)?)
            }
        }
    })
}

async fn unregister(admin: &Admin, id: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let refused = || {
        Failure::message(format!(
            "argument --id/-i: could not convert '{id}' to Integer (For input string: \"{id}\")"
        ))
    };
    let id: i32 = id.parse().map_err(|_| refused())?;
    match admin.unregister_broker(NodeId(id)).await {
        Ok(()) => Ok(writeln!(out, "Broker {id} is no longer registered.")?),
        Err(client::Error::UnsupportedVersion(_)) => {
            Ok(writeln!(out, "The target cluster does not support the broker unregistration API.")?)
        }
        Err(error) => Err(failed_with_name(error)),
    }
}

fn show_endpoints(
    cluster: &ClusterDescription,
    of_controllers: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let width = cluster.nodes.iter().map(|node| node.host.len()).max().unwrap_or(0).max(9);
    let kind = if of_controllers { "controller" } else { "broker" };
    let state = |text: &str| if of_controllers { String::new() } else { format!("{text:<10} ") };
    writeln!(
        out,
        "{:<10} {:<width$} {:<10} {:<10} {}{:<15}",
        "ID",
        "HOST",
        "PORT",
        "RACK",
        state("STATE"),
        "ENDPOINT_TYPE"
    )?;
    for node in &cluster.nodes {
        let rack = node.rack.as_deref().unwrap_or("null");
        let alive = state(if node.fenced { "fenced" } else { "unfenced" });
        let id = node.id.0;
        writeln!(out, "{id:<10} {:<width$} {:<10} {rack:<10} {alive}{kind:<15}", node.host, node.port)?;
    }
    Ok(())
}
