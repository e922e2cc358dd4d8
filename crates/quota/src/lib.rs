//! Quotas: what clients may use, how it is measured, and how long they wait when they used more.
//!
//! Invariants:
//! - nothing here waits: a quota says how long, and whoever owns the connection keeps it silent for so long
//! - where no quota is set nothing is measured
//! - clients name themselves, so only so many of them are measured
//!
//! Kafka: `ClientQuotaManager`, `ControllerMutationQuotaManager`, `ConnectionQuotas`.

mod client_quotas;
mod entities;
mod mutation;
mod rate;
mod recent;
mod token_bucket;

pub use client_quotas::{ClientQuotaManager, QuotaSensor};
pub use entities::{QuotaKind, QuotaTable, Tags};
pub use mutation::MutationQuota;
pub use rate::{QuotaRate, Rate, Window};
pub use recent::Recent;
pub use token_bucket::TokenBucket;
