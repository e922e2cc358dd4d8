//! Producer, consumer and admin clients for any Kafka cluster, with Kafka's config names.
//!
//! A client is configured by a map of strings ([`ConfigMap`]), as a `.properties` file has them. What decides
//! (accumulator, assignors, subscription state, fetch sessions, metadata) is plain code that is given the time;
//! connections and the tasks around them only move bytes.

pub mod admin;
mod chance;
pub mod cluster;
pub mod config;
pub mod connection;
pub mod consumer;
pub mod consumer_protocol;
mod error;
#[cfg(test)]
mod fake_broker;
pub mod metrics;
pub mod offsets;
pub mod producer;
pub mod settings;
pub mod share_consumer;
pub mod tls;

pub use admin::Admin;
pub use cluster::Cluster;
pub use config::{
    AdminConfig, ConfigMap, ConsumerConfig, ProducerConfig, ShareConsumerConfig, config_map, parse_properties,
};
pub use consumer::{Consumer, ConsumerRecord, ConsumerRecords};
pub use error::{Error, Result};
pub use metrics::ClientMetric;
pub use offsets::{OffsetAndMetadata, OffsetAndTimestamp};
pub use producer::{Producer, ProducerRecord, RecordMetadata};
pub use settings::{Address, Bootstrap, ClientSettings};
pub use share_consumer::{AcknowledgeType, Acknowledged, ShareConsumer, ShareRecord};
