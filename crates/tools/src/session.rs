//! The connection of a tool: the client's configuration from the command line, and a runtime to wait in.

use std::fs;
use std::future::Future;

use client::admin::Principal;
use client::{Admin, ConfigMap};
use config::parse_properties;
use regex::Regex;

use crate::Failure;

/// Waits for `future`, with timers and sockets.
pub fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}

/// Ends when the user or the system wants the program to end; the exit code that Java has then.
pub async fn stop_signal() -> i32 {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = terminate.recv() => 143,
        _ = tokio::signal::ctrl_c() => 130,
    }
}

/// Reads a properties file.
pub fn load_properties(path: &str) -> Result<ConfigMap, Failure> {
    let bytes = fs::read(path).map_err(|error| Failure::message(format!("{path}: {error}")))?;
    parse_properties(&bytes).map_err(|error| Failure::message(format!("{path}: {error}")))
}

/// The client's configuration: a properties file, if one is given, under `bootstrap.servers`.
pub fn client_config(file: Option<&str>, servers: Option<&str>) -> Result<ConfigMap, Failure> {
    let mut map = file.map(load_properties).transpose()?.unwrap_or_default();
    if let Some(servers) = servers {
        map.insert("bootstrap.servers".to_owned(), servers.to_owned());
    }
    Ok(map)
}

/// The client's configuration, of brokers or of controllers; one of the two must be named.
/// Kafka: `CommandLineUtils.initializeBootstrapProperties`.
pub fn bootstrap_config(
    file: Option<&str>,
    servers: Option<&str>,
    controllers: Option<&str>,
) -> Result<ConfigMap, Failure> {
    let refuse = |text: &str| Err(Failure::message(text));
    match (servers, controllers) {
        (Some(_), Some(_)) => {
            refuse("You cannot specify both --bootstrap-controller and --bootstrap-server.")
        }
        (None, None) => refuse("You must specify either --bootstrap-controller or --bootstrap-server."),
        (servers, controllers) => {
            let mut map = client_config(file, servers)?;
            if let Some(controllers) = controllers {
                map.insert("bootstrap.controllers".to_owned(), controllers.to_owned());
            }
            Ok(map)
        }
    }
}

/// Makes an admin client; must be called within the runtime.
pub fn admin(config: &ConfigMap) -> Result<Admin, Failure> {
    Admin::from_map(config)
        .map_err(|error| Failure::message(format!("Failed to create new KafkaAdminClient\n{error}")))
}

/// Reads `User:alice`. Kafka: `SecurityUtils.parseKafkaPrincipal`.
pub fn parse_principal(text: &str) -> Result<Principal, Failure> {
    match text.split_once(':') {
        Some((kind, name)) => Ok(Principal::new(kind, name)),
        None => Err(Failure::message(format!(
            "expected a string in format principalType:principalName but got {text}"
        ))),
    }
}

/// Reads a file that an option names. Kafka: `Utils.readFileAsString`.
pub fn read_file(path: &str) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|_| Failure::message(format!("Unable to read file {path}")))
}

/// A failure of the client, in its words.
pub fn failed(error: client::Error) -> Failure {
    Failure::message(error.to_string())
}

/// A failure of the client as Java's `ExecutionException` shows it: the name of its exception, then its words.
pub fn failed_with_name(error: client::Error) -> Failure {
    Failure::message(format!("{}: {error}", exception(&error)))
}

/// A pattern of topic names as Kafka's tools take it: a regular expression, in which a comma means "or", and quotes
/// around the whole do not count. Kafka: `TopicFilter.IncludeList`.
pub struct TopicFilter(Regex);

impl TopicFilter {
    /// Parses the pattern.
    pub fn new(text: &str) -> Result<Self, Failure> {
        let pattern: String = text.trim().replace(',', "|").chars().filter(|c| !c.is_whitespace()).collect();
        let pattern = pattern.trim_matches(['"', '\'']);
        let regex = Regex::new(&format!("^(?:{pattern})$"));
        regex.map(Self).map_err(|_| Failure::message(format!("{text} is an invalid regex.")))
    }

    /// Whether the topic is meant.
    pub fn allows(&self, topic: &str, exclude_internal: bool) -> bool {
        self.0.is_match(topic) && !(exclude_internal && model::topic_name::is_internal(topic))
    }
}

/// Writes rows under headers, each column as wide as it needs, a tab behind each.
/// Kafka: `ToolsUtils.prettyPrintTable`.
pub fn tab_table(
    headers: &[&str],
    rows: &[Vec<String>],
    out: &mut dyn std::io::Write,
) -> Result<(), Failure> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headers[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..headers.len()).map(width).collect();
    let headers: Vec<_> = headers.iter().map(|header| header.to_string()).collect();
    for row in [&headers].into_iter().chain(rows) {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}\t")).collect();
        writeln!(out, "{}", cells.concat())?;
    }
    Ok(())
}

/// The name of Kafka's exception for a failure, with its package, as tools print it.
pub fn exception(error: &client::Error) -> String {
    format!("org.apache.kafka.common.errors.{}", error.kafka_name())
}
