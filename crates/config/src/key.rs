//! A row that describes one configuration key.
//!
//! Rows are built in `const` tables, one call for each row and one method for each thing that is not the common case:
//! `Key::int("num.io.threads", "8", Importance::High, "…").at_least(1).cluster_wide()`.

use crate::{ConfigError, Validator, Value};

/// The type of a key's value. Kafka: `ConfigDef.Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// `true` or `false`, in any case.
    Boolean,
    /// Text, trimmed.
    String,
    /// A 32-bit integer.
    Int,
    /// A 16-bit integer.
    Short,
    /// A 64-bit integer.
    Long,
    /// A 64-bit float.
    Double,
    /// Texts between commas; white space around a comma does not count.
    List,
    /// The name of a plug-in class.
    Class,
    /// Text that is never shown.
    Password,
}

impl KeyType {
    /// The name that error texts use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }

    /// The number that `DescribeConfigs` answers. Kafka: `DescribeConfigsResponse.ConfigType`.
    pub fn id(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }
}

/// How much a key matters to most users. Kafka: `ConfigDef.Importance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// Most users choose it.
    High,
    /// Some users choose it.
    Medium,
    /// Few users choose it.
    Low,
}

/// Where a broker key can be changed while the broker runs. Kafka: `DynamicBrokerConfig`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Only in the properties file, before the start.
    ReadOnly,
    /// For one broker.
    PerBroker,
    /// For one broker or as the default of all.
    ClusterWide,
}

/// What a key is when nobody set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyDefault {
    /// It must be set.
    Required,
    /// It has no value.
    Null,
    /// This text, parsed like a user's.
    Text(&'static str),
}

/// One configuration key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The name, as Kafka has it.
    pub name: &'static str,
    /// The value's type.
    pub kind: KeyType,
    /// The value if unset.
    pub default: KeyDefault,
    /// What values are allowed.
    pub validator: Validator,
    /// How much it matters.
    pub importance: Importance,
    /// Whether it can be changed at run time (broker keys).
    pub scope: Scope,
    /// Internal keys are shown only if they were set.
    pub internal: bool,
    /// What it is for.
    pub doc: &'static str,
}

macro_rules! typed {
    ($($(#[$doc:meta])* $name:ident $kind:ident;)*) => {
        $($(#[$doc])*
        pub const fn $name(
            name: &'static str, default: &'static str, importance: Importance, doc: &'static str,
        ) -> Self {
            Self::new(name, KeyType::$kind, KeyDefault::Text(default), importance, doc)
        })*
    };
}

impl Key {
    /// Makes a row with no validator, not dynamic, not internal.
    pub const fn new(
        name: &'static str,
        kind: KeyType,
        default: KeyDefault,
        importance: Importance,
        doc: &'static str,
    ) -> Self {
        let (validator, scope) = (Validator::Any, Scope::ReadOnly);
        Self { name, kind, default, validator, importance, scope, internal: false, doc }
    }

    typed! {
        /// A key of type [`KeyType::Boolean`].
        boolean Boolean;
        /// A key of type [`KeyType::String`].
        string String;
        /// A key of type [`KeyType::Int`].
        int Int;
        /// A key of type [`KeyType::Short`].
        short Short;
        /// A key of type [`KeyType::Long`].
        long Long;
        /// A key of type [`KeyType::Double`].
        double Double;
        /// A key of type [`KeyType::List`].
        list List;
        /// A key of type [`KeyType::Class`].
        class Class;
    }

    /// A key that has no value unless it is set.
    pub const fn nullable(
        name: &'static str,
        kind: KeyType,
        importance: Importance,
        doc: &'static str,
    ) -> Self {
        Self::new(name, kind, KeyDefault::Null, importance, doc)
    }

    /// A key that must be set.
    pub const fn required(
        name: &'static str,
        kind: KeyType,
        importance: Importance,
        doc: &'static str,
    ) -> Self {
        Self::new(name, kind, KeyDefault::Required, importance, doc)
    }

    /// Allows what `validator` allows.
    pub const fn valid(self, validator: Validator) -> Self {
        Self { validator, ..self }
    }

    /// Allows numbers from `min`.
    pub const fn at_least(self, min: i64) -> Self {
        self.valid(Validator::AtLeast(min))
    }

    /// Allows numbers from `min` to `max`, both included.
    pub const fn between(self, min: i64, max: i64) -> Self {
        self.valid(Validator::Between(min, max))
    }

    /// Allows these texts; for a list, elements out of them.
    pub const fn one_of(self, texts: &'static [&'static str]) -> Self {
        self.valid(Validator::OneOf(texts))
    }

    /// Can be changed at run time for one broker.
    pub const fn per_broker(self) -> Self {
        Self { scope: Scope::PerBroker, ..self }
    }

    /// Can be changed at run time for one broker or for all.
    pub const fn cluster_wide(self) -> Self {
        Self { scope: Scope::ClusterWide, ..self }
    }

    /// Not shown unless set.
    pub const fn hidden(self) -> Self {
        Self { internal: true, ..self }
    }

    /// Whether the value must never be shown.
    pub fn is_sensitive(&self) -> bool {
        self.kind == KeyType::Password
    }

    /// Parses and validates `text`. Kafka: `ConfigDef.parseValue`.
    pub fn parse(&self, text: &str) -> Result<Value, ConfigError> {
        let value = Value::parse(self.name, text, self.kind)?;
        self.validator.check(self.name, &value)?;
        Ok(value.without_duplicates_if(self.validator.is_set()))
    }

    /// Returns the value of the key where it is not set, or an error where it must be.
    pub fn default_value(&self) -> Result<Value, ConfigError> {
        match self.default {
            KeyDefault::Null => Ok(Value::Null),
            KeyDefault::Text(text) => self.parse(text),
            KeyDefault::Required => Err(ConfigError::Invalid(format!(
                "Missing required configuration \"{}\" which has no default value.",
                self.name
            ))),
        }
    }
}
