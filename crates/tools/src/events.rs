//! Events of the verifiable clients: one JSON object a line, `timestamp` and `name` first.
//! Kafka: `VerifiableProducer.ProducerEvent`, `VerifiableConsumer.ConsumerEvent`.

use std::io::Write;

use serde_json::{Map, Value, json};

use crate::Failure;
use crate::datetime::now_ms;

/// What happened.
#[derive(Clone, Debug)]
pub struct Event(Map<String, Value>);

impl Event {
    /// An event of now.
    pub fn new(name: &str) -> Self {
        let mut fields = Map::new();
        fields.insert("timestamp".to_owned(), json!(now_ms()));
        fields.insert("name".to_owned(), json!(name));
        Self(fields)
    }

    /// With one more field.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Writes it, so that it is seen at once.
    pub fn write(self, out: &mut dyn Write) -> Result<(), Failure> {
        writeln!(out, "{}", Value::Object(self.0))?;
        Ok(out.flush()?)
    }
}
