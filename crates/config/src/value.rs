//! A parsed configuration value, parsed and written as Kafka's `ConfigDef` does.

use std::fmt;

use crate::{ConfigError, KeyType};

/// The value of a key. Its `Display` is what error texts show: a password is hidden, a list is in brackets.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// An integer of 16, 32 or 64 bits.
    Int(i64),
    /// A float.
    Double(f64),
    /// Text, or the name of a class.
    String(String),
    /// Several texts.
    List(Vec<String>),
    /// Text that is never shown.
    Password(Password),
}

/// A secret; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// The plug-in classes of Kafka that have an equal built in; no other class can be loaded.
const CLASSES: &[&str] = &[
    "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
    "org.apache.kafka.common.security.oauthbearer.BrokerJwtValidator",
    "org.apache.kafka.common.security.oauthbearer.ClientJwtValidator",
    "org.apache.kafka.common.security.oauthbearer.ClientCredentialsJwtRetriever",
    "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
    "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
    "org.apache.kafka.common.security.oauthbearer.FileJwtRetriever",
    "org.apache.kafka.common.security.oauthbearer.JwtBearerJwtRetriever",
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler",
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler",
];

impl Value {
    /// Parses `text` of the key `name`. Kafka: `ConfigDef.parseType`.
    pub fn parse(name: &str, text: &str, kind: KeyType) -> Result<Self, ConfigError> {
        let trimmed = java_trim(text);
        let not_a_number = || ConfigError::value(name, text, format!("Not a number of type {}", kind.name()));
        Ok(match kind {
            KeyType::Boolean if trimmed.eq_ignore_ascii_case("true") => Self::Boolean(true),
            KeyType::Boolean if trimmed.eq_ignore_ascii_case("false") => Self::Boolean(false),
            KeyType::Boolean => {
                return Err(ConfigError::value(name, text, "Expected value to be either true or false"));
            }
            KeyType::String => Self::String(trimmed.to_owned()),
            KeyType::Short => Self::Int(trimmed.parse::<i16>().map_err(|_| not_a_number())?.into()),
            KeyType::Int => Self::Int(trimmed.parse::<i32>().map_err(|_| not_a_number())?.into()),
            KeyType::Long => Self::Int(trimmed.parse().map_err(|_| not_a_number())?),
            KeyType::Double => Self::Double(parse_double(trimmed).ok_or_else(not_a_number)?),
            KeyType::List if trimmed.is_empty() => Self::List(Vec::new()),
            KeyType::List => Self::List(trimmed.split(',').map(|part| part.trim().to_owned()).collect()),
            KeyType::Class if CLASSES.contains(&trimmed) => Self::String(trimmed.to_owned()),
            KeyType::Class => {
                return Err(ConfigError::value(name, text, format!("Class {text} could not be found.")));
            }
            KeyType::Password => Self::Password(Password(trimmed.to_owned())),
        })
    }

    /// Whether there is no value.
    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }

    /// The text of a text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The elements of a list; none for another value.
    pub fn list(&self) -> &[String] {
        match self {
            Self::List(elements) => elements,
            _ => &[],
        }
    }

    /// The number of a number.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Double(number) => Some(*number),
            _ => None,
        }
    }

    /// Writes the value as it would stand in a properties file; none where there is none, and for a password.
    /// Kafka: `ConfigDef.convertToString`.
    pub fn to_config_text(&self) -> Option<String> {
        match self {
            Self::Null | Self::Password(_) => None,
            Self::List(elements) => Some(elements.join(",")),
            _ => Some(self.to_string()),
        }
    }

    pub(crate) fn without_duplicates_if(self, condition: bool) -> Self {
        match self {
            Self::List(elements) if condition => {
                let mut kept: Vec<String> = Vec::with_capacity(elements.len());
                for element in elements {
                    if !kept.contains(&element) {
                        kept.push(element);
                    }
                }
                Self::List(kept)
            }
            other => other,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Double(value) => f.write_str(&format_double(*value)),
            Self::String(value) => f.write_str(value),
            Self::List(elements) => write!(f, "[{}]", elements.join(", ")),
            Self::Password(_) => f.write_str("[hidden]"),
        }
    }
}

/// Removes spaces and control characters from both ends. Java: `String.trim`.
pub fn java_trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

/// Parses what Java's `Double.parseDouble` takes, but for hexadecimal floats.
fn parse_double(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !matches!(unsigned, "NaN" | "Infinity")
        && !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
    {
        return None;
    }
    if text.ends_with("NaN") {
        return Some(f64::NAN);
    }
    text.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(text).parse().ok()
}

/// Writes a double as Java's `Double.toString` does.
pub fn format_double(value: f64) -> String {
    let magnitude = value.abs();
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        let plain = value.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let scientific = format!("{value:E}");
    match scientific.split_once('E') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        _ => scientific,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_written_as_java_writes_them() {
        for (value, text) in [
            (0.5, "0.5"),
            (1.0, "1.0"),
            (f64::MAX, "1.7976931348623157E308"),
            (1e7, "1.0E7"),
            (1e-4, "1.0E-4"),
        ] {
            assert_eq!(format_double(value), text);
        }
    }

    #[test]
    fn values_are_refused_in_kafkas_words() {
        let refused = |text, kind| Value::parse("k", text, kind).expect_err("refused").to_string();
        assert_eq!(
            refused("1.5", KeyType::Long),
            "Invalid value 1.5 for configuration k: Not a number of type LONG"
        );
        assert_eq!(
            refused("yes", KeyType::Boolean),
            "Invalid value yes for configuration k: Expected value to be either true or false"
        );
        assert_eq!(
            refused("foo.Bar", KeyType::Class),
            "Invalid value foo.Bar for configuration k: Class foo.Bar could not be found."
        );
    }

    #[test]
    fn white_space_around_values_and_commas_does_not_count() {
        assert_eq!(Value::parse("k", " +5 ", KeyType::Int), Ok(Value::Int(5)));
        assert_eq!(
            Value::parse("k", " a , b,c ", KeyType::List),
            Ok(Value::List(vec!["a".into(), "b".into(), "c".into()]))
        );
        assert_eq!(Value::parse("k", " TRUE", KeyType::Boolean), Ok(Value::Boolean(true)));
    }
}
