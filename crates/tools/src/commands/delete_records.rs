//! `kafka-delete-records`: deletes the records of partitions before offsets. Kafka: `DeleteRecordsCommand`.

use std::collections::BTreeMap;
use std::io::Write;

use model::{Offset, TopicPartition};
use serde_json::Value;

use crate::Failure;
use crate::options::{Opt, Options, value};
use crate::session::{admin, block_on, client_config, exception, read_file};

const INTRO: &str = "Deletes the records of partitions that stand before given offsets.";

const OPTIONS: &[Opt] = &[
    value("bootstrap-server", "String: server(s)", "REQUIRED: The broker to connect to, as host:port."),
    value("command-config", "String: properties file", "A file with properties of the client."),
    value(
        "offset-json-file",
        "String: file",
        "REQUIRED: The offsets: {\"partitions\": [{\"topic\": \"foo\", \"partition\": 1, \"offset\": 1}], \"version\": 1}",
    ),
];

/// Runs the tool.
pub fn run(args: &[String], out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse(INTRO, OPTIONS, args)?;
    if options.is_empty() {
        return Err(options.usage(INTRO));
    }
    options.require(&["bootstrap-server", "offset-json-file"])?;
    let config = client_config(options.value("command-config")?, options.value("bootstrap-server")?)?;
    let path = options.value("offset-json-file")?.unwrap_or_default();
    let text = read_file(path)?;
    let offsets = parse(&text)?;
    block_on(async {
        let admin = admin(&config)?;
        writeln!(out, "Executing records delete operation")?;
        let results = admin.delete_records(&offsets).await;
        writeln!(out, "Records delete operation completed:")?;
        for (partition, result) in results {
            match result {
                Ok(offset) => writeln!(out, "partition: {partition}\tlow_watermark: {offset}")?,
                Err(error) => {
                    let name = exception(&error);
                    writeln!(out, "partition: {partition}\terror: {name}: {error}")?;
                }
            }
        }
        Ok(())
    })
}

/// Kafka: `DeleteRecordsCommand.parseOffsetJsonStringWithoutDedup`.
fn parse(text: &str) -> Result<BTreeMap<TopicPartition, Offset>, Failure> {
    let refuse = |text: String| Failure::message(text);
    let json: Value =
        serde_json::from_str(text).map_err(|_| refuse("The input string is not a valid JSON".into()))?;
    let version = json.get("version").map_or(Some(1), Value::as_i64);
    if version != Some(1) {
        return Err(refuse(format!("Not supported version field value {}", json["version"])));
    }
    let partitions = json.get("partitions").and_then(Value::as_array);
    let partitions = partitions.ok_or_else(|| refuse("Missing partitions field".into()))?;
    let mut offsets = BTreeMap::new();
    let mut repeated = Vec::new();
    for entry in partitions {
        let number = |name: &str| entry.get(name).and_then(Value::as_i64);
        let missing = || refuse(format!("Expected `topic`, `partition` and `offset` in {entry}"));
        let topic = entry.get("topic").and_then(Value::as_str).ok_or_else(missing)?;
        let partition = number("partition").and_then(|id| i32::try_from(id).ok()).ok_or_else(missing)?;
        let name = TopicPartition::new(topic, partition);
        if offsets.insert(name.clone(), Offset(number("offset").ok_or_else(missing)?)).is_some() {
            repeated.push(name.to_string());
        }
    }
    if repeated.is_empty() {
        return Ok(offsets);
    }
    Err(refuse(format!("Offset json file contains duplicate topic partitions: {}", repeated.join(","))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        match parse(text) {
            Err(Failure::Message(text, 1)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn offsets_are_read_from_json_and_refused_in_kafkas_words() {
        let offsets = parse(r#"{"partitions":[{"topic":"a","partition":1,"offset":7}],"version":1}"#);
        assert_eq!(offsets.expect("valid"), BTreeMap::from([(TopicPartition::new("a", 1), Offset(7))]));
        assert_eq!(refusal("{"), "The input string is not a valid JSON");
        assert_eq!(refusal(r#"{"version":1}"#), "Missing partitions field");
        assert_eq!(refusal(r#"{"version":2,"partitions":[]}"#), "Not supported version field value 2");
        let entry = r#"{"topic":"a","partition":0,"offset":1}"#;
        let twice = format!(r#"{{"partitions":[{entry},{entry}]}}"#);
        assert_eq!(refusal(&twice), "Offset json file contains duplicate topic partitions: a-0");
    }
}
