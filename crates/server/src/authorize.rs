//! Who may do what.
//!
//! A [`Gate`] stands before each request: with an authorizer (`authorizer.class.name`) it asks the access control entries
//! of the newest metadata and writes the audit log; without one, whoever got in may do everything that clients do, and
//! what only brokers do is refused on listeners where only clients come in.
//!
//! Kafka: `AuthHelper`, `StandardAuthorizerData.logAuditMessage`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use config::{BrokerConfig, ConfigError, SecurityProtocol};
use controller::CLUSTER_NAME;
use coordinators::group::TopicGate;
use metadata::MetadataImage;
use model::{AclOperation, AclResourceType};
use protocol::ErrorCode;
use security::{Action, Requester, StandardAuthorizer, Verdict};

use crate::broker::Broker;
use crate::request::RequestContext;

use AclOperation::{
    Alter, AlterConfigs, ClusterAction, Create, Delete, Describe, DescribeConfigs, IdempotentWrite, Read,
    Write,
};

/// Where what was allowed and denied is logged.
macro_rules! audit {
    ($level:ident, $($argument:tt)+) => {
        tracing::$level!(target: "kafka.authorizer.logger", $($argument)+)
    };
}

/// Why something is refused: the code, and Kafka's text, if it has one of its own.
pub type Refusal = (ErrorCode, Option<String>);

/// Reads which authorizer the configuration asks for; none if it asks for none.
///
/// # Errors
/// The class is not known here, or a super user is no principal.
pub fn authorizer(config: &BrokerConfig) -> Result<Option<StandardAuthorizer>, ConfigError> {
    let class = config.security.authorizer_class_name.trim();
    if class.is_empty() {
        return Ok(None);
    }
    if class != StandardAuthorizer::CLASS_NAME {
        return Err(ConfigError::Invalid(format!(
            "Invalid value {class} for configuration authorizer.class.name: Class {class} could not be found."
        )));
    }
    let original = |key: &str| config.originals().get(key).map_or("", String::as_str).trim();
    let allows = original("allow.everyone.if.no.acl.found").eq_ignore_ascii_case("true");
    let authorizer = StandardAuthorizer::new(original("super.users"), allows);
    authorizer.map(Some).map_err(|error| ConfigError::Invalid(error.to_string()))
}

/// What one request's sender may do, by the metadata at the time that the gate was made.
#[derive(Debug)]
pub struct Gate<'a> {
    context: &'a RequestContext,
    rules: Option<Rules<'a>>,
}

#[derive(Debug)]
struct Rules<'a> {
    authorizer: &'a StandardAuthorizer,
    image: Arc<MetadataImage>,
    host: String,
}

/// Which of several names the sender may do something with.
#[derive(Debug)]
pub enum Permitted {
    /// There is no authorizer.
    All,
    /// Whether it may, for each name that was asked about.
    Names(BTreeMap<String, bool>),
}

impl Permitted {
    /// Tells whether `name`, which was asked about, is permitted.
    pub fn contains(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.get(name) == Some(&true),
        }
    }

    /// Tells whether all names that were asked about are permitted.
    pub fn is_all(&self) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.values().all(|permitted| *permitted),
        }
    }
}

/// Which answers are worth a line in the audit log: those that are not are logged at the level `TRACE` alone.
#[derive(Clone, Copy)]
struct Logged {
    allowed: bool,
    denied: bool,
}

const ALWAYS: Logged = Logged { allowed: true, denied: true };
const IF_ALLOWED: Logged = Logged { allowed: true, denied: false };
const NEVER: Logged = Logged { allowed: false, denied: false };

impl Broker {
    /// Returns the gate before a request.
    pub fn gate<'a>(&'a self, context: &'a RequestContext) -> Gate<'a> {
        let rules = |authorizer| Rules {
            authorizer,
            image: self.metadata.image(),
            host: java_host(context.peer.ip()),
        };
        Gate { context, rules: self.authorizer.as_ref().map(rules) }
    }

    /// Returns what tells, later, which topics the sender may know of; none if there is no authorizer.
    pub fn topic_gate(self: &Arc<Self>, context: &RequestContext) -> Option<Arc<dyn TopicGate>> {
        let kept = || KeptGate { broker: Arc::downgrade(self), context: context.clone() };
        self.authorizer.is_some().then(|| Arc::new(kept()) as _)
    }
}

/// A gate that outlives its request. Kafka: `TopicRegexResolver.filterTopicDescribeAuthorizedTopics`.
#[derive(Debug)]
struct KeptGate {
    broker: Weak<Broker>,
    context: RequestContext,
}

impl TopicGate for KeptGate {
    fn hidden(&self, topics: &BTreeMap<&str, usize>) -> BTreeSet<String> {
        let broker = self.broker.upgrade();
        let gate = broker.as_ref().map(|broker| broker.gate(&self.context));
        let may_know = |name: &str, count| {
            let action = Action { operation: Describe, resource_type: AclResourceType::Topic, name };
            gate.as_ref().is_some_and(|gate| gate.ask(action, count, IF_ALLOWED))
        };
        let hidden = topics.iter().filter(|(name, count)| !may_know(name, **count));
        hidden.map(|(name, _)| (*name).to_owned()).collect()
    }
}

impl Gate<'_> {
    /// Tells whether there is no authorizer, so that clients may do everything.
    pub fn is_open(&self) -> bool {
        self.rules.is_none()
    }

    /// Tells whether the sender may do something with a thing.
    pub fn may(&self, operation: AclOperation, resource_type: AclResourceType, name: &str) -> bool {
        self.ask(Action { operation, resource_type, name }, 1, ALWAYS)
    }

    /// Like [`Gate::may`], where a no is nothing out of the ordinary.
    pub fn may_quietly(&self, operation: AclOperation, resource_type: AclResourceType, name: &str) -> bool {
        self.ask(Action { operation, resource_type, name }, 1, IF_ALLOWED)
    }

    /// Checks that the sender may do something with a thing.
    ///
    /// # Errors
    /// The code that says that it may not, of the kind of thing.
    pub fn check(
        &self,
        operation: AclOperation,
        resource_type: AclResourceType,
        name: &str,
    ) -> Result<(), ErrorCode> {
        if self.may(operation, resource_type, name) { Ok(()) } else { Err(refused(resource_type)) }
    }

    /// Checks that the sender may do something with a topic.
    ///
    /// # Errors
    /// It may not: `TOPIC_AUTHORIZATION_FAILED`.
    pub fn check_topic(&self, operation: AclOperation, name: &str) -> Result<(), ErrorCode> {
        self.check(operation, AclResourceType::Topic, name)
    }

    /// Checks that the sender may do something with a group.
    ///
    /// # Errors
    /// It may not: `GROUP_AUTHORIZATION_FAILED`.
    pub fn check_group(&self, operation: AclOperation, group: &str) -> Result<(), ErrorCode> {
        self.check(operation, AclResourceType::Group, group)
    }

    /// Checks that the sender may do something with a transactional id.
    ///
    /// # Errors
    /// It may not: `TRANSACTIONAL_ID_AUTHORIZATION_FAILED`.
    pub fn check_transactional_id(&self, operation: AclOperation, id: &str) -> Result<(), ErrorCode> {
        self.check(operation, AclResourceType::TransactionalId, id)
    }

    /// Tells whether the sender may do something with the cluster.
    pub fn may_cluster(&self, operation: AclOperation) -> bool {
        self.may(operation, AclResourceType::Cluster, CLUSTER_NAME)
    }

    /// Checks that the sender may do something with the cluster.
    ///
    /// # Errors
    /// It may not: `CLUSTER_AUTHORIZATION_FAILED`.
    pub fn check_cluster(&self, operation: AclOperation) -> Result<(), ErrorCode> {
        self.check(operation, AclResourceType::Cluster, CLUSTER_NAME)
    }

    /// Like [`Gate::check_cluster`], with the text that goes beside the code.
    ///
    /// # Errors
    /// It may not.
    pub fn require_cluster(&self, operation: AclOperation) -> Result<(), Refusal> {
        self.check_cluster(operation).map_err(|code| (code, Some(self.needs(operation))))
    }

    /// Checks that there can be access control entries, and that the sender may alter them. Kafka: `AclApis`.
    ///
    /// # Errors
    /// There is no authorizer, or it may not.
    pub fn require_alterable_acls(&self) -> Result<(), Refusal> {
        self.require_cluster(Alter)?;
        match self.is_open() {
            true => Err((ErrorCode::SECURITY_DISABLED, Some("No Authorizer is configured.".to_owned()))),
            false => Ok(()),
        }
    }

    /// Kafka: `AuthHelper.authorizeClusterOperation`.
    fn needs(&self, operation: AclOperation) -> String {
        let RequestContext { listener, principal, peer, .. } = self.context;
        format!(
            "Request Request(session=Session({principal},/{}), listenerName=ListenerName({}), securityProtocol={}) \
             needs {} permission.",
            java_host(peer.ip()),
            listener.name,
            listener.security_protocol.name(),
            operation.name()
        )
    }

    /// Tells with which of these things the sender may do something; each name is asked about once, and none is looked at
    /// if there is no authorizer. Kafka: `AuthHelper.filterByAuthorized`.
    pub fn permitted<'n>(
        &self,
        operation: AclOperation,
        resource_type: AclResourceType,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Permitted {
        self.ask_all(operation, resource_type, names, ALWAYS)
    }

    /// Like [`Gate::permitted`], where a no is nothing out of the ordinary.
    pub fn permitted_quietly<'n>(
        &self,
        operation: AclOperation,
        resource_type: AclResourceType,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Permitted {
        self.ask_all(operation, resource_type, names, IF_ALLOWED)
    }

    /// Tells with which of these topics the sender may do something.
    pub fn permitted_topics<'n>(
        &self,
        operation: AclOperation,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Permitted {
        self.permitted(operation, AclResourceType::Topic, names)
    }

    fn ask_all<'n>(
        &self,
        operation: AclOperation,
        resource_type: AclResourceType,
        names: impl IntoIterator<Item = &'n str>,
        logged: Logged,
    ) -> Permitted {
        if self.rules.is_none() {
            return Permitted::All;
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for name in names {
            *counts.entry(name).or_default() += 1;
        }
        let ask = |(name, count): (&str, usize)| {
            (name.to_owned(), self.ask(Action { operation, resource_type, name }, count, logged))
        };
        Permitted::Names(counts.into_iter().map(ask).collect())
    }

    /// Tells whether there may be a thing of a kind with which the sender may do something.
    /// Kafka: `AuthHelper.authorizeByResourceType`.
    pub fn may_with_some(&self, operation: AclOperation, resource_type: AclResourceType) -> bool {
        if self.ask(StandardAuthorizer::any_name(operation, resource_type), 0, IF_ALLOWED) {
            return true;
        }
        self.rules.as_ref().is_none_or(|rules| {
            let who = Requester { principal: &self.context.principal, host: &rules.host };
            rules.authorizer.is_allowed_with_some(rules.image.acls(), who, operation, resource_type)
        })
    }

    /// Returns what the sender may do with a thing, one bit for each operation.
    /// Kafka: `AuthHelper.authorizedOperations`.
    pub fn operations(&self, resource_type: AclResourceType, name: &str) -> i32 {
        let operations = supported_operations(resource_type).iter();
        let allowed = operations
            .filter(|operation| self.ask(Action { operation: **operation, resource_type, name }, 1, NEVER));
        allowed.map(|operation| 1 << *operation as i32).sum()
    }

    /// Returns what the sender may do with the cluster: nothing unless it may describe it.
    pub fn cluster_operations(&self) -> i32 {
        let may_describe = self.may_cluster(Describe);
        if may_describe { self.operations(AclResourceType::Cluster, CLUSTER_NAME) } else { 0 }
    }

    /// Tells whether the sender may do what only brokers do, such as fetching as a replica.
    pub fn may_act_for_the_cluster(&self) -> bool {
        if self.rules.is_some() { self.may_cluster(ClusterAction) } else { self.context.is_inter_broker() }
    }

    /// Like [`Gate::may_act_for_the_cluster`], where a no is nothing out of the ordinary.
    pub fn may_act_for_the_cluster_quietly(&self) -> bool {
        match &self.rules {
            Some(_) => self.may_quietly(ClusterAction, AclResourceType::Cluster, CLUSTER_NAME),
            None => self.context.is_inter_broker(),
        }
    }

    /// Checks that the sender may do what only brokers do.
    ///
    /// # Errors
    /// It may not: `CLUSTER_AUTHORIZATION_FAILED`.
    pub fn check_cluster_action(&self) -> Result<(), ErrorCode> {
        if self.may_act_for_the_cluster() { Ok(()) } else { Err(ErrorCode::CLUSTER_AUTHORIZATION_FAILED) }
    }

    fn ask(&self, action: Action<'_>, count: usize, logged: Logged) -> bool {
        let Some(rules) = &self.rules else { return true };
        let who = Requester { principal: &self.context.principal, host: &rules.host };
        let verdict = rules.authorizer.authorize(rules.image.acls(), who, action);
        self.audit(&rules.host, action, count, &verdict, logged);
        verdict.is_allowed()
    }

    fn audit(&self, host: &str, action: Action<'_>, count: usize, verdict: &Verdict<'_>, logged: Logged) {
        let Action { operation, resource_type, name } = action;
        let allowed = verdict.is_allowed();
        let line = format_args!(
            "Principal = {} is {} operation = {} from host = {host} on resource = {}:LITERAL:{} for request = {} with \
             resourceRefCount = {count} based on rule {verdict}",
            self.context.principal,
            if allowed { "Allowed" } else { "Denied" },
            operation.name(),
            type_name(resource_type),
            name.escape_debug(),
            self.context.api.name(),
        );
        match (allowed, if allowed { logged.allowed } else { logged.denied }) {
            (_, false) => audit!(trace, "{line}"),
            (true, true) => audit!(debug, "{line}"),
            (false, true) => audit!(info, "{line}"),
        }
    }
}

/// What can be done with a kind of thing. Kafka: `AclEntry.supportedOperations`.
fn supported_operations(kind: AclResourceType) -> &'static [AclOperation] {
    match kind {
        AclResourceType::Topic => {
            &[Read, Write, Create, Describe, Delete, Alter, DescribeConfigs, AlterConfigs]
        }
        AclResourceType::Group => &[Read, Describe, Delete, DescribeConfigs, AlterConfigs],
        AclResourceType::Cluster => {
            &[Create, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite, Alter, Describe]
        }
        _ => &[],
    }
}

fn refused(kind: AclResourceType) -> ErrorCode {
    match kind {
        AclResourceType::Topic => ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        AclResourceType::Group => ErrorCode::GROUP_AUTHORIZATION_FAILED,
        AclResourceType::TransactionalId => ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        AclResourceType::DelegationToken | AclResourceType::User => {
            ErrorCode::DELEGATION_TOKEN_AUTHORIZATION_FAILED
        }
        AclResourceType::Cluster | AclResourceType::Any | AclResourceType::Unknown => {
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED
        }
    }
}

/// The name of a kind in the audit log. Kafka: `SecurityUtils.resourceTypeName`.
fn type_name(kind: AclResourceType) -> &'static str {
    match kind {
        AclResourceType::Topic => "Topic",
        AclResourceType::Group => "Group",
        AclResourceType::Cluster => "Cluster",
        AclResourceType::TransactionalId => "TransactionalId",
        AclResourceType::DelegationToken => "DelegationToken",
        AclResourceType::User => "User",
        AclResourceType::Any => "Any",
        AclResourceType::Unknown => "Unknown",
    }
}

/// Writes an address as Java's `InetAddress.getHostAddress` does: IPv6 in full, without zeros in front.
fn java_host(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => address.segments().map(|segment| format!("{segment:x}")).join(":"),
    }
}

/// Tells whether the asker may ask for delegation tokens at all: who is anybody, or got in by a token, may not.
/// Kafka: `KafkaApis.allowTokenRequests`.
pub fn may_ask_for_tokens(context: &RequestContext) -> bool {
    match context.listener.security_protocol {
        _ if context.token_authenticated => false,
        SecurityProtocol::Plaintext => false,
        SecurityProtocol::Ssl => &*context.principal != "User:ANONYMOUS",
        SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl => true,
    }
}
