//! A node: serve, dispatch, one handler for each API, broker and controller roles.

pub mod authorize;
pub mod broker;
pub mod controller;
mod descriptors;
pub mod dispatch;
pub mod essential;
mod handlers;
pub mod listener_security;
pub mod listeners;
mod log_dir_owner;
mod login;
mod metrics;
pub mod node;
pub mod request;
mod run;
mod serve;
mod throttle;

pub use run::{DEFAULT_DATA_DIR, RunError, RunOptions, configuration, run, start, start_in};
