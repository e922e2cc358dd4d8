//! What values of a key are allowed, with the texts that refuse the others.
//!
//! Kafka: the validators in `ConfigDef`, and a few beside the keys that use them.

use crate::{ConfigError, ShareOffsetReset, Value};

/// A rule for one key's value.
#[derive(Clone, Copy, Debug)]
pub enum Validator {
    /// All values.
    Any,
    /// Numbers not below this one.
    AtLeast(i64),
    /// Numbers from the first to the second.
    Between(i64, i64),
    /// Numbers from the first to the second, not whole.
    BetweenDoubles(f64, f64),
    /// These texts.
    OneOf(&'static [&'static str]),
    /// These texts, or none.
    OneOfOrNull(&'static [&'static str]),
    /// These texts in any case; written here in upper case.
    OneOfAnyCase(&'static [&'static str]),
    /// Any text, but not no text.
    NonNull,
    /// Not the empty text; no text is allowed.
    NonEmpty,
    /// A list without empty elements, whose duplicates are dropped. Kafka: `ConfigDef.ValidList`.
    List {
        /// The elements allowed; all, if empty.
        of: &'static [&'static str],
        /// Whether the list may be empty.
        empty: bool,
        /// Whether it may be unset.
        null: bool,
    },
    /// -1 or 1 to 9.
    GzipLevel,
    /// `*`, or partition:broker pairs. Kafka: `ThrottledReplicaListValidator`.
    ThrottledReplicas,
    /// Elements `id@host:port`. Kafka: `QuorumConfig.ControllerQuorumVotersValidator`.
    QuorumVoters,
    /// Elements `host:port`. Kafka: `QuorumConfig.ControllerQuorumBootstrapServersValidator`.
    BootstrapServers,
    /// `latest`, `earliest` or `by_duration:` with a duration. Kafka: `ShareGroupAutoOffsetResetStrategy.Validator`.
    ShareOffsetReset,
}

impl Validator {
    /// Refuses `value` of the key `name` with Kafka's text.
    pub fn check(&self, name: &str, value: &Value) -> Result<(), ConfigError> {
        match *self {
            Self::Any => Ok(()),
            Self::AtLeast(min) => check_range(name, value, Some(min as f64), None),
            Self::Between(min, max) => check_range(name, value, Some(min as f64), Some(max as f64)),
            Self::BetweenDoubles(min, max) => check_range(name, value, Some(min), Some(max)),
            Self::OneOf(texts) => check_one_of(name, value, texts),
            Self::OneOfOrNull(_) if value.is_null() => Ok(()),
            Self::OneOfOrNull(texts) => check_one_of(name, value, texts),
            Self::OneOfAnyCase(texts) => check_any_case(name, value, texts),
            Self::NonNull if value.is_null() => {
                Err(ConfigError::value(name, value, "entry must be non null"))
            }
            Self::NonEmpty if value.text() == Some("") => {
                Err(ConfigError::value(name, value, "String must be non-empty"))
            }
            Self::NonNull | Self::NonEmpty => Ok(()),
            Self::List { of, empty, null } => check_list(name, value, of, empty, null),
            Self::GzipLevel => check_gzip_level(name, value),
            Self::ThrottledReplicas => check_throttled_replicas(name, value),
            Self::QuorumVoters => value.list().iter().try_for_each(|entry| check_voter(name, entry)),
            Self::BootstrapServers => value.list().iter().try_for_each(|entry| check_bootstrap(name, entry)),
            Self::ShareOffsetReset => check_share_offset_reset(name, value),
        }
    }

    /// Whether a list under this rule keeps one of equal elements only.
    pub(crate) fn is_set(&self) -> bool {
        matches!(self, Self::List { .. })
    }
}

fn check_range(name: &str, value: &Value, min: Option<f64>, max: Option<f64>) -> Result<(), ConfigError> {
    let Some(number) = value.number() else {
        return Err(ConfigError::value(name, value, "Value must be non-null"));
    };
    match (min, max) {
        (Some(min), _) if number < min => {
            Err(ConfigError::value(name, value, format!("Value must be at least {min}")))
        }
        (_, Some(max)) if number > max => {
            Err(ConfigError::value(name, value, format!("Value must be no more than {max}")))
        }
        _ => Ok(()),
    }
}

fn check_one_of(name: &str, value: &Value, texts: &[&str]) -> Result<(), ConfigError> {
    if value.text().is_some_and(|text| texts.contains(&text)) {
        return Ok(());
    }
    Err(ConfigError::value(name, value, format!("String must be one of: {}", texts.join(", "))))
}

fn check_any_case(name: &str, value: &Value, texts: &[&str]) -> Result<(), ConfigError> {
    if value.text().is_some_and(|text| texts.contains(&text.to_uppercase().as_str())) {
        return Ok(());
    }
    let reason = format!("String must be one of (case insensitive): {}", texts.join(", "));
    Err(ConfigError::value(name, value, reason))
}

fn check_list(name: &str, value: &Value, of: &[&str], empty: bool, null: bool) -> Result<(), ConfigError> {
    if value.is_null() {
        let refused = ConfigError::Invalid(format!("Configuration '{name}' values must not be null."));
        return if null { Ok(()) } else { Err(refused) };
    }
    let elements = value.list();
    if elements.is_empty() && !empty {
        let valid = if of.is_empty() { "any non-empty value".into() } else { format!("[{}]", of.join(", ")) };
        return Err(ConfigError::Invalid(format!(
            "Configuration '{name}' must not be empty. Valid values include: {valid}"
        )));
    }
    for element in elements {
        if element.is_empty() {
            return Err(ConfigError::Invalid(format!("Configuration '{name}' values must not be empty.")));
        }
        if !of.is_empty() {
            check_one_of(name, &Value::String(element.clone()), of)?;
        }
    }
    Ok(())
}

fn check_gzip_level(name: &str, value: &Value) -> Result<(), ConfigError> {
    match value {
        Value::Null => Err(ConfigError::value(name, value, "Value must be non-null")),
        Value::Int(-1 | 1..=9) => Ok(()),
        _ => Err(ConfigError::value(name, value, "Value must be between 1 and 9 or equal to -1")),
    }
}

fn check_throttled_replicas(name: &str, value: &Value) -> Result<(), ConfigError> {
    let elements = value.list();
    let is_pair = |element: &String| {
        element.split_once(':').is_some_and(|(partition, broker)| is_digits(partition) && is_digits(broker))
    };
    if matches!(elements, [star] if star == "*") || elements.iter().all(is_pair) {
        return Ok(());
    }
    let reason = format!(
        "{name} must be the literal '*' or a list of replicas in the following format: \
         [partitionId]:[brokerId],[partitionId]:[brokerId],..."
    );
    Err(ConfigError::value(name, value, reason))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn check_voter(name: &str, entry: &str) -> Result<(), ConfigError> {
    const FORM: &str = "Each entry should be in the form `{id}@{host}:{port}`.";
    let mut parts = entry.split('@');
    let (Some(id), Some(address), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(ConfigError::Invalid(format!("Invalid configuration value for {name}. {FORM}")));
    };
    if address.is_empty() {
        return Err(ConfigError::Invalid(format!("Invalid configuration value for {name}. {FORM}")));
    }
    if id.parse::<i32>().is_err() {
        return Err(ConfigError::Invalid(format!("Failed to parse voter ID as an integer from {id}")));
    }
    if split_host_port(address).is_none() {
        let text =
            format!("Failed to parse host name from entry {entry} for the configuration {name}. {FORM}");
        return Err(ConfigError::Invalid(text));
    }
    Ok(())
}

fn check_bootstrap(name: &str, entry: &str) -> Result<(), ConfigError> {
    if split_host_port(entry).is_some() {
        return Ok(());
    }
    Err(ConfigError::Invalid(format!(
        "Failed to parse host name from {entry} for the configuration {name}. \
         Each entry should be in the form \"{{host}}:{{port}}\""
    )))
}

/// Splits `host:port` or `[ipv6]:port`; a scheme before it is passed over. Kafka: `Utils.getHost`, `Utils.getPort`.
pub(crate) fn split_host_port(address: &str) -> Option<(&str, u16)> {
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_host_char = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
    let well_formed = !host.is_empty() && host.chars().all(is_host_char) && is_digits(port);
    well_formed.then(|| Some((host, port.parse().ok()?)))?
}

fn check_share_offset_reset(name: &str, value: &Value) -> Result<(), ConfigError> {
    let text = value.text().unwrap_or_default();
    if ShareOffsetReset::parse(text).is_some() {
        return Ok(());
    }
    let reason = format!(
        "Invalid value `{text}` for configuration {name}. The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."
    );
    Err(ConfigError::value(name, text, reason))
}
