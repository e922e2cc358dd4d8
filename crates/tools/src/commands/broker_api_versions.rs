//! `kafka-broker-api-versions`: which requests each broker serves, and in which versions.
//! Kafka: `BrokerApiVersionsCommand`, `NodeApiVersions.toString`.

use std::collections::BTreeMap;
use std::io::Write;

use client::connection::ApiVersions;
use protocol::ApiKey;

use crate::Failure;
use crate::options::{Opt, Options, value};
use crate::session::{admin, block_on, client_config};

const INTRO: &str = "Tells which requests each broker serves, and in which versions.";

const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "String: server(s)", "REQUIRED: The broker to connect to, as host:port."),
    value("command-config", "String: properties file", "A file with properties of the client."),
];

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse(INTRO, OPTIONS, args)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    options.require(&["bootstrap-server"])?;
    let config = client_config(options.value("command-config")?, options.value("bootstrap-server")?)?;
    block_on(async {
        let admin = admin(&config)?;
        for broker in admin.brokers().await.map_err(crate::session::failed)? {
            let node = format!(
                "{}:{} (id: {} rack: {} isFenced: {})",
                broker.host,
                broker.port,
                broker.id,
                broker.rack.as_deref().unwrap_or("null"),
                broker.fenced
            );
            match admin.api_versions(broker.id).await {
                Ok(versions) => writeln!(out, "{node} -> {}", show(&versions))?,
                Err(error) => writeln!(out, "{node} -> ERROR: {error}")?,
            }
        }
        Ok(())
    })
}

fn show(versions: &ApiVersions) -> String {
    let mut lines: BTreeMap<i16, String> =
        versions.ranges().map(|(id, min, max)| (id, show_api(id, min, max))).collect();
    let of_release = ApiKey::ALL.iter().filter(|api| api.on_broker() && api.released_versions().is_some());
    for api in of_release {
        let id = api.id();
        lines.entry(id).or_insert_with(|| format!("{api:?}({id}): UNSUPPORTED"));
    }
    let lines: Vec<_> = lines.into_values().collect();
    format!("(\n\t{}\n)", lines.join(",\n\t"))
}

fn show_api(id: i16, min: i16, max: i16) -> String {
    let range = if min == max { format!("{min}") } else { format!("{min} to {max}") };
    let Some(api) = ApiKey::from_id(id) else { return format!("UNKNOWN({id}): {range}") };
    let ours = api.versions();
    let usable = if max < *ours.start() {
        "unusable: node too old".to_owned()
    } else if min > *ours.end() {
        "unusable: node too new".to_owned()
    } else {
        format!("usable: {}", max.min(*ours.end()))
    };
    format!("{api:?}({id}): {range} [{usable}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_the_range_and_the_version_that_is_used() {
        assert_eq!(show_api(3, 0, 12), "Metadata(3): 0 to 12 [usable: 12]");
        assert_eq!(show_api(999, 0, 0), "UNKNOWN(999): 0");
        assert_eq!(show_api(1, 0, 1), "Fetch(1): 0 to 1 [unusable: node too old]");
    }
}
