//! The cluster metadata image: what the records of `__cluster_metadata` say, after replaying them in order.
//!
//! Invariants:
//! - an image changes in [`MetadataImage::replay`] alone, and only as the record says
//! - a clone shares structure with its origin, so keeping an old image is cheap and comparing two images
//!   ([`MetadataDelta::between`]) costs what changed between them, not what they hold
//! - every collection is ordered, so that a snapshot of equal images is equal

mod acls;
mod bootstrap;
mod client_quotas;
mod cluster;
mod configs;
mod delegation_tokens;
mod delta;
mod features;
mod image;
mod metadata_version;
mod partition;
mod producer_ids;
mod record_versions;
mod scram;
mod topics;

pub use acls::{Acl, AclsImage, AclsOfResource, Prefixes, binding as acl_binding};
pub use bootstrap::{BootstrapError, bootstrap_records};
pub use client_quotas::{ClientQuotaEntity, ClientQuotas, ClientQuotasImage};
pub use cluster::{BrokerRegistration, ClusterImage, ControllerRegistration, Endpoint, VersionRange};
pub use configs::{ConfigResource, ConfigsImage, ResourceType};
pub use delegation_tokens::DelegationTokensImage;
pub use delta::{LocalReplicaChanges, MetadataDelta, PartitionChange, TopicDelta};
pub use features::{Feature, FeatureDependency, FeaturesImage};
pub use image::{MetadataImage, MetadataProvenance, ReplayError};
pub use metadata_version::{MetadataVersion, UnknownMetadataVersion};
pub use partition::{LeaderRecoveryState, NO_LEADER, NO_LEADER_CHANGE, PartitionRegistration};
pub use producer_ids::ProducerIdsImage;
pub use record_versions::record_version;
pub use scram::{ScramCredential, ScramImage, ScramMechanism};
pub use topics::{TopicImage, TopicsImage};
