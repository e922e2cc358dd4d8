//! The project's compact schema of a message, and its text form.
//!
//! ```text
//! FetchRequest request key=1 versions=4-18 released=4-18 flexible=12+ listeners=broker,controller
//!   ClusterId string 12+ nullable=12+ tag=0 tagged=12+ default=null ignorable
//!   Topics []FetchTopic 0+
//!     Topic string 0-12 ignorable
//! struct Shared 0+
//!   Name string 0+
//! ```
//! `struct` sections are shapes that several fields share. Version ranges are `A`, `A-B`, `A+` or `none`.

use std::fmt;

use anyhow::{Context, Result, bail};

/// An inclusive range of versions; empty when `low > high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    pub low: i16,
    pub high: i16,
}

impl Versions {
    pub const NONE: Self = Self { low: 0, high: -1 };

    pub fn parse(text: &str) -> Result<Self> {
        if text == "none" {
            return Ok(Self::NONE);
        }
        if let Some(low) = text.strip_suffix('+') {
            return Ok(Self { low: low.parse()?, high: i16::MAX });
        }
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        Ok(Self { low: low.parse()?, high: high.parse()? })
    }

    pub fn is_empty(self) -> bool {
        self.low > self.high
    }

    pub fn intersect(self, other: Self) -> Self {
        let both = Self { low: self.low.max(other.low), high: self.high.min(other.high) };
        if both.is_empty() { Self::NONE } else { both }
    }

    pub fn contains(self, other: Self) -> bool {
        other.is_empty() || (self.low <= other.low && self.high >= other.high)
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            versions if versions.is_empty() => f.write_str("none"),
            Self { low, high: i16::MAX } => write!(f, "{low}+"),
            Self { low, high } if low == high => write!(f, "{low}"),
            Self { low, high } => write!(f, "{low}-{high}"),
        }
    }
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Request,
    Response,
    Header,
    Data,
    Metadata,
    RemoteLog,
    CoordinatorKey,
    CoordinatorValue,
}

const KINDS: [(Kind, &str); 8] = [
    (Kind::Request, "request"),
    (Kind::Response, "response"),
    (Kind::Header, "header"),
    (Kind::Data, "data"),
    (Kind::Metadata, "metadata"),
    (Kind::RemoteLog, "remote-log"),
    (Kind::CoordinatorKey, "coordinator-key"),
    (Kind::CoordinatorValue, "coordinator-value"),
];

impl Kind {
    pub fn parse(text: &str) -> Result<Self> {
        let found = KINDS.iter().find(|(_, name)| *name == text);
        found.map(|(kind, _)| *kind).with_context(|| format!("unknown kind {text}"))
    }

    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

/// A message: a request, a response, a record.
#[derive(Clone, Debug)]
pub struct Message {
    pub name: String,
    pub kind: Kind,
    pub key: Option<i16>,
    /// What the codec knows.
    pub versions: Versions,
    /// What the release whose level is advertised has; none for a message that came later.
    pub released: Versions,
    /// Whether the last version is not yet stable.
    pub unstable: bool,
    pub flexible: Versions,
    pub listeners: Vec<String>,
    pub fields: Vec<Field>,
    pub shared: Vec<Shared>,
}

/// A shape that several fields share.
#[derive(Clone, Debug)]
pub struct Shared {
    pub name: String,
    pub versions: Versions,
    pub fields: Vec<Field>,
}

/// A field of a message or of a shape inside it.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    /// Kafka's name of the type: `int32`, `[]FetchTopic`.
    pub type_name: String,
    pub versions: Versions,
    pub nullable: Versions,
    pub tag: Option<u32>,
    pub tagged: Versions,
    pub default: Option<String>,
    pub ignorable: bool,
    /// The versions in which the field has the compact form, where that is not the message's.
    pub flexible: Option<Versions>,
    pub fields: Vec<Field>,
}

impl Message {
    /// Returns the name of the Rust module and file.
    pub fn module(&self) -> String {
        snake_case(&self.name)
    }

    /// Reads a message from its text form.
    pub fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
        let mut words = lines.next().context("empty schema")?.split(' ');
        let mut message = Self {
            name: words.next().context("name")?.to_owned(),
            kind: Kind::parse(words.next().context("kind")?)?,
            key: None,
            versions: Versions::NONE,
            released: Versions::NONE,
            unstable: false,
            flexible: Versions::NONE,
            listeners: Vec::new(),
            fields: Vec::new(),
            shared: Vec::new(),
        };
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("key", value) => message.key = Some(value.parse()?),
                ("versions", value) => message.versions = Versions::parse(value)?,
                ("released", value) => message.released = Versions::parse(value)?,
                ("flexible", value) => message.flexible = Versions::parse(value)?,
                ("listeners", value) => message.listeners = value.split(',').map(str::to_owned).collect(),
                ("unstable", _) => message.unstable = true,
                _ => bail!("unknown word {word}"),
            }
        }
        let lines: Vec<&str> = lines.collect();
        let mut at = 0;
        message.fields = parse_fields(&lines, &mut at, 1)?;
        while at < lines.len() {
            let words: Vec<&str> = lines[at].split(' ').collect();
            let ["struct", name, versions] = words[..] else { bail!("expected a struct: {}", lines[at]) };
            at += 1;
            let fields = parse_fields(&lines, &mut at, 1)?;
            message.shared.push(Shared {
                name: name.to_owned(),
                versions: Versions::parse(versions)?,
                fields,
            });
        }
        Ok(message)
    }

    /// Writes the message in its text form.
    pub fn to_text(&self) -> String {
        let mut text = format!("{} {}", self.name, self.kind.name());
        if let Some(key) = self.key {
            text += &format!(" key={key}");
        }
        text += &format!(" versions={} released={} flexible={}", self.versions, self.released, self.flexible);
        if self.unstable {
            text += " unstable";
        }
        if !self.listeners.is_empty() {
            text += &format!(" listeners={}", self.listeners.join(","));
        }
        text.push('\n');
        write_fields(&mut text, &self.fields, 1);
        for shared in &self.shared {
            text += &format!("struct {} {}\n", shared.name, shared.versions);
            write_fields(&mut text, &shared.fields, 1);
        }
        text
    }
}

fn parse_fields(lines: &[&str], at: &mut usize, depth: usize) -> Result<Vec<Field>> {
    let mut fields = Vec::new();
    while *at < lines.len() {
        let line = lines[*at];
        let indent = (line.len() - line.trim_start().len()) / 2;
        if indent < depth {
            break;
        }
        *at += 1;
        let mut field = parse_field(line.trim_start()).with_context(|| line.to_owned())?;
        field.fields = parse_fields(lines, at, depth + 1)?;
        fields.push(field);
    }
    Ok(fields)
}

fn parse_field(line: &str) -> Result<Field> {
    let mut words = line.split(' ');
    let mut field = Field {
        name: words.next().context("name")?.to_owned(),
        type_name: words.next().context("type")?.to_owned(),
        versions: Versions::parse(words.next().context("versions")?)?,
        nullable: Versions::NONE,
        tag: None,
        tagged: Versions::NONE,
        default: None,
        ignorable: false,
        flexible: None,
        fields: Vec::new(),
    };
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("nullable", value) => field.nullable = Versions::parse(value)?,
            ("tag", value) => field.tag = Some(value.parse()?),
            ("tagged", value) => field.tagged = Versions::parse(value)?,
            ("default", value) => field.default = Some(value.to_owned()),
            ("flexible", value) => field.flexible = Some(Versions::parse(value)?),
            ("ignorable", _) => field.ignorable = true,
            _ => bail!("unknown word {word}"),
        }
    }
    Ok(field)
}

fn write_fields(text: &mut String, fields: &[Field], depth: usize) {
    for field in fields {
        *text += &format!("{}{} {} {}", "  ".repeat(depth), field.name, field.type_name, field.versions);
        if !field.nullable.is_empty() {
            *text += &format!(" nullable={}", field.nullable);
        }
        if let Some(tag) = field.tag {
            *text += &format!(" tag={tag} tagged={}", field.tagged);
        }
        if let Some(default) = field.default.as_ref().filter(|default| !default.is_empty()) {
            *text += &format!(" default={default}");
        }
        if let Some(flexible) = field.flexible {
            *text += &format!(" flexible={flexible}");
        }
        if field.ignorable {
            *text += " ignorable";
        }
        text.push('\n');
        write_fields(text, &field.fields, depth + 1);
    }
}

/// Turns `TopicIDs` and `currentStateTimestamp` into `topic_ids` and `current_state_timestamp`.
pub fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.replace("KRaft", "Kraft").chars().collect();
    let mut text = String::new();
    for (i, &c) in chars.iter().enumerate() {
        if c.is_ascii_uppercase() && i > 0 {
            let after_lower = !chars[i - 1].is_ascii_uppercase();
            let before_lower = chars.get(i + 1).is_some_and(|next| next.is_ascii_lowercase());
            // `TopicIDs`: the plural's `s` belongs to the capitals before it.
            let plural =
                chars.get(i + 1) == Some(&'s') && chars.get(i + 2).is_none_or(char::is_ascii_uppercase);
            if after_lower || (before_lower && !plural) {
                text.push('_');
            }
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}
