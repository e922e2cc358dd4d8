//! Makes the compact schema files from Kafka's JSON schemas, taking their facts and none of their prose.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::schema::{Field, Kind, Message, Shared, Versions};

/// Writes one file for each schema found below `newest` into `target`; `released` tells what the advertised release has.
pub fn import(newest: &Path, released: &Path, target: &Path) -> Result<()> {
    let released = read_all(released)?;
    let mut messages = read_all(newest)?;
    for (name, message) in &released {
        messages.entry(name.clone()).or_insert_with(|| message.clone());
    }
    fs::create_dir_all(target)?;
    for (name, mut message) in messages {
        message.released = released.get(&name).map_or(Versions::NONE, stable);
        fs::write(target.join(format!("{name}.txt")), message.to_text())?;
    }
    Ok(())
}

fn stable(message: &Message) -> Versions {
    let Versions { low, high } = message.versions;
    if message.unstable { Versions { low, high: high - 1 } } else { message.versions }
}

fn read_all(folder: &Path) -> Result<BTreeMap<String, Message>> {
    let mut paths = Vec::new();
    find(folder, &mut paths)?;
    let mut messages = BTreeMap::new();
    for path in paths {
        let json: Value = serde_json::from_str(&without_comments(&fs::read_to_string(&path)?))
            .with_context(|| path.display().to_string())?;
        // A removed API keeps its key's place with no versions and no fields.
        if json["fields"].is_array() && json["validVersions"] != "none" {
            let mut message = message(&json).with_context(|| path.display().to_string())?;
            if message.kind == Kind::Metadata && path.to_string_lossy().contains("kafka-storage") {
                message.kind = Kind::RemoteLog;
            }
            messages.insert(message.name.clone(), message);
        }
    }
    Ok(messages)
}

fn find(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    Ok(())
}

/// Removes `//` comments that stand outside strings.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let mut in_string = false;
        let mut end = line.len();
        for (i, c) in line.char_indices() {
            match c {
                '"' => in_string = !in_string,
                '/' if !in_string && line[i..].starts_with("//") => {
                    end = i;
                    break;
                }
                _ => {}
            }
        }
        out.push_str(&line[..end]);
        out.push('\n');
    }
    out
}

fn message(json: &Value) -> Result<Message> {
    let kind = Kind::parse(json["type"].as_str().context("type")?)?;
    let shared = json["commonStructs"].as_array().into_iter().flatten().map(shared).collect::<Result<_>>()?;
    let listeners = json["listeners"].as_array().into_iter().flatten();
    Ok(Message {
        name: json["name"].as_str().context("name")?.to_owned(),
        kind,
        key: json["apiKey"].as_i64().map(|key| key as i16),
        versions: versions(json, "validVersions")?.context("validVersions")?,
        released: Versions::NONE,
        unstable: json["latestVersionUnstable"] == true,
        flexible: versions(json, "flexibleVersions")?.unwrap_or(Versions::NONE),
        listeners: listeners.filter_map(Value::as_str).map(str::to_owned).collect(),
        fields: fields(&json["fields"])?,
        shared,
    })
}

fn shared(json: &Value) -> Result<Shared> {
    Ok(Shared {
        name: json["name"].as_str().context("name")?.to_owned(),
        versions: versions(json, "versions")?.context("versions")?,
        fields: fields(&json["fields"])?,
    })
}

fn fields(json: &Value) -> Result<Vec<Field>> {
    json.as_array().into_iter().flatten().map(field).collect()
}

fn field(json: &Value) -> Result<Field> {
    let tagged = versions(json, "taggedVersions")?.unwrap_or(Versions::NONE);
    Ok(Field {
        name: json["name"].as_str().context("name")?.to_owned(),
        type_name: json["type"].as_str().context("type")?.to_owned(),
        versions: versions(json, "versions")?.unwrap_or(tagged),
        nullable: versions(json, "nullableVersions")?.unwrap_or(Versions::NONE),
        tag: json["tag"].as_u64().map(|tag| tag as u32),
        tagged,
        default: default(&json["default"]),
        ignorable: json["ignorable"] == true,
        flexible: versions(json, "flexibleVersions")?,
        fields: fields(&json["fields"])?,
    })
}

/// A JSON null is no default at all; a default of null is the string `"null"`. Kafka: `FieldSpec`.
fn default(json: &Value) -> Option<String> {
    match json {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn versions(json: &Value, key: &str) -> Result<Option<Versions>> {
    json[key].as_str().map(Versions::parse).transpose()
}
