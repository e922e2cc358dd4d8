//! The admin client's keys. Kafka: `AdminClientConfig`.

use std::time::Duration;

use config::Importance::{High, Low, Medium};
use config::{ConfigMap, Key};

use super::common::ANY_LIST;
use super::{COMMON_KEYS, Parsed, SECURITY_KEYS};
use crate::error::{Error, Result};
use crate::settings::{Bootstrap, ClientSettings, parse_bootstrap};

/// What differs from [`COMMON_KEYS`], and what comes to them.
pub const ADMIN_KEYS: &[Key] = &[
    Key::list("bootstrap.servers", "", High, "Brokers, as host:port, through which the cluster is found.")
        .valid(ANY_LIST),
    Key::list(
        "bootstrap.controllers",
        "",
        High,
        "Controllers, as host:port, to speak to instead of brokers.",
    )
    .valid(ANY_LIST),
    Key::long("connections.max.idle.ms", "300000", Medium, "Idle connections are closed after this time."),
    Key::int(
        "default.api.timeout.ms",
        "60000",
        Medium,
        "How long an operation may take, with all its tries.",
    )
    .at_least(0),
    Key::boolean(
        "enable.metrics.push",
        "false",
        Low,
        "Whether metrics are pushed to brokers that ask for them.",
    ),
];

/// What an admin client is configured with.
#[derive(Clone, Debug)]
pub struct AdminConfig {
    /// What every client has.
    pub client: ClientSettings,
    /// `default.api.timeout.ms`.
    pub default_api_timeout: Duration,
    /// `retries`.
    pub retries: u32,
}

impl AdminConfig {
    /// Reads Kafka's keys.
    pub fn from_map(map: &ConfigMap) -> Result<Self> {
        let parsed = Parsed::new(&[COMMON_KEYS, SECURITY_KEYS, ADMIN_KEYS], map)?;
        let values = &parsed.values;
        let (servers, controllers) = (values.list("bootstrap.servers"), values.list("bootstrap.controllers"));
        let bootstrap = match (servers.is_empty(), controllers.is_empty()) {
            (false, true) => Bootstrap::Servers(parse_bootstrap("bootstrap.servers", &servers)?),
            (true, false) => Bootstrap::Controllers(parse_bootstrap("bootstrap.controllers", &controllers)?),
            (true, true) => {
                return Err(Error::Config(
                    "You must set either bootstrap.servers or bootstrap.controllers".into(),
                ));
            }
            (false, false) => {
                return Err(Error::Config(
                    "You cannot set both bootstrap.servers and bootstrap.controllers".into(),
                ));
            }
        };
        let client_id = Some(values.text("client.id")).filter(|id| !id.is_empty());
        let client =
            parsed.client_settings(bootstrap, client_id.unwrap_or_else(|| "adminclient-1".into()))?;
        let timeout = parsed.millis("default.api.timeout.ms");
        if timeout < client.request_timeout {
            if parsed.is_set("default.api.timeout.ms") {
                return Err(Error::Config(
                    "The specified value of default.api.timeout.ms must be no smaller than the value of request.timeout.ms."
                        .into(),
                ));
            }
            let request_timeout = client.request_timeout;
            return Ok(Self {
                client,
                default_api_timeout: request_timeout,
                retries: values.int("retries") as u32,
            });
        }
        Ok(Self { client, default_api_timeout: timeout, retries: values.int("retries") as u32 })
    }
}
