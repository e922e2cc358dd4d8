//! Group coordinators as state machines over `__consumer_offsets`.
//!
//! Invariants:
//! - nothing here reads a clock, draws a random number or touches a file: each call brings `now` and fresh ids

pub mod group;
pub mod share;
pub mod transaction;
