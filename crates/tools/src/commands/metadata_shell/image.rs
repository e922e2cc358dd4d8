//! The metadata as a tree, in the texts of Kafka's classes. Kafka: `MetadataImageNode` and the nodes below it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use metadata::{
    BrokerRegistration, ClientQuotaEntity, ConfigResource, ControllerRegistration, Endpoint,
    LeaderRecoveryState, MetadataImage, PartitionRegistration, ScramCredential, ScramMechanism, TopicImage,
    VersionRange,
};
use protocol::{AccessControlEntryRecord, DelegationTokenRecord};

use super::node::{Children, Node};
use crate::datetime::format_time;

pub(super) fn children(image: &MetadataImage) -> Children<'_> {
    let at = image.provenance();
    let time = format_time(at.last_contained_timestamp.0, "yyyy-MM-ddTHH:mm:ss");
    let millis = at.last_contained_timestamp.0.rem_euclid(1000);
    let fraction =
        if millis == 0 { String::new() } else { format!(".{millis:03}").trim_end_matches('0').to_owned() };
    let provenance = format!(
        "offset {}, epoch {}, time {time}{fraction}Z[UTC]",
        at.last_contained_offset, at.last_contained_epoch
    );
    let parts: [(&str, Node<'_>); 10] = [
        ("acls", one("byId", move || acls(image))),
        ("clientQuotas", Node::directory(move || client_quotas(image))),
        ("cluster", Node::directory(move || cluster(image))),
        ("configs", Node::directory(move || configs(image))),
        ("delegationToken", Node::directory(move || tokens(image))),
        ("features", Node::directory(move || features(image))),
        ("producerIds", Node::directory(move || producer_ids(image))),
        ("provenance", Node::file(provenance)),
        ("scram", Node::directory(move || scram(image))),
        ("topics", Node::directory(move || topics(image))),
    ];
    named(parts)
}

fn named<'a, N: Into<String>>(nodes: impl IntoIterator<Item = (N, Node<'a>)>) -> Children<'a> {
    nodes.into_iter().map(|(name, node)| (name.into(), node)).collect()
}

/// A directory with one directory in it.
fn one<'a>(name: &'static str, children: impl Fn() -> Children<'a> + Copy + 'a) -> Node<'a> {
    Node::directory(move || named([(name, Node::directory(children))]))
}

/// `[a, b]`.
fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<_> = items.into_iter().map(|item| item.to_string()).collect();
    format!("[{}]", items.join(", "))
}

fn acls(image: &MetadataImage) -> Children<'_> {
    named(image.acls().acls().map(|acl| (acl.id.to_string(), Node::file(acl_text(acl)))))
}

fn acl_text(acl: &AccessControlEntryRecord) -> String {
    use client::admin::{AclOperation, AclPatternType, AclPermission, AclResourceType};
    format!(
        "StandardAcl[resourceType={}, resourceName={}, patternType={}, principal={}, host={}, operation={}, \
         permissionType={}]",
        AclResourceType::from_id(acl.resource_type).name(),
        acl.resource_name,
        AclPatternType::from_id(acl.pattern_type).name(),
        acl.principal,
        acl.host,
        AclOperation::from_id(acl.operation).name(),
        AclPermission::from_id(acl.permission_type).name()
    )
}

fn client_quotas(image: &MetadataImage) -> Children<'_> {
    let quotas = |quotas: &BTreeMap<String, f64>| {
        named(quotas.iter().map(|(key, value)| (key.clone(), Node::file(format!("{value:?}")))))
    };
    let entity = move |(entity, found): (&_, &'_ Arc<BTreeMap<String, f64>>)| {
        let found = Arc::clone(found);
        (entity_text(entity), Node::directory(move || quotas(&found)))
    };
    named(image.client_quotas().entities().map(entity))
}

/// `clientId(a)_user(b)`; the default entity of a kind is not named. Kafka: `clientQuotaEntityToString`.
fn entity_text(entity: &ClientQuotaEntity) -> String {
    let escape = |text: &str| text.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)");
    let kinds = [("client-id", "clientId"), ("ip", "ip"), ("user", "user")];
    let parts: Vec<_> = kinds
        .iter()
        .filter_map(|(kind, shown)| {
            let name = entity.get(*kind)?.as_deref()?;
            Some(format!("{shown}({})", escape(name)))
        })
        .collect();
    parts.join("_")
}

fn cluster(image: &MetadataImage) -> Children<'_> {
    let brokers = move || {
        let brokers = image.cluster().brokers();
        named(brokers.map(|broker| (broker.id.to_string(), Node::file(broker_text(broker)))))
    };
    let controllers = move || {
        let controllers = image.cluster().controllers();
        named(controllers.map(|one| (one.id.to_string(), Node::file(controller_text(one)))))
    };
    named([("brokers", Node::directory(brokers)), ("controllers", Node::directory(controllers))])
}

fn listeners_text(listeners: &BTreeMap<String, Endpoint>) -> String {
    const PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];
    list(listeners.iter().map(|(name, endpoint)| {
        let protocol = usize::try_from(endpoint.security_protocol).ok().and_then(|id| PROTOCOLS.get(id));
        let (protocol, host, port) = (protocol.unwrap_or(&"UNKNOWN"), &endpoint.host, endpoint.port);
        format!("Endpoint(listenerName='{name}', securityProtocol={protocol}, host='{host}', port={port})")
    }))
}

fn supported_text(features: &BTreeMap<String, VersionRange>) -> String {
    let ranges: Vec<_> =
        features.iter().map(|(name, range)| format!("{name}: {}-{}", range.min, range.max)).collect();
    format!("{{{}}}", ranges.join(", "))
}

fn broker_text(broker: &BrokerRegistration) -> String {
    let rack =
        broker.rack.as_ref().map_or_else(|| "Optional.empty".into(), |rack| format!("Optional[{rack}]"));
    format!(
        "BrokerRegistration(id={}, epoch={}, incarnationId={}, listeners={}, supportedFeatures={}, rack={rack}, \
         fenced={}, inControlledShutdown={}, isMigratingZkBroker={}, directories={}, cordonedDirectories={})",
        broker.id,
        broker.epoch,
        broker.incarnation_id,
        listeners_text(&broker.listeners),
        supported_text(&broker.supported_features),
        broker.fenced,
        broker.in_controlled_shutdown,
        broker.is_migrating_zk_broker,
        list(&broker.directories),
        list(broker.cordoned_directories.iter().flatten())
    )
}

fn controller_text(controller: &ControllerRegistration) -> String {
    format!(
        "ControllerRegistration(id={}, incarnationId={}, zkMigrationReady={}, listeners={}, supportedFeatures={})",
        controller.id,
        controller.incarnation_id,
        controller.zk_migration_ready,
        listeners_text(&controller.listeners),
        supported_text(&controller.supported_features)
    )
}

fn configs(image: &MetadataImage) -> Children<'_> {
    let resource = |(resource, values): (&ConfigResource, &Arc<BTreeMap<String, String>>)| {
        let kind = resource.resource_type.name();
        let name =
            if resource.name.is_empty() { kind.to_owned() } else { format!("{kind}:{}", resource.name) };
        let values = Arc::clone(values);
        let children = move || named(values.iter().map(|(key, value)| (key.clone(), Node::file(value))));
        (name, Node::directory(children))
    };
    named(image.configs().resources().map(resource))
}

fn tokens(image: &MetadataImage) -> Children<'_> {
    named(
        image
            .delegation_tokens()
            .tokens()
            .map(|token| (token.token_id.clone(), Node::file(token_text(token)))),
    )
}

fn token_text(token: &DelegationTokenRecord) -> String {
    format!(
        "DelegationTokenDatatokenId={}(owner={}(tokenRequester={}(renewers={}, issueTimestamp={}, maxTimestamp={}), \
         expiryTimestamp={}",
        token.token_id,
        token.owner,
        token.requester,
        list(&token.renewers),
        token.issue_timestamp,
        token.max_timestamp,
        token.expiration_timestamp
    )
}

fn features(image: &MetadataImage) -> Children<'_> {
    let version = image.features().finalized_metadata_version();
    let version =
        version.map_or_else(|| "Optional.empty".to_owned(), |version| format!("Optional[{version}]"));
    let others = image.features().finalized().filter(|(name, _)| !is_shown_elsewhere(name));
    let mut children = named(others.map(|(name, level)| (format!("finalized_{name}"), Node::file(level))));
    children.insert("metadataVersion".to_owned(), Node::file(version));
    children
}

/// The levels that are no records of features: the metadata's own version, and that of the quorum.
fn is_shown_elsewhere(feature: &str) -> bool {
    matches!(feature, "metadata.version" | "kraft.version")
}

fn producer_ids(image: &MetadataImage) -> Children<'_> {
    let next = image.producer_ids().next_producer_id().map_or(-1, |id| id.0);
    named([("nextProducerId", Node::file(next))])
}

fn scram(image: &MetadataImage) -> Children<'_> {
    let users = move |mechanism: ScramMechanism| {
        Node::directory(move || {
            let of = image.scram().credentials().filter(move |(kind, ..)| *kind == mechanism);
            named(of.map(|(_, user, credential)| (user, Node::file(credential_text(credential)))))
        })
    };
    named([
        ("SCRAM-SHA-256", users(ScramMechanism::Sha256)),
        ("SCRAM-SHA-512", users(ScramMechanism::Sha512)),
    ])
}

fn credential_text(credential: &ScramCredential) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!(
        "ScramCredentialData(salt={}, storedKey={}, serverKey={}, iterations={})",
        hex(&credential.salt),
        hex(&credential.stored_key),
        hex(&credential.server_key),
        credential.iterations
    )
}

fn topics(image: &MetadataImage) -> Children<'_> {
    let by = move |name: fn(&TopicImage) -> String| {
        Node::directory(move || named(image.topics().iter().map(|topic| (name(topic), topic_node(topic)))))
    };
    named([("byId", by(|topic| topic.id().to_string())), ("byName", by(|topic| topic.name().to_string()))])
}

fn topic_node(topic: &TopicImage) -> Node<'_> {
    Node::directory(move || {
        let partitions =
            topic.partitions().map(|(index, one)| (index.to_string(), Node::file(partition_text(one))));
        let mut children = named(partitions);
        children.insert("id".to_owned(), Node::file(topic.id()));
        children.insert("name".to_owned(), Node::file(topic.name()));
        children
    })
}

fn partition_text(partition: &PartitionRegistration) -> String {
    let recovery = match partition.leader_recovery_state {
        LeaderRecoveryState::Recovered => "RECOVERED",
        LeaderRecoveryState::Recovering => "RECOVERING",
    };
    format!(
        "PartitionRegistration(replicas={}, directories={}, isr={}, removingReplicas={}, addingReplicas={}, elr={}, \
         lastKnownElr={}, leader={}, leaderRecoveryState={recovery}, leaderEpoch={}, partitionEpoch={})",
        list(&partition.replicas),
        list(&partition.directories),
        list(&partition.isr),
        list(&partition.removing_replicas),
        list(&partition.adding_replicas),
        list(&partition.elr),
        list(&partition.last_known_elr),
        partition.leader,
        partition.leader_epoch,
        partition.partition_epoch
    )
}
