//! One file for each API, named after it: authorize, validate, call the domain once per item, map errors, respond.

pub mod api_versions;
mod config_error;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_topic_partitions;
pub mod list_config_resources;
pub mod metadata;
pub mod sasl_handshake;
