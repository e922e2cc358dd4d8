//! Configurations of BROKER_LOGGER: the levels of this node's loggers, described and set by the node itself.
//!
//! Kafka: `RuntimeLoggerManager`, `ConfigHelper`.

use config::{ConfigEntry, ConfigSource};
use protocol::ErrorCode;
use protocol::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};

use crate::authorize::Refusal;
use crate::broker::Broker;
use crate::broker::loggers::{LogLevel, Loggers, ROOT};
use crate::handlers::config_changes::invalid_request;

const OPERATION_SET: i8 = 0;
const OPERATION_DELETE: i8 = 1;
const OPERATION_APPEND: i8 = 2;
const OPERATION_SUBTRACT: i8 = 3;

/// Describes the level of each logger.
pub(super) fn describe(broker: &Broker) -> Vec<ConfigEntry> {
    let entry = |(name, level): (&str, LogLevel)| ConfigEntry {
        name: name.to_owned(),
        value: Some(level.name().to_owned()),
        source: ConfigSource::DynamicBrokerLogger,
        is_sensitive: false,
        read_only: false,
        synonyms: Vec::new(),
        config_type: 0,
        documentation: None,
    };
    broker.loggers.levels().into_iter().map(entry).collect()
}

/// Sets levels, all of them or, if one makes no sense, none.
pub(super) fn alter(
    broker: &Broker,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), Refusal> {
    check_node(broker, &resource.resource_name)?;
    let changes: Vec<_> = resource.configs.iter().map(change).collect::<Result<_, _>>()?;
    if !validate_only {
        changes.into_iter().for_each(|(logger, level)| broker.loggers.set(logger, level));
    }
    Ok(())
}

fn check_node(broker: &Broker, name: &str) -> Result<(), Refusal> {
    match name.parse::<i32>() {
        Err(_) => Err(invalid_request(format!("Node id must be an integer, but it is: {name}"))),
        Ok(id) if id != broker.node_id.0 => {
            let text = format!("Unexpected node id. Expected {}, but received {id}", broker.node_id);
            Err(invalid_request(text))
        }
        Ok(_) => Ok(()),
    }
}

/// Returns the logger and its new level; none to have that of the logger above.
fn change(config: &AlterableConfig) -> Result<(&'static str, Option<LogLevel>), Refusal> {
    let invalid = |text: String| Err((ErrorCode::INVALID_CONFIG, Some(text)));
    let name = config.name.as_str();
    let logger = || {
        Loggers::find(name)
            .ok_or_else(|| (ErrorCode::INVALID_CONFIG, Some(format!("Logger {name} does not exist!"))))
    };
    match config.config_operation {
        OPERATION_SET => {
            let (logger, value) = (logger()?, config.value.as_deref().unwrap_or("null"));
            match LogLevel::by_name(value) {
                Some(level) => Ok((logger, Some(level))),
                None => invalid(format!(
                    "Cannot set the log level of {name} to {value} as it is not a supported log level. Valid log levels \
                     are {}",
                    LogLevel::names()
                )),
            }
        }
        OPERATION_DELETE => match logger()? {
            ROOT => Err(invalid_request("Removing the log level of the root logger is not allowed")),
            logger => Ok((logger, None)),
        },
        OPERATION_APPEND => Err(not_for_loggers("APPEND operation")),
        OPERATION_SUBTRACT => Err(not_for_loggers("SUBTRACT operation")),
        other => Err(not_for_loggers(&format!("Unknown operation type {other}"))),
    }
}

fn not_for_loggers(what: &str) -> Refusal {
    invalid_request(format!("{what} is not allowed for the BROKER_LOGGER resource"))
}
