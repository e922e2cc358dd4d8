//! How records are written: Kafka's formatters. Kafka: `DefaultMessageFormatter`, `LoggingMessageFormatter`,
//! `NoOpMessageFormatter`, `OffsetsMessageFormatter`, `GroupMetadataMessageFormatter`, `TransactionLogMessageFormatter`.

use std::io::Write;

use client::{ConfigMap, ConsumerRecord};
use records::TimestampType;

use super::deserializer::Deserializer;
use crate::Failure;
use crate::coordinator_json::{CoordinatorJson, Topic};

/// Writes records.
pub(in crate::commands) enum Formatter {
    /// Field by field.
    Default(Box<Fields>),
    /// As a line of log, then field by field.
    Logging(Box<Fields>),
    /// Not at all.
    NoOp,
    /// As JSON: records of these types of a coordinator's topic.
    Coordinator(Box<CoordinatorJson>, &'static [i16]),
}

/// What [`Formatter::Default`] writes.
pub(in crate::commands) struct Fields {
    timestamp: bool,
    partition: bool,
    offset: bool,
    delivery: bool,
    epoch: bool,
    headers: bool,
    key: bool,
    value: bool,
    key_separator: Vec<u8>,
    line_separator: Vec<u8>,
    headers_separator: Vec<u8>,
    null_literal: Vec<u8>,
    key_deserializer: Deserializer,
    value_deserializer: Deserializer,
    headers_deserializer: Deserializer,
}

impl Formatter {
    pub(in crate::commands) fn new(class: &str, props: &ConfigMap) -> Result<Self, Failure> {
        let coordinator = |topic, kinds| Self::Coordinator(Box::new(CoordinatorJson::new(topic)), kinds);
        let name = class.rsplit(['.', '$']).next().unwrap_or(class);
        Ok(match name {
            "DefaultMessageFormatter" => Self::Default(Box::new(Fields::new(props)?)),
            "LoggingMessageFormatter" => Self::Logging(Box::new(Fields::new(props)?)),
            "NoOpMessageFormatter" => Self::NoOp,
            "OffsetsMessageFormatter" => coordinator(Topic::Offsets, &[0, 1]),
            "GroupMetadataMessageFormatter" => coordinator(Topic::Offsets, &[2]),
            "TransactionLogMessageFormatter" => coordinator(Topic::Transactions, &[0]),
            _ => return Err(Failure::message(format!("The formatter {class} could not be found."))),
        })
    }

    pub(super) fn write(&mut self, record: &ConsumerRecord, out: &mut dyn Write) -> Result<(), Failure> {
        self.write_delivered(record, None, out)
    }

    /// Writes a record that was delivered so often, if that is counted.
    pub(in crate::commands) fn write_delivered(
        &mut self,
        record: &ConsumerRecord,
        delivery: Option<i16>,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        match self {
            Self::Default(fields) => fields.write(record, delivery, out),
            Self::Logging(fields) => {
                fields.write(record, delivery, out)?;
                let text = |bytes: &Option<bytes::Bytes>| {
                    bytes
                        .as_ref()
                        .map_or_else(|| "null".into(), |bytes| String::from_utf8_lossy(bytes).into_owned())
                };
                complain!(
                    "{}:{}, key:{}, value:{}",
                    time_name(record.timestamp_type),
                    record.timestamp,
                    text(&record.key),
                    text(&record.value)
                );
                Ok(())
            }
            Self::NoOp => Ok(()),
            Self::Coordinator(json, kinds) => {
                if let Some(shown) = json.formatted(record.key.as_deref(), record.value.as_deref(), kinds) {
                    write!(out, "{shown}")?;
                }
                Ok(())
            }
        }
    }
}

fn time_name(kind: TimestampType) -> &'static str {
    kind.name()
}

impl Fields {
    fn new(props: &ConfigMap) -> Result<Self, Failure> {
        let is = |key: &str, default: bool| {
            props.get(key).map_or(default, |text| text.trim().eq_ignore_ascii_case("true"))
        };
        let text =
            |key: &str, default: &str| props.get(key).map_or(default, String::as_str).as_bytes().to_vec();
        let deserializer =
            |key: &str| props.get(key).map_or(Ok(Deserializer::Raw), |class| Deserializer::of(class));
        Ok(Self {
            timestamp: is("print.timestamp", false),
            partition: is("print.partition", false),
            offset: is("print.offset", false),
            delivery: is("print.delivery", false),
            epoch: is("print.epoch", false),
            headers: is("print.headers", false),
            key: is("print.key", false),
            value: is("print.value", true),
            key_separator: text("key.separator", "\t"),
            line_separator: text("line.separator", "\n"),
            headers_separator: text("headers.separator", ","),
            null_literal: text("null.literal", "null"),
            key_deserializer: deserializer("key.deserializer")?,
            value_deserializer: deserializer("value.deserializer")?,
            headers_deserializer: deserializer("headers.deserializer")?,
        })
    }

    fn write(
        &self,
        record: &ConsumerRecord,
        delivery: Option<i16>,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        if self.timestamp {
            parts.push(format!("{}:{}", time_name(record.timestamp_type), record.timestamp).into_bytes());
        }
        if self.partition {
            parts.push(format!("Partition:{}", record.partition).into_bytes());
        }
        if self.offset {
            parts.push(format!("Offset:{}", record.offset).into_bytes());
        }
        if self.delivery {
            let count = delivery.map_or_else(|| "NOT_PRESENT".to_owned(), |count| count.to_string());
            parts.push(format!("Delivery:{count}").into_bytes());
        }
        if self.epoch {
            let epoch =
                record.leader_epoch.map_or_else(|| "NOT_PRESENT".to_owned(), |epoch| epoch.to_string());
            parts.push(format!("Epoch:{epoch}").into_bytes());
        }
        if self.headers {
            parts.push(self.show_headers(record)?);
        }
        if self.key {
            parts.push(self.show(self.key_deserializer, record.key.as_deref())?);
        }
        if self.value {
            parts.push(self.show(self.value_deserializer, record.value.as_deref())?);
        }
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                out.write_all(&self.key_separator)?;
            }
            out.write_all(part)?;
        }
        if !parts.is_empty() {
            out.write_all(&self.line_separator)?;
        }
        Ok(())
    }

    fn show(&self, deserializer: Deserializer, bytes: Option<&[u8]>) -> Result<Vec<u8>, Failure> {
        match bytes {
            None => Ok(self.null_literal.clone()),
            Some(bytes) => deserializer.show(bytes),
        }
    }

    fn show_headers(&self, record: &ConsumerRecord) -> Result<Vec<u8>, Failure> {
        if record.headers.is_empty() {
            return Ok(b"NO_HEADERS".to_vec());
        }
        let mut shown = Vec::new();
        for (index, header) in record.headers.iter().enumerate() {
            if index > 0 {
                shown.extend_from_slice(&self.headers_separator);
            }
            shown.extend_from_slice(header.key.as_bytes());
            shown.push(b':');
            shown.extend(self.show(self.headers_deserializer, header.value.as_deref())?);
        }
        Ok(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use model::{Offset, Timestamp};
    use records::OwnedHeader;

    fn written(props: &[(&str, &str)]) -> String {
        let props = props.iter().map(|(key, text)| (key.to_string(), text.to_string())).collect();
        let record = ConsumerRecord {
            topic: "t".into(),
            partition: 3,
            offset: Offset(7),
            timestamp: Timestamp(9),
            timestamp_type: TimestampType::CreateTime,
            key: None,
            value: Some(Bytes::from("v")),
            headers: vec![OwnedHeader { key: "h".into(), value: Some(Bytes::from("x")) }],
            leader_epoch: None,
        };
        let mut out = Vec::new();
        let mut formatter = Formatter::new("DefaultMessageFormatter", &props).expect("known");
        formatter.write(&record, &mut out).expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn only_the_value_is_written_unless_more_is_asked_for() {
        assert_eq!(written(&[]), "v\n");
        let all = [
            "print.timestamp",
            "print.partition",
            "print.offset",
            "print.epoch",
            "print.headers",
            "print.key",
        ];
        let all: Vec<_> = all.into_iter().map(|key| (key, "true")).collect();
        assert_eq!(written(&all), "CreateTime:9\tPartition:3\tOffset:7\tEpoch:NOT_PRESENT\th:x\tnull\tv\n");
        assert_eq!(written(&[("print.key", "true"), ("key.separator", "="), ("null.literal", "-")]), "-=v\n");
    }
}
