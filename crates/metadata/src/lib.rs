//! The cluster metadata image, built by replaying records of __cluster_metadata.
