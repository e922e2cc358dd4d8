//! Who asks the group coordinator, as the server knows it.

use std::net::IpAddr;
use std::sync::Arc;

use coordinators::group::{RequestContext, TopicGate};
use world::chance::Chance;

/// A client and its request's version.
#[derive(Clone, Debug)]
pub struct ClientContext {
    /// The request's version.
    pub api_version: i16,
    /// The `client.id` of the request's header; empty for none.
    pub client_id: String,
    /// Where the client connects from.
    pub client_address: IpAddr,
    /// Which topics the client may know of; none where it may know of all.
    pub topic_gate: Option<Arc<dyn TopicGate>>,
}

impl ClientContext {
    /// Makes the machine's context, with an id that no other request has.
    pub(super) fn to_request(&self, chance: &dyn Chance) -> RequestContext {
        RequestContext {
            api_version: self.api_version,
            client_id: self.client_id.clone(),
            client_host: java_address(self.client_address),
            fresh_id: java_uuid(chance.next_id()),
            fresh_uuid: model::Uuid::from_random_bytes(chance.next_id()),
            topic_gate: self.topic_gate.clone(),
        }
    }
}

/// Writes an address as Java's `InetAddress.toString` does for one that has no name: IPv6 in full, no zeros in front.
fn java_address(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("/{address}"),
        IpAddr::V6(address) => {
            let segments = address.segments().map(|segment| format!("{segment:x}"));
            format!("/{}", segments.join(":"))
        }
    }
}

/// Writes a random id as Java's `UUID.randomUUID().toString()` does.
fn java_uuid(bytes: [u8; 16]) -> String {
    let mut bytes = model::Uuid::from_random_bytes(bytes).0;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_java_does() {
        let text = |address: &str| java_address(address.parse().expect("an address"));
        assert_eq!(text("127.0.0.1"), "/127.0.0.1");
        assert_eq!(text("::ffff:10.1.2.3"), "/10.1.2.3");
        assert_eq!(text("::1"), "/0:0:0:0:0:0:0:1");
        assert_eq!(text("fe80::a00:27ff"), "/fe80:0:0:0:0:0:a00:27ff");
    }

    #[test]
    fn ids_are_written_as_java_does() {
        let id = java_uuid([0xff; 16]);
        assert_eq!(id, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
