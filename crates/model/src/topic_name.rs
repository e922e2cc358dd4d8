//! Names of topics: which are allowed, and which are Kafka's own.
//!
//! Kafka: `org.apache.kafka.common.internals.Topic`.

/// The topic that keeps groups and their offsets.
pub const CONSUMER_OFFSETS: &str = "__consumer_offsets";
/// The topic that keeps transactions.
pub const TRANSACTION_STATE: &str = "__transaction_state";
/// The topic that keeps the state of share groups.
pub const SHARE_GROUP_STATE: &str = "__share_group_state";
/// The quorum's log, which is no topic for clients.
pub const CLUSTER_METADATA: &str = "__cluster_metadata";

/// The longest name, in UTF-16 units (which are bytes in every name that is allowed otherwise).
pub const LENGTH_MAX: usize = 249;

/// Tells whether clients may not write to the topic unless they are coordinators.
pub fn is_internal(name: &str) -> bool {
    matches!(name, CONSUMER_OFFSETS | TRANSACTION_STATE | SHARE_GROUP_STATE)
}

/// Tells whether a topic may have this name.
pub fn is_valid(name: &str) -> bool {
    fault(name).is_none()
}

/// Says why a topic may not have this name, as Kafka says it.
///
/// # Errors
/// The text of `InvalidTopicException`.
pub fn validate(name: &str) -> Result<(), String> {
    fault(name).map_or(Ok(()), |fault| Err(format!("Topic name is invalid: {fault}")))
}

fn fault(name: &str) -> Option<String> {
    match name {
        "" => Some("the empty string is not allowed".to_owned()),
        "." => Some("'.' is not allowed".to_owned()),
        ".." => Some("'..' is not allowed".to_owned()),
        _ if name.encode_utf16().count() > LENGTH_MAX => {
            Some(format!("the length of '{name}' is longer than the max allowed length {LENGTH_MAX}"))
        }
        _ if !name.bytes().all(is_legal) => Some(format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        )),
        _ => None,
    }
}

fn is_legal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_paths_are_refused() {
        for name in ["", ".", "..", "../../etc/passwd", "a/b", "a b", "a\0b", "é", &"x".repeat(250)] {
            assert!(!is_valid(name), "{name}");
        }
        assert!(is_valid(&"x".repeat(249)));
        assert!(is_valid("a.b_c-D9"));
    }

    #[test]
    fn the_text_is_kafkas() {
        assert_eq!(validate(".").unwrap_err(), "Topic name is invalid: '.' is not allowed");
    }
}
