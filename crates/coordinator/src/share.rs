//! The share coordinator, and what the leaders of share groups' partitions ask of it.

mod persister;

pub use persister::{Persister, ShareState, ShareStateError, ShareStateSummary, ShareStateWrite};
