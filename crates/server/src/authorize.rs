//! Who may do what.
//!
//! Not yet: ACLs; a node with an `authorizer.class.name` refuses to start. As with Kafka without an `authorizer.class.name`, whoever got in may do everything that clients do;
//! what only brokers do is refused on listeners where only clients come in.
//!
//! Kafka: `AuthHelper`.

use protocol::ErrorCode;

use config::SecurityProtocol;

use crate::request::RequestContext;

/// A kind of thing that is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// A topic.
    Topic,
    /// A group.
    Group,
    /// The cluster itself.
    Cluster,
}

/// Operations by their bit in an authorized-operations field. Kafka: `AclOperation`.
mod operation {
    pub const READ: i32 = 1 << 3;
    pub const WRITE: i32 = 1 << 4;
    pub const CREATE: i32 = 1 << 5;
    pub const DELETE: i32 = 1 << 6;
    pub const ALTER: i32 = 1 << 7;
    pub const DESCRIBE: i32 = 1 << 8;
    pub const CLUSTER_ACTION: i32 = 1 << 9;
    pub const DESCRIBE_CONFIGS: i32 = 1 << 10;
    pub const ALTER_CONFIGS: i32 = 1 << 11;
    pub const IDEMPOTENT_WRITE: i32 = 1 << 12;
}

/// The value of an authorized-operations field that was not asked for.
pub const OPERATIONS_UNASKED: i32 = i32::MIN;

/// Returns what the asker may do with a resource of a kind, one bit for each operation.
/// Kafka: `AuthHelper.authorizedOperations`, `AclEntry.supportedOperations`.
pub fn operations(_context: &RequestContext, kind: ResourceKind) -> i32 {
    use operation::*;
    match kind {
        ResourceKind::Topic => {
            READ | WRITE | CREATE | DESCRIBE | DELETE | ALTER | DESCRIBE_CONFIGS | ALTER_CONFIGS
        }
        ResourceKind::Group => READ | DESCRIBE | DELETE | DESCRIBE_CONFIGS | ALTER_CONFIGS,
        ResourceKind::Cluster => {
            CREATE | CLUSTER_ACTION | DESCRIBE_CONFIGS | ALTER_CONFIGS | IDEMPOTENT_WRITE | ALTER | DESCRIBE
        }
    }
}

/// Checks that the asker may do what only brokers do. Kafka: `AuthHelper.authorizeClusterOperation`.
pub fn check_cluster_action(context: &RequestContext) -> Result<(), ErrorCode> {
    if may_act_for_the_cluster(context) { Ok(()) } else { Err(ErrorCode::CLUSTER_AUTHORIZATION_FAILED) }
}

/// Tells whether the asker may ask for delegation tokens at all: who is anybody, or got in by a token, may not.
/// Kafka: `KafkaApis.allowTokenRequests`.
pub fn may_ask_for_tokens(context: &RequestContext) -> bool {
    match context.listener.security_protocol {
        SecurityProtocol::Plaintext => false,
        SecurityProtocol::Ssl => &*context.principal != "User:ANONYMOUS",
        SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl => true,
    }
}

/// Tells whether the asker may do what only brokers do, such as fetching as a replica.
pub fn may_act_for_the_cluster(context: &RequestContext) -> bool {
    context.is_inter_broker()
}
