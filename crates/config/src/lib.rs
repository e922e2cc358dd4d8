//! Configuration keys with Kafka's names, defaults and validators, and the reader of .properties files.
