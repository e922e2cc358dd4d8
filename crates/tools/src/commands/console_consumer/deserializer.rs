//! Kafka's deserializers, by the names of their classes.

use model::Uuid;

use crate::Failure;

/// How bytes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deserializer {
    /// As they are.
    Raw,
    Integer,
    Long,
    Short,
    Float,
    Double,
    Boolean,
    Uuid,
}

impl Deserializer {
    /// Finds a deserializer by its class, with or without its package.
    pub(super) fn of(class: &str) -> Result<Self, Failure> {
        let name = class.rsplit('.').next().unwrap_or(class);
        Ok(match name.strip_suffix("Deserializer").unwrap_or(name) {
            "String" | "ByteArray" | "Bytes" | "ByteBuffer" | "Void" => Self::Raw,
            "Integer" => Self::Integer,
            "Long" => Self::Long,
            "Short" => Self::Short,
            "Float" => Self::Float,
            "Double" => Self::Double,
            "Boolean" => Self::Boolean,
            "UUID" => Self::Uuid,
            _ => return Err(Failure::message(format!("Unable to instantiate a deserializer from {class}"))),
        })
    }

    pub(super) fn show(self, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        fn array<const N: usize>(bytes: &[u8], name: &str) -> Result<[u8; N], Failure> {
            let wrong =
                |_| Failure::message(format!("Size of data received by {name}Deserializer is not {N}"));
            bytes.try_into().map_err(wrong)
        }
        Ok(match self {
            Self::Raw => bytes.to_vec(),
            Self::Integer => i32::from_be_bytes(array(bytes, "Integer")?).to_string().into_bytes(),
            Self::Long => i64::from_be_bytes(array(bytes, "Long")?).to_string().into_bytes(),
            Self::Short => i16::from_be_bytes(array(bytes, "Short")?).to_string().into_bytes(),
            Self::Float => format!("{:?}", f32::from_be_bytes(array(bytes, "Float")?)).into_bytes(),
            Self::Double => config::format_double(f64::from_be_bytes(array(bytes, "Double")?)).into_bytes(),
            Self::Boolean => (array::<1>(bytes, "Boolean")?[0] != 0).to_string().into_bytes(),
            Self::Uuid => match String::from_utf8(bytes.to_vec()) {
                Ok(text) => text.into_bytes(),
                Err(_) => Uuid(array(bytes, "UUID")?).to_string().into_bytes(),
            },
        })
    }
}
