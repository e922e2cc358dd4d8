//! What the options of `kafka-console-consumer` come to. Kafka: `ConsoleConsumerOptions`.

use std::time::Duration;

use client::ConfigMap;

use crate::Failure;
use crate::options::Options;
use crate::session::{client_config, load_properties};

/// Where reading a partition begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Earliest,
    Latest,
    Offset(i64),
}

pub(super) struct Settings {
    pub(super) topic: Option<String>,
    pub(super) include: String,
    pub(super) partition: Option<i32>,
    pub(super) start: Start,
    pub(super) max_messages: Option<u64>,
    pub(super) timeout: Option<Duration>,
    pub(super) skips_errors: bool,
    pub(super) tells_events: bool,
    pub(super) formatter_class: String,
    pub(super) formatter: ConfigMap,
    pub(super) consumer: ConfigMap,
}

impl Settings {
    pub(super) fn read(options: &Options) -> Result<Self, Failure> {
        options.require(&["bootstrap-server"])?;
        options.require_one_of(&["topic", "include"])?;
        if options.has("partition") {
            if !options.has("topic") {
                return Err(options.usage("The topic is required when partition is specified."));
            }
            if options.has("group") {
                return Err(options.usage("Options group and partition cannot be specified together."));
            }
        }
        if options.has("offset") && !options.has("partition") {
            return Err(options.usage("The partition is required when offset is specified."));
        }
        if options.has("offset") && options.has("from-beginning") {
            return Err(options.usage("Options from-beginning and offset cannot be specified together."));
        }
        Ok(Self {
            topic: options.value("topic")?.map(str::to_owned),
            include: options.value_or("include", "")?.to_owned(),
            partition: options.number("partition")?,
            start: start(options)?,
            max_messages: options.number::<i64>("max-messages")?.and_then(|count| u64::try_from(count).ok()),
            timeout: options
                .number::<i64>("timeout-ms")?
                .and_then(|ms| u64::try_from(ms).ok())
                .map(Duration::from_millis),
            skips_errors: options.has("skip-message-on-error"),
            tells_events: options.has("enable-systest-events"),
            formatter_class: options
                .value_or("formatter", "org.apache.kafka.tools.consumer.DefaultMessageFormatter")?
                .to_owned(),
            formatter: formatter_properties(options)?,
            consumer: consumer_config(options)?,
        })
    }
}

fn start(options: &Options) -> Result<Start, Failure> {
    let Some(text) = options.value("offset")? else {
        return Ok(if options.has("from-beginning") { Start::Earliest } else { Start::Latest });
    };
    match text.to_lowercase().as_str() {
        "earliest" => Ok(Start::Earliest),
        "latest" => Ok(Start::Latest),
        number => match number.parse::<i64>() {
            Ok(offset) if offset >= 0 => Ok(Start::Offset(offset)),
            _ => Err(options.usage(format!(
                "The provided offset value '{text}' is incorrect. Valid values are 'earliest', 'latest', or a \
                 non-negative long."
            ))),
        },
    }
}

pub(in crate::commands) fn formatter_properties(options: &Options) -> Result<ConfigMap, Failure> {
    let mut map = options.value("formatter-config")?.map(load_properties).transpose()?.unwrap_or_default();
    map.extend(options.pairs(&["property", "formatter-property"])?);
    for (option, key) in
        [("key-deserializer", "key.deserializer"), ("value-deserializer", "value.deserializer")]
    {
        if let Some(class) = options.value(option)? {
            map.insert(key.into(), class.into());
        }
    }
    Ok(map)
}

fn consumer_config(options: &Options) -> Result<ConfigMap, Failure> {
    let file = options.value("command-config")?.or(options.value("consumer.config")?);
    let from_file = client_config(file, None)?;
    let given = options.pairs(&["consumer-property", "command-property"])?;
    let group = group(options, &from_file, &given)?;
    let mut map = from_file;
    map.extend(given);
    map.insert("bootstrap.servers".into(), options.value_or("bootstrap-server", "")?.into());
    map.entry("client.id".into()).or_insert_with(|| "console-consumer".into());
    let level = options.value("isolation-level")?;
    if level.is_some() || !map.contains_key("isolation.level") {
        map.insert("isolation.level".into(), level.unwrap_or("read_uncommitted").into());
    }
    set_reset(options, &mut map)?;
    match group {
        Some(group) => {
            map.insert("group.id".into(), group);
        }
        None if options.has("partition") => {
            map.entry("enable.auto.commit".into()).or_insert_with(|| "false".into());
        }
        None => {
            let mut bytes = [0; 4];
            getrandom::fill(&mut bytes).map_err(|error| Failure::message(error.to_string()))?;
            map.insert(
                "group.id".into(),
                format!("console-consumer-{}", u32::from_be_bytes(bytes) % 100_000),
            );
            map.entry("enable.auto.commit".into()).or_insert_with(|| "false".into());
        }
    }
    Ok(map)
}

/// The group, which must be the same wherever it is named.
pub(in crate::commands) fn group(
    options: &Options,
    file: &ConfigMap,
    given: &ConfigMap,
) -> Result<Option<String>, Failure> {
    let mut groups: Vec<String> = Vec::new();
    let named = [
        options.value("group")?.map(str::to_owned),
        given.get("group.id").cloned(),
        file.get("group.id").cloned(),
    ];
    for group in named.into_iter().flatten() {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    if groups.len() > 1 {
        let names: Vec<_> = groups.iter().map(|group| format!("'{group}'")).collect();
        return Err(options.usage(format!(
            "The group ids provided in different places (directly using '--group', via '--consumer-property', or via \
             '--consumer.config') do not match. Detected group ids: {}",
            names.join(", ")
        )));
    }
    Ok(groups.pop())
}

fn set_reset(options: &Options, map: &mut ConfigMap) -> Result<(), Failure> {
    let key = "auto.offset.reset";
    if !options.has("from-beginning") {
        map.entry(key.into()).or_insert_with(|| "latest".into());
        return Ok(());
    }
    match map.get(key).map(String::as_str) {
        Some("earliest") | None => {}
        Some(other) => {
            return Err(options.usage(format!(
                "Can't simultaneously specify --from-beginning and 'auto.offset.reset={other}', please remove one option"
            )));
        }
    }
    map.insert(key.into(), "earliest".into());
    Ok(())
}
