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

/// Asks `question` until it gives an answer, for half a minute: what was changed is not everywhere at once.
pub async fn eventually<T>(what: &str, mut question: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..300 {
        if let Some(answer) = question().await {
            return answer;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("it did not come true: {what}");
}
