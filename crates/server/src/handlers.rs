//! One file for each API, named after it: authorize, validate, call the domain once per item, map errors, respond.

pub mod api_versions;
pub mod describe_cluster;
pub mod describe_topic_partitions;
pub mod metadata;
pub mod sasl_handshake;
