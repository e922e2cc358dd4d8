//! The values of a table of keys, parsed and validated one by one.
//!
//! Reading a key that is not in the table, or as another type than the table says, is a mistake of the program and panics.

use std::collections::BTreeMap;

use crate::{ConfigError, ConfigMap, Key, Value};

/// Parsed values, by key.
#[derive(Clone, Debug, PartialEq)]
pub struct Values(BTreeMap<&'static str, Value>);

impl Values {
    /// Parses the value of each key of the table, or takes its default. Kafka: `ConfigDef.parse`.
    pub fn parse<'a>(
        keys: impl IntoIterator<Item = &'a Key>,
        props: &ConfigMap,
    ) -> Result<Self, ConfigError> {
        let parse = |key: &Key| {
            let value = props.get(key.name).map_or_else(|| key.default_value(), |text| key.parse(text))?;
            Ok((key.name, value))
        };
        keys.into_iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or_else(|| panic!("{name} is not in the table of keys"))
    }

    /// All values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    /// The text that was set, if any.
    pub fn string(&self, name: &str) -> Option<String> {
        match self.get(name) {
            Value::Null => None,
            Value::Password(password) => Some(password.0.clone()),
            value => Some(value.text().unwrap_or_else(|| panic!("{name} is not text")).to_owned()),
        }
    }

    /// The text of a key that always has one.
    pub fn text(&self, name: &str) -> String {
        self.string(name).unwrap_or_default()
    }

    /// The elements of a list; none if it is unset.
    pub fn list(&self, name: &str) -> Vec<String> {
        self.get(name).list().to_vec()
    }

    /// True or false.
    pub fn boolean(&self, name: &str) -> bool {
        matches!(self.get(name), Value::Boolean(true))
    }

    /// A 64-bit integer, if set.
    pub fn optional_long(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Value::Null => None,
            Value::Int(number) => Some(*number),
            _ => panic!("{name} is not an integer"),
        }
    }

    /// A 64-bit integer.
    pub fn long(&self, name: &str) -> i64 {
        self.optional_long(name).unwrap_or_else(|| panic!("{name} is unset"))
    }

    /// A 32-bit integer, if set.
    pub fn optional_int(&self, name: &str) -> Option<i32> {
        self.optional_long(name)
            .map(|number| i32::try_from(number).unwrap_or_else(|_| panic!("{name} is not of 32 bits")))
    }

    /// A 32-bit integer.
    pub fn int(&self, name: &str) -> i32 {
        self.optional_int(name).unwrap_or_else(|| panic!("{name} is unset"))
    }

    /// A 16-bit integer.
    pub fn short(&self, name: &str) -> i16 {
        i16::try_from(self.long(name)).unwrap_or_else(|_| panic!("{name} is not of 16 bits"))
    }

    /// A float.
    pub fn double(&self, name: &str) -> f64 {
        self.get(name).number().unwrap_or_else(|| panic!("{name} is unset"))
    }
}
