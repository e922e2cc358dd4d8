//! How a field's type looks in Rust: its type, its default, how it is written and read.

use super::schema::{Field, snake_case};

/// A field's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// A type of fixed size: the Rust type and the suffix of the codec's `put_`/`get_` functions.
    Fixed(&'static str, &'static str),
    ErrorCode,
    String,
    Bytes,
    Records,
    Array(Box<Type>),
    Struct(String),
}

impl Type {
    pub fn of(field: &Field) -> Self {
        let error_code = field.type_name == "int16" && field.name.to_ascii_lowercase().ends_with("errorcode");
        if error_code { Self::ErrorCode } else { Self::parse(&field.type_name) }
    }

    fn parse(name: &str) -> Self {
        match name {
            "bool" => Self::Fixed("bool", "bool"),
            "int8" => Self::Fixed("i8", "i8"),
            "int16" => Self::Fixed("i16", "i16"),
            "uint16" => Self::Fixed("u16", "u16"),
            "int32" => Self::Fixed("i32", "i32"),
            "uint32" => Self::Fixed("u32", "u32"),
            "int64" => Self::Fixed("i64", "i64"),
            "float64" => Self::Fixed("f64", "f64"),
            "uuid" => Self::Fixed("Uuid", "uuid"),
            "string" => Self::String,
            "bytes" => Self::Bytes,
            "records" => Self::Records,
            _ => match name.strip_prefix("[]") {
                Some(element) => Self::Array(Box::new(Self::parse(element))),
                None => Self::Struct(name.to_owned()),
            },
        }
    }

    /// Returns the Rust type, not counting nullability.
    pub fn rust(&self) -> String {
        match self {
            Self::Fixed(rust, _) => (*rust).to_owned(),
            Self::ErrorCode => "ErrorCode".to_owned(),
            Self::String => "String".to_owned(),
            Self::Bytes => "Bytes".to_owned(),
            Self::Records => "Records".to_owned(),
            Self::Array(element) => format!("Vec<{}>", element.rust()),
            Self::Struct(name) => name.clone(),
        }
    }

    /// Tells whether the form on the wire differs between flexible versions and others.
    pub fn has_compact_form(&self) -> bool {
        matches!(self, Self::String | Self::Bytes | Self::Records | Self::Array(_))
    }

    /// Returns a statement that writes the value that `value` refers to. `compact` is an expression of type bool.
    pub fn put(&self, value: &str, compact: &str) -> String {
        match self {
            Self::Fixed(_, suffix) => format!("out.put_{suffix}(*{value});"),
            Self::ErrorCode => format!("out.put_i16({value}.0);"),
            Self::String => format!("out.put_string({value}, {compact})?;"),
            Self::Bytes => format!("out.put_bytes({value}, {compact})?;"),
            Self::Records => format!("out.put_records({value}, {compact})?;"),
            Self::Struct(_) => format!("{value}.encode(out, version)?;"),
            Self::Array(element) => format!(
                "out.put_array_length({value}.len(), {compact})?; for item in {value} {{ {} }}",
                element.put("item", compact)
            ),
        }
    }

    /// Returns an expression that reads a value that is there, of type `Self::rust`.
    pub fn get(&self, compact: &str) -> String {
        match self {
            Self::Fixed(_, suffix) => format!("input.get_{suffix}()?"),
            Self::ErrorCode => "ErrorCode(input.get_i16()?)".to_owned(),
            Self::String => format!("input.get_string({compact})?"),
            Self::Bytes => format!("input.get_bytes({compact})?"),
            Self::Records => format!("input.get_records({compact})?"),
            Self::Struct(name) => format!("{name}::decode(input, version)?"),
            Self::Array(element) => {
                format!("input.get_array({compact}, |input| {})?", element.get_result(compact))
            }
        }
    }

    /// Returns an expression that reads a value that may be null, of type `Option`.
    pub fn get_nullable(&self, compact: &str) -> String {
        match self {
            Self::String => format!("input.get_nullable_string({compact})?"),
            Self::Bytes => format!("input.get_nullable_bytes({compact})?"),
            Self::Records => format!("input.get_nullable_records({compact})?"),
            Self::Array(element) => {
                format!("input.get_nullable_array({compact}, |input| {})?", element.get_result(compact))
            }
            Self::Struct(name) => format!("input.get_nullable(|input| {name}::decode(input, version))?"),
            Self::Fixed(..) | Self::ErrorCode => unreachable!("Kafka has no nullable numbers"),
        }
    }

    fn get_result(&self, compact: &str) -> String {
        match self {
            Self::Struct(name) => format!("{name}::decode(input, version)"),
            Self::Fixed(_, suffix) => format!("input.get_{suffix}()"),
            Self::String => format!("input.get_string({compact})"),
            Self::Bytes => format!("input.get_bytes({compact})"),
            other => format!("Ok({})", other.get(compact)),
        }
    }

    /// Returns a statement that writes a null.
    pub fn put_null(&self, compact: &str) -> String {
        match self {
            Self::String => format!("out.put_null_string({compact});"),
            Self::Struct(_) => "out.put_i8(-1);".to_owned(),
            _ => format!("out.put_null({compact});"),
        }
    }

    /// Returns the Rust expression of a default.
    pub fn default(&self, text: &str, nullable: bool) -> String {
        if nullable && text == "null" {
            return "None".to_owned();
        }
        let plain = match self {
            Self::Fixed("bool", _) => if text == "true" { "true" } else { "false" }.to_owned(),
            Self::Fixed("f64", _) => if text.is_empty() { "0.0" } else { text }.to_owned(),
            Self::Fixed("Uuid", _) => "Uuid::ZERO".to_owned(),
            Self::Fixed(..) => if text.is_empty() { "0" } else { text }.to_owned(),
            Self::ErrorCode => format!("ErrorCode({})", if text.is_empty() { "0" } else { text }),
            Self::String if text.is_empty() => "String::new()".to_owned(),
            Self::String => format!("{text:?}.to_owned()"),
            Self::Bytes => "Bytes::new()".to_owned(),
            Self::Records => "Records::default()".to_owned(),
            Self::Array(_) => "Vec::new()".to_owned(),
            Self::Struct(name) => format!("{name}::default()"),
        };
        if nullable { format!("Some({plain})") } else { plain }
    }

    /// Returns the condition under which the field `name` of `self` is not its default.
    pub fn differs(&self, name: &str, text: &str, nullable: bool) -> String {
        if nullable && text == "null" {
            return format!("self.{name}.is_some()");
        }
        let empty = matches!(self, Self::String | Self::Bytes | Self::Array(_)) && text.is_empty();
        match self {
            _ if empty && nullable => format!("self.{name}.as_ref().is_none_or(|value| !value.is_empty())"),
            _ if empty => format!("!self.{name}.is_empty()"),
            Self::String if !nullable => format!("self.{name} != {text:?}"),
            Self::Fixed("bool", _) if !nullable => {
                format!("{}self.{name}", if text == "true" { "!" } else { "" })
            }
            _ => format!("self.{name} != {}", self.default(text, nullable)),
        }
    }
}

/// Returns a field's name in Rust.
pub fn rust_name(field: &Field) -> String {
    let name = snake_case(&field.name);
    if matches!(name.as_str(), "type" | "match" | "use" | "ref" | "move") { name + "_" } else { name }
}
