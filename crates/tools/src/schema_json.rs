//! Messages as JSON, as Kafka's `*JsonConverter` classes write them, straight from the wire bytes and the schema.
//!
//! A tagged field is written if it is there; other fields if the version has them. Bytes are in base64.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::Uuid;
use serde_json::{Map, Value, json};

/// The bytes do not fit the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The bytes end too early.
    #[error("Error reading byte array of {wanted} byte(s): only {available} byte(s) available")]
    Cut {
        /// Bytes asked for.
        wanted: usize,
        /// Bytes there.
        available: usize,
    },
    /// A field that must have a value has none.
    #[error("non-nullable field {0} was serialized as null")]
    Null(String),
    /// A number is not of the form its type has.
    #[error("Varint is too long")]
    Varint,
    /// The version is not one of the schema's.
    #[error("Can't read version {0} of {1}")]
    Version(i16, &'static str),
}

/// A schema, parsed from its text form.
#[derive(Debug)]
pub struct Schema {
    /// The message's name.
    pub name: &'static str,
    key: Option<i16>,
    versions: Versions,
    flexible: Versions,
    fields: Vec<Field>,
    structs: HashMap<&'static str, Vec<Field>>,
}

#[derive(Debug)]
struct Field {
    name: String,
    kind: &'static str,
    versions: Versions,
    nullable: Versions,
    tagged: Option<(u32, Versions)>,
    fields: Vec<Field>,
}

#[derive(Clone, Copy, Debug)]
struct Versions(i16, i16);

impl Versions {
    const NONE: Self = Self(0, -1);

    fn parse(text: &str) -> Self {
        let number = |text: &str| text.parse().unwrap_or(0);
        match (text.strip_suffix('+'), text.split_once('-')) {
            _ if text == "none" => Self::NONE,
            (Some(from), _) => Self(number(from), i16::MAX),
            (_, Some((from, to))) => Self(number(from), number(to)),
            _ => Self(number(text), number(text)),
        }
    }

    fn has(self, version: i16) -> bool {
        (self.0..=self.1).contains(&version)
    }
}

impl Schema {
    /// Parses the text form: a line for the message, one for each field, indented by depth, and `struct` sections.
    pub fn parse(text: &'static str) -> Self {
        let lines: Vec<&'static str> = text.lines().filter(|line| !line.is_empty()).collect();
        let mut header = lines[0].split(' ');
        let name = header.next().unwrap_or_default();
        let property = |key: &str| lines[0].split(' ').find_map(|part| part.strip_prefix(key));
        let mut at = 1;
        let fields = parse_fields(&lines, &mut at, 1);
        let mut structs = HashMap::new();
        while let Some(section) = lines.get(at).and_then(|line| line.strip_prefix("struct ")) {
            at += 1;
            let name = section.split(' ').next().unwrap_or_default();
            structs.insert(name, parse_fields(&lines, &mut at, 1));
        }
        Self {
            name,
            key: property("key=").and_then(|key| key.parse().ok()),
            versions: Versions::parse(property("versions=").unwrap_or("none")),
            flexible: Versions::parse(property("flexible=").unwrap_or("none")),
            fields,
            structs,
        }
    }

    /// The number by which records name the message.
    pub fn key(&self) -> Option<i16> {
        self.key
    }

    /// Reads a message in `version` from `bytes`; what follows it is passed over.
    pub fn to_json(&self, bytes: &[u8], version: i16) -> Result<Value, SchemaError> {
        if !self.versions.has(version) {
            return Err(SchemaError::Version(version, self.name));
        }
        let mut input = Input { bytes, version, flexible: self.flexible.has(version), schema: self };
        input.fields(&self.fields)
    }
}

fn parse_fields(lines: &[&'static str], at: &mut usize, depth: usize) -> Vec<Field> {
    let mut fields = Vec::new();
    while let Some(line) = lines.get(*at) {
        let indent = line.len() - line.trim_start().len();
        if indent != depth * 2 {
            break;
        }
        *at += 1;
        let mut parts = line.trim_start().split(' ');
        let (name, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let versions = Versions::parse(parts.next().unwrap_or("none"));
        let property = |key: &str| line.split(' ').find_map(|part| part.strip_prefix(key));
        let tag = property("tag=").and_then(|tag| tag.parse().ok());
        fields.push(Field {
            name: camel_case(name),
            kind,
            versions,
            nullable: Versions::parse(property("nullable=").unwrap_or("none")),
            tagged: tag.zip(property("tagged=").map(Versions::parse)),
            fields: parse_fields(lines, at, depth + 1),
        });
    }
    fields
}

fn camel_case(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(chars).collect()
}

struct Input<'a> {
    bytes: &'a [u8],
    version: i16,
    flexible: bool,
    schema: &'a Schema,
}

impl<'a> Input<'a> {
    fn fields(&mut self, fields: &[Field]) -> Result<Value, SchemaError> {
        let version = self.version;
        let is_tagged = |field: &Field| field.tagged.as_ref().is_some_and(|(_, tagged)| tagged.has(version));
        let mut values: HashMap<&str, Value> = HashMap::new();
        for field in fields.iter().filter(|field| field.versions.has(version) && !is_tagged(field)) {
            values.insert(&field.name, self.value(field)?);
        }
        if self.flexible {
            for _ in 0..self.unsigned_varint()? {
                let (tag, size) = (self.unsigned_varint()?, self.unsigned_varint()? as usize);
                let bytes = self.take(size)?;
                let is_it = |field: &&Field| {
                    is_tagged(field) && field.tagged.as_ref().is_some_and(|(t, _)| *t == tag)
                };
                if let Some(field) = fields.iter().find(is_it) {
                    let mut input = Input { bytes, version, flexible: self.flexible, schema: self.schema };
                    values.insert(&field.name, input.value(field)?);
                }
            }
        }
        let in_order =
            fields.iter().filter_map(|field| Some((field.name.clone(), values.remove(field.name.as_str())?)));
        Ok(Value::Object(in_order.collect::<Map<_, _>>()))
    }

    fn value(&mut self, field: &Field) -> Result<Value, SchemaError> {
        let nullable = field.nullable.has(self.version);
        let null = || {
            if nullable {
                return Ok(Value::Null);
            }
            Err(SchemaError::Null(field.name.clone()))
        };
        if let Some(element) = field.kind.strip_prefix("[]") {
            let count =
                if self.flexible { i64::from(self.unsigned_varint()?) - 1 } else { i64::from(self.int32()?) };
            if count < 0 {
                return null();
            }
            let mut values = Vec::new();
            for _ in 0..count {
                values.push(self.element(element, field)?);
            }
            return Ok(Value::Array(values));
        }
        match field.kind {
            "string" => match self.sized(true)? {
                Some(bytes) => Ok(json!(String::from_utf8_lossy(bytes))),
                None => null(),
            },
            "bytes" | "records" => match self.sized(false)? {
                Some(bytes) => Ok(json!(STANDARD.encode(bytes))),
                None => null(),
            },
            kind if !is_primitive(kind) && nullable && field.tagged.is_none() => {
                if self.take(1)?[0] as i8 == -1 { null() } else { self.element(kind, field) }
            }
            // Behind a tag it is a varint that says whether the struct is there.
            kind if !is_primitive(kind) && nullable => {
                if self.unsigned_varint()? == 0 {
                    null()
                } else {
                    self.element(kind, field)
                }
            }
            kind => self.element(kind, field),
        }
    }

    fn element(&mut self, kind: &str, field: &Field) -> Result<Value, SchemaError> {
        Ok(match kind {
            "bool" => json!(self.take(1)?[0] != 0),
            "int8" => json!(self.take(1)?[0] as i8),
            "int16" => json!(i16::from_be_bytes(self.array()?)),
            "uint16" => json!(u16::from_be_bytes(self.array()?)),
            "int32" => json!(self.int32()?),
            "uint32" => json!(u32::from_be_bytes(self.array()?)),
            "int64" => json!(i64::from_be_bytes(self.array()?)),
            "float64" => json!(f64::from_be_bytes(self.array()?)),
            "uuid" => json!(Uuid(self.array()?).to_string()),
            "string" => {
                let bytes = self.sized(true)?.ok_or_else(|| SchemaError::Null(field.name.clone()))?;
                json!(String::from_utf8_lossy(bytes))
            }
            "bytes" => {
                let bytes = self.sized(false)?.ok_or_else(|| SchemaError::Null(field.name.clone()))?;
                json!(STANDARD.encode(bytes))
            }
            _ if !field.fields.is_empty() => self.fields(&field.fields)?,
            name => match self.schema.structs.get(name) {
                Some(fields) => self.fields(fields)?,
                None => self.fields(&field.fields)?,
            },
        })
    }

    fn sized(&mut self, is_string: bool) -> Result<Option<&'a [u8]>, SchemaError> {
        let size = match (self.flexible, is_string) {
            (true, _) => i64::from(self.unsigned_varint()?) - 1,
            (false, true) => i64::from(i16::from_be_bytes(self.array()?)),
            (false, false) => i64::from(self.int32()?),
        };
        usize::try_from(size).ok().map(|size| self.take(size)).transpose()
    }

    fn take(&mut self, wanted: usize) -> Result<&'a [u8], SchemaError> {
        let available = self.bytes.len();
        let (taken, rest) =
            self.bytes.split_at_checked(wanted).ok_or(SchemaError::Cut { wanted, available })?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SchemaError> {
        Ok(self.take(N)?.try_into().expect("so many bytes were taken"))
    }

    fn int32(&mut self) -> Result<i32, SchemaError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    fn unsigned_varint(&mut self) -> Result<u32, SchemaError> {
        let mut value = 0u32;
        for shift in (0..35).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u32::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(SchemaError::Varint)
    }
}

fn is_primitive(kind: &str) -> bool {
    matches!(kind, "bool" | "int8" | "int16" | "uint16" | "int32" | "uint32" | "int64" | "float64" | "uuid")
}
