//! The controller: turns requests about topics, partitions, brokers, configs and features into metadata records.
//!
//! It is a [`machine::Machine`] over `__cluster_metadata`. Its hard state is the [`metadata::MetadataImage`], and an
//! index over it that can be rebuilt; its soft state is when brokers were last heard of. One file for each concern.
//!
//! Invariants:
//! - a decision reads the image and returns records; it never changes the image
//! - what a request asks of several things fails or succeeds for each of them alone, as in Kafka
//!
//! Not yet: create and alter policies, AddRaftVoter and its kin.
//!
//! Kafka: `QuorumController`.

mod acls;
mod activation;
mod api_error;
mod brokers;
mod client_quotas;
mod configs;
mod controller;
mod controller_config;
mod delegation_tokens;
mod delete_topics;
mod directories;
mod features;
mod fencing;
mod heartbeats;
mod isr;
mod leader_election;
mod partition_change;
mod partitions;
pub mod placement;
mod producer_ids;
mod random;
mod reassignments;
mod replica_index;
mod requests;
mod scram;
mod topic_configs;
mod topics;

pub use acls::CLUSTER_NAME;
pub use api_error::ApiError;
pub use controller::Controller;
pub use controller_config::{ControllerConfig, supported_features};
pub use delegation_tokens::{TokenRequest, token_owner};
pub use producer_ids::PRODUCER_ID_BLOCK_SIZE;
pub use requests::ControllerRequest;
