//! Decides who may do what by access control entries.
//!
//! Invariants:
//! - an entry that denies wins over all that allow
//! - the entries of other resources and other principals are not looked at, however many there are
//! - what is not known to the reader of an entry matches nothing
//!
//! Kafka: `StandardAuthorizer`, `StandardAuthorizerData`.

use std::collections::BTreeSet;
use std::fmt;

use metadata::{Acl, AclsImage, AclsOfResource};
use model::acl::WILDCARD;
use model::{AclBinding, AclOperation, AclPatternType, AclPermission, AclResourceType};

use crate::{ParsePrincipalError, Principal};

/// Whom entries are about when they are about everybody.
const EVERYBODY: &str = "User:*";
/// A topic that stands for none in particular. Kafka: `Authorizer.authorizeByResourceType`.
const ANY_NAME: &str = "hardcode";

/// The rules that stand in the configuration.
#[derive(Clone, Debug, Default)]
pub struct StandardAuthorizer {
    super_users: BTreeSet<String>,
    allows_without_acls: bool,
}

/// Who asks, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Requester<'a> {
    /// The principal, `User:alice`.
    pub principal: &'a str,
    /// The client's address as Java writes it: IPv6 in full, without zeros in front.
    pub host: &'a str,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Action<'a> {
    /// What is to be done.
    pub operation: AclOperation,
    /// With what kind of thing.
    pub resource_type: AclResourceType,
    /// The thing's name.
    pub name: &'a str,
}

/// What was decided, and by which rule, which `Display` names as Kafka's audit log does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// Super users may do everything.
    SuperUser,
    /// There was an entry.
    Acl(&'a AclBinding),
    /// No entry matched; whether that means that it is allowed.
    Default(bool),
}

impl Verdict<'_> {
    /// Tells whether the action is allowed.
    pub fn is_allowed(&self) -> bool {
        match self {
            Self::SuperUser => true,
            Self::Acl(acl) => acl.permission == AclPermission::Allow,
            Self::Default(allowed) => *allowed,
        }
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SuperUser => f.write_str("SuperUser"),
            Self::Default(true) => f.write_str("DefaultAllow"),
            Self::Default(false) => f.write_str("DefaultDeny"),
            Self::Acl(acl) => write!(
                f,
                "MatchingAcl(acl=StandardAcl(resourceType={}, resourceName={}, patternType={}, principal={}, host={}, \
                 operation={}, permissionType={}))",
                acl.resource_type.name(),
                acl.resource_name,
                acl.pattern_type.name(),
                acl.principal,
                acl.host,
                acl.operation.name(),
                acl.permission.name()
            ),
        }
    }
}

impl StandardAuthorizer {
    /// The class that `authorizer.class.name` names.
    pub const CLASS_NAME: &str = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";

    /// Makes an authorizer of `super.users`, principals divided by semicolons, and
    /// `allow.everyone.if.no.acl.found`.
    ///
    /// # Errors
    /// A super user is no principal.
    pub fn new(super_users: &str, allows_without_acls: bool) -> Result<Self, ParsePrincipalError> {
        let mut users = BTreeSet::new();
        for user in super_users.split(';').map(str::trim).filter(|user| !user.is_empty()) {
            user.parse::<Principal>()?;
            users.insert(user.to_owned());
        }
        Ok(Self { super_users: users, allows_without_acls })
    }

    /// Decides on an action.
    pub fn authorize<'a>(&self, acls: &'a AclsImage, who: Requester<'_>, action: Action<'_>) -> Verdict<'a> {
        if self.super_users.contains(who.principal) {
            return Verdict::SuperUser;
        }
        let mut search = Search { who, operation: action.operation, found: false, allowed: None };
        match search.run(acls, action) {
            Some(denied) => Verdict::Acl(denied),
            None => match search.allowed {
                Some(allowed) => Verdict::Acl(allowed),
                None => Verdict::Default(!search.found && self.allows_without_acls),
            },
        }
    }

    /// Tells whether there may be a thing of a kind with which the operation is allowed. Only entries that name the
    /// operation itself count, not those that imply it. Kafka: `Authorizer.authorizeByResourceType`, which first asks
    /// for a name of no meaning; so must the caller, by [`StandardAuthorizer::any_name`].
    pub fn is_allowed_with_some(
        &self,
        acls: &AclsImage,
        who: Requester<'_>,
        operation: AclOperation,
        kind: AclResourceType,
    ) -> bool {
        let has = |resource: Option<&AclsOfResource>, permission| {
            let of = |principal| resource.map_or(&[][..], |resource| resource.of_principal(principal));
            let mut acls = [who.principal, EVERYBODY].into_iter().flat_map(of);
            acls.any(|acl| {
                acl.binding.permission == permission
                    && is_from(&acl.binding, who.host)
                    && [AclOperation::All, operation].contains(&acl.binding.operation)
            })
        };
        let literal = |name| acls.of_pattern(kind, AclPatternType::Literal, name);
        if has(literal(WILDCARD), AclPermission::Deny) {
            return false;
        }
        if has(literal(WILDCARD), AclPermission::Allow) {
            return true;
        }
        [AclPatternType::Literal, AclPatternType::Prefixed].into_iter().any(|pattern| {
            acls.patterns(kind, pattern).any(|(name, resource)| {
                let is_denied = |resource| has(Some(resource), AclPermission::Deny);
                has(Some(resource), AclPermission::Allow)
                    && !(pattern == AclPatternType::Literal && is_denied(resource))
                    && !acls.of_prefixes(kind, name).any(|(_, prefix)| is_denied(prefix))
            })
        })
    }

    /// The action by which [`StandardAuthorizer::is_allowed_with_some`] is preceded: who may do it need not be
    /// asked about.
    pub fn any_name(operation: AclOperation, resource_type: AclResourceType) -> Action<'static> {
        Action { operation, resource_type, name: ANY_NAME }
    }
}

/// What was found on the way through the entries about one name.
struct Search<'a, 'w> {
    who: Requester<'w>,
    operation: AclOperation,
    /// Whether there was any entry about the name.
    found: bool,
    allowed: Option<&'a AclBinding>,
}

impl<'a> Search<'a, '_> {
    /// Looks at the entries about the name itself, its prefixes, and all names; ends with the first that denies.
    fn run(&mut self, acls: &'a AclsImage, action: Action<'_>) -> Option<&'a AclBinding> {
        let Action { resource_type, name, .. } = action;
        let literal = |name| acls.of_pattern(resource_type, AclPatternType::Literal, name);
        let own = literal(name).into_iter();
        let prefixes = acls.of_prefixes(resource_type, name).map(|(_, resource)| resource);
        own.chain(prefixes).chain(literal(WILDCARD)).find_map(|resource| self.look_at(resource))
    }

    /// Of several entries that deny the first is named, of several that allow the last.
    fn look_at(&mut self, resource: &'a AclsOfResource) -> Option<&'a AclBinding> {
        self.found = true;
        let mut denied: Option<&'a AclBinding> = None;
        let mut allowed: Option<&'a AclBinding> = None;
        for principal in [self.who.principal, EVERYBODY] {
            for acl in resource.of_principal(principal).iter().filter(|acl| self.applies(acl)) {
                let acl: &'a AclBinding = &acl.binding;
                if acl.permission == AclPermission::Allow {
                    allowed = Some(
                        allowed.map_or(acl, |other| if order(acl) > order(other) { acl } else { other }),
                    );
                } else {
                    denied =
                        Some(denied.map_or(acl, |other| if order(acl) < order(other) { acl } else { other }));
                }
            }
        }
        self.allowed = allowed.or(self.allowed);
        denied
    }

    fn applies(&self, acl: &Acl) -> bool {
        let acl = &acl.binding;
        let operation = match acl.permission {
            AclPermission::Allow => implies(acl.operation, self.operation),
            AclPermission::Deny => acl.operation == self.operation,
            AclPermission::Any | AclPermission::Unknown => return false,
        };
        is_from(acl, self.who.host) && (operation || acl.operation == AclOperation::All)
    }
}

fn is_from(acl: &AclBinding, host: &str) -> bool {
    acl.host == WILDCARD || acl.host == host
}

/// The order of entries about one pattern. Kafka: `StandardAcl.compareTo`.
fn order(acl: &AclBinding) -> (AclOperation, &str, &str, AclPermission) {
    (acl.operation, &acl.principal, &acl.host, acl.permission)
}

/// Tells whether an entry that allows one operation allows another.
fn implies(allowed: AclOperation, wanted: AclOperation) -> bool {
    use AclOperation::*;
    match wanted {
        Describe => matches!(allowed, Describe | Read | Write | Delete | Alter),
        DescribeConfigs => matches!(allowed, DescribeConfigs | AlterConfigs),
        _ => allowed == wanted,
    }
}

#[cfg(test)]
mod tests;
