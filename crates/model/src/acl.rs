//! Access control entries as words: what is guarded, what is done, and which entries a filter means.
//!
//! Kafka: `AclBinding`, `AclBindingFilter`, `ResourcePatternFilter`.

/// An enum whose values have a number on the wire and a name.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $number:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            /// Of a kind that we do not know.
            Unknown = 0,
            $($(#[$value_doc])* $value = $number,)*
        }

        impl $name {
            /// The value with this number on the wire.
            pub fn from_id(id: i8) -> Self {
                match id {
                    $($number => Self::$value,)*
                    _ => Self::Unknown,
                }
            }

            /// Kafka's name of the value.
            pub fn name(self) -> &'static str {
                match self {
                    Self::Unknown => "UNKNOWN",
                    $(Self::$value => $text,)*
                }
            }
        }
    };
}

numbered! {
    /// What is guarded. Kafka: `ResourceType`.
    AclResourceType {
        /// In filters: whatever.
        Any = 1 "ANY",
        /// A topic.
        Topic = 2 "TOPIC",
        /// A group.
        Group = 3 "GROUP",
        /// The cluster, whose name is `kafka-cluster`.
        Cluster = 4 "CLUSTER",
        /// A transactional id.
        TransactionalId = 5 "TRANSACTIONAL_ID",
        /// A delegation token.
        DelegationToken = 6 "DELEGATION_TOKEN",
        /// A user, as whom others may make tokens.
        User = 7 "USER",
    }
}

numbered! {
    /// How names are compared. Kafka: `PatternType`.
    AclPatternType {
        /// In filters: whatever.
        Any = 1 "ANY",
        /// In filters: all that apply to the name.
        Match = 2 "MATCH",
        /// The name itself; `*` is every name.
        Literal = 3 "LITERAL",
        /// Names that begin so.
        Prefixed = 4 "PREFIXED",
    }
}

numbered! {
    /// What is done. Kafka: `AclOperation`.
    AclOperation {
        /// In filters: whatever.
        Any = 1 "ANY",
        /// Everything.
        All = 2 "ALL",
        /// Read.
        Read = 3 "READ",
        /// Write.
        Write = 4 "WRITE",
        /// Create.
        Create = 5 "CREATE",
        /// Delete.
        Delete = 6 "DELETE",
        /// Alter.
        Alter = 7 "ALTER",
        /// Describe.
        Describe = 8 "DESCRIBE",
        /// What brokers do among themselves.
        ClusterAction = 9 "CLUSTER_ACTION",
        /// Describe configurations.
        DescribeConfigs = 10 "DESCRIBE_CONFIGS",
        /// Alter configurations.
        AlterConfigs = 11 "ALTER_CONFIGS",
        /// Write idempotently.
        IdempotentWrite = 12 "IDEMPOTENT_WRITE",
        /// Make delegation tokens.
        CreateTokens = 13 "CREATE_TOKENS",
        /// Describe delegation tokens.
        DescribeTokens = 14 "DESCRIBE_TOKENS",
        /// Take part in two-phase commits.
        TwoPhaseCommit = 15 "TWO_PHASE_COMMIT",
    }
}

numbered! {
    /// Whether it may be done. Kafka: `AclPermissionType`.
    AclPermission {
        /// In filters: whatever.
        Any = 1 "ANY",
        /// It may not.
        Deny = 2 "DENY",
        /// It may.
        Allow = 3 "ALLOW",
    }
}

/// A rule: who may or may not do what, from where, with what. Kafka: `AclBinding`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AclBinding {
    /// What is guarded.
    pub resource_type: AclResourceType,
    /// Its name.
    pub resource_name: String,
    /// How names are compared.
    pub pattern_type: AclPatternType,
    /// Who: `User:alice`.
    pub principal: String,
    /// From where; `*` is everywhere.
    pub host: String,
    /// What is done.
    pub operation: AclOperation,
    /// Whether it may be.
    pub permission: AclPermission,
}

/// Which rules are meant; `None` and `Any` let everything pass. Kafka: `AclBindingFilter`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AclBindingFilter {
    /// What is guarded.
    pub resource_type: AclResourceType,
    /// Its name.
    pub resource_name: Option<String>,
    /// How names are compared.
    pub pattern_type: AclPatternType,
    /// Who.
    pub principal: Option<String>,
    /// From where.
    pub host: Option<String>,
    /// What is done.
    pub operation: AclOperation,
    /// Whether it may be.
    pub permission: AclPermission,
}

impl AclBindingFilter {
    /// Every rule about the resources that are meant.
    pub fn of_resource(kind: AclResourceType, name: Option<String>, pattern: AclPatternType) -> Self {
        Self {
            resource_type: kind,
            resource_name: name,
            pattern_type: pattern,
            principal: None,
            host: None,
            operation: AclOperation::Any,
            permission: AclPermission::Any,
        }
    }
}

impl From<&AclBinding> for AclBindingFilter {
    /// This very rule.
    fn from(rule: &AclBinding) -> Self {
        Self {
            resource_type: rule.resource_type,
            resource_name: Some(rule.resource_name.clone()),
            pattern_type: rule.pattern_type,
            principal: Some(rule.principal.clone()),
            host: Some(rule.host.clone()),
            operation: rule.operation,
            permission: rule.permission,
        }
    }
}

/// The name of a resource that is every resource. Kafka: `ResourcePattern.WILDCARD_RESOURCE`.
pub const WILDCARD: &str = "*";

impl AclBindingFilter {
    /// Tells whether `entry` is meant.
    pub fn matches(&self, entry: &AclBinding) -> bool {
        let is = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|wanted| wanted == name);
        self.matches_resource(entry)
            && is(&self.principal, &entry.principal)
            && is(&self.host, &entry.host)
            && (self.operation == AclOperation::Any || self.operation == entry.operation)
            && (self.permission == AclPermission::Any || self.permission == entry.permission)
    }

    fn matches_resource(&self, entry: &AclBinding) -> bool {
        if self.resource_type != AclResourceType::Any && self.resource_type != entry.resource_type {
            return false;
        }
        let (name, is_match) = (self.resource_name.as_deref(), self.pattern_type == AclPatternType::Match);
        if self.pattern_type != AclPatternType::Any && !is_match && self.pattern_type != entry.pattern_type {
            return false;
        }
        match (name, entry.pattern_type) {
            (None, _) => true,
            (Some(name), AclPatternType::Prefixed) if is_match => name.starts_with(&entry.resource_name),
            (Some(name), _) => name == entry.resource_name || is_match && entry.resource_name == WILDCARD,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(name: &str, pattern_type: AclPatternType) -> AclBinding {
        AclBinding {
            resource_type: AclResourceType::Topic,
            resource_name: name.to_owned(),
            pattern_type,
            principal: "User:alice".to_owned(),
            host: WILDCARD.to_owned(),
            operation: AclOperation::Read,
            permission: AclPermission::Allow,
        }
    }

    fn meant(name: Option<&str>, pattern: AclPatternType) -> Vec<&'static str> {
        let filter = AclBindingFilter::of_resource(AclResourceType::Any, name.map(str::to_owned), pattern);
        let entries = [
            ("foo", AclPatternType::Literal),
            ("foo", AclPatternType::Prefixed),
            ("f", AclPatternType::Prefixed),
            ("*", AclPatternType::Literal),
            ("bar", AclPatternType::Literal),
        ];
        let labels = ["foo", "foo…", "f…", "*", "bar"];
        let matching = |(at, (name, pattern)): (usize, &(&str, AclPatternType))| {
            filter.matches(&on(name, *pattern)).then_some(labels[at])
        };
        entries.iter().enumerate().filter_map(matching).collect()
    }

    #[test]
    fn a_filter_means_what_it_names_or_all_that_applies_to_it() {
        assert_eq!(meant(Some("foo"), AclPatternType::Literal), ["foo"]);
        assert_eq!(meant(Some("foo"), AclPatternType::Prefixed), ["foo…"]);
        assert_eq!(meant(Some("foo"), AclPatternType::Any), ["foo", "foo…"]);
        assert_eq!(meant(Some("foo"), AclPatternType::Match), ["foo", "foo…", "f…", "*"]);
        assert_eq!(meant(None, AclPatternType::Prefixed), ["foo…", "f…"]);
        assert_eq!(meant(None, AclPatternType::Match).len(), 5);
    }

    #[test]
    fn a_filter_compares_who_where_and_what() {
        let entry = on("foo", AclPatternType::Literal);
        let exact = AclBindingFilter::from(&entry);
        assert!(exact.matches(&entry));
        assert!(!exact.matches(&AclBinding { principal: "User:bob".to_owned(), ..entry.clone() }));
        assert!(!exact.matches(&AclBinding { host: "10.0.0.1".to_owned(), ..entry.clone() }));
        assert!(!exact.matches(&AclBinding { operation: AclOperation::Write, ..entry.clone() }));
        assert!(!exact.matches(&AclBinding { permission: AclPermission::Deny, ..entry }));
    }
}
