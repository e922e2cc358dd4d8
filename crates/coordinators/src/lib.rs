//! Coordinators as state machines over internal topics: groups, transactions, the state of share groups.
//!
//! Invariants:
//! - nothing here reads a clock, draws a random number or touches a file: each call brings `now` and fresh ids

pub mod group;
pub mod share;
pub mod share_partition;
pub mod transaction;
