//! What the tests against a real broker share.
#![allow(dead_code)]

use client::{ConfigMap, config_map};

/// The configuration of a client of the broker under test; prints a line and gives nothing without one.
pub fn bootstrap_or_skip() -> Option<ConfigMap> {
    match std::env::var("MONEDULA_TEST_BOOTSTRAP") {
        Ok(servers) if !servers.is_empty() => Some(config_map([("bootstrap.servers", servers)])),
        _ => {
            println!("skipped: MONEDULA_TEST_BOOTSTRAP names no broker");
            None
        }
    }
}

/// A name that no other run has used.
pub fn unique(prefix: &str) -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is past 1970");
    format!("{prefix}-{}-{}", std::process::id(), since.as_nanos())
}
