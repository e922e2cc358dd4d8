//! Access control entries by id, and by the resource that they are about.
//!
//! Invariants:
//! - both ways of finding an entry always show the same entries
//! - which entries are about a name is found without looking at the others: in the order of names, all prefixes of a
//!   name lie before it, and whatever else lies between them tells how much shorter the next prefix must be
//!
//! Kafka: `AclsImage`, `AclCache`, `StandardAcl`.

use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;
use model::{AclBinding, AclOperation, AclPatternType, AclPermission, AclResourceType, Uuid};
use protocol::{AccessControlEntryRecord, MetadataRecord};

/// All access control entries.
#[derive(Clone, Debug, Default)]
pub struct AclsImage {
    acls: OrdMap<Uuid, Arc<AccessControlEntryRecord>>,
    by_resource: OrdMap<(AclResourceType, AclPatternType), Names>,
}

/// The entries of one kind of resource and pattern, by the pattern's name.
type Names = OrdMap<Arc<str>, AclsOfResource>;

/// The entries about one resource, by their principal.
#[derive(Clone, Debug, Default)]
pub struct AclsOfResource {
    principals: OrdMap<Arc<str>, Arc<Vec<Acl>>>,
}

/// An entry as the authorizer reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    id: Uuid,
    /// The entry itself.
    pub binding: Arc<AclBinding>,
}

impl PartialEq for AclsImage {
    fn eq(&self, other: &Self) -> bool {
        self.acls == other.acls
    }
}

impl AclsOfResource {
    /// The entries about a principal.
    pub fn of_principal(&self, principal: &str) -> &[Acl] {
        self.principals.get(principal).map_or(&[], |acls| acls.as_slice())
    }
}

impl AclsImage {
    /// Every entry, as its record has it.
    pub fn acls(&self) -> impl Iterator<Item = &Arc<AccessControlEntryRecord>> {
        self.acls.values()
    }

    /// Returns how many entries there are.
    pub fn len(&self) -> usize {
        self.acls.len()
    }

    /// Tells whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.acls.is_empty()
    }

    /// Tells whether there is an entry with this id.
    pub fn contains_id(&self, id: Uuid) -> bool {
        self.acls.contains_key(&id)
    }

    /// Tells whether there is an entry that says the same.
    pub fn contains(&self, binding: &AclBinding) -> bool {
        let acls = self.of_pattern(binding.resource_type, binding.pattern_type, &binding.resource_name);
        acls.is_some_and(|acls| {
            acls.of_principal(&binding.principal).iter().any(|acl| *acl.binding == *binding)
        })
    }

    /// The entries about exactly this pattern.
    pub fn of_pattern(
        &self,
        kind: AclResourceType,
        pattern: AclPatternType,
        name: &str,
    ) -> Option<&AclsOfResource> {
        self.by_resource.get(&(kind, pattern))?.get(name)
    }

    /// The entries about prefixes of `name`, the longest prefix first, with the prefix.
    pub fn of_prefixes<'a, 'n>(&'a self, kind: AclResourceType, name: &'n str) -> Prefixes<'a, 'n> {
        let names = self.by_resource.get(&(kind, AclPatternType::Prefixed));
        Prefixes { names, name, upper: Bound::Included(name) }
    }

    /// The entries about all patterns of one type on one kind of resource, with the patterns' names.
    pub fn patterns(
        &self,
        kind: AclResourceType,
        pattern: AclPatternType,
    ) -> impl Iterator<Item = (&str, &AclsOfResource)> {
        let names = self.by_resource.get(&(kind, pattern)).into_iter();
        names.flat_map(|names| names.iter().map(|(name, acls)| (&**name, acls)))
    }

    pub(crate) fn put(&mut self, record: &AccessControlEntryRecord) {
        self.remove(record.id);
        self.acls.insert(record.id, Arc::new(record.clone()));
        let binding = Arc::new(binding(record));
        let names = self.by_resource.entry((binding.resource_type, binding.pattern_type)).or_default();
        let resource = names.entry(record.resource_name.as_str().into()).or_default();
        let acls = resource.principals.entry(record.principal.as_str().into()).or_default();
        Arc::make_mut(acls).push(Acl { id: record.id, binding });
    }

    pub(crate) fn remove(&mut self, id: Uuid) {
        let Some(record) = self.acls.remove(&id) else { return };
        let key =
            (AclResourceType::from_id(record.resource_type), AclPatternType::from_id(record.pattern_type));
        let Some(names) = self.by_resource.get_mut(&key) else { return };
        let Some(resource) = names.get_mut(record.resource_name.as_str()) else { return };
        let Some(acls) = resource.principals.get_mut(record.principal.as_str()) else { return };
        Arc::make_mut(acls).retain(|acl| acl.id != id);
        if acls.is_empty() {
            resource.principals.remove(record.principal.as_str());
        }
        if resource.principals.is_empty() {
            names.remove(record.resource_name.as_str());
        }
    }

    pub(crate) fn to_records(&self, records: &mut Vec<MetadataRecord>) {
        records.extend(
            self.acls.values().map(|acl| MetadataRecord::AccessControlEntryRecord(acl.as_ref().clone())),
        );
    }
}

/// Goes from the longest prefix of a name for which there are entries to the shortest.
#[derive(Clone, Debug)]
pub struct Prefixes<'a, 'n> {
    names: Option<&'a Names>,
    name: &'n str,
    upper: Bound<&'n str>,
}

impl<'a> Iterator for Prefixes<'a, '_> {
    type Item = (&'a str, &'a AclsOfResource);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (found, acls) = self.names?.range::<_, str>((Bound::Unbounded, self.upper)).next_back()?;
            let common = common_prefix(self.name, found);
            if common == found.len() {
                self.upper = Bound::Excluded(&self.name[..common]);
                return Some((found, acls));
            }
            self.upper = Bound::Included(&self.name[..common]);
        }
    }
}

/// Returns how many bytes two texts share at their beginnings, in whole characters.
fn common_prefix(left: &str, right: &str) -> usize {
    let same = left.chars().zip(right.chars()).take_while(|(left, right)| left == right);
    same.map(|(character, _)| character.len_utf8()).sum()
}

/// Reads an entry's record. What a newer version wrote and we do not know is `Unknown`, and matches nothing.
pub fn binding(record: &AccessControlEntryRecord) -> AclBinding {
    AclBinding {
        resource_type: AclResourceType::from_id(record.resource_type),
        resource_name: record.resource_name.clone(),
        pattern_type: AclPatternType::from_id(record.pattern_type),
        principal: record.principal.clone(),
        host: record.host.clone(),
        operation: AclOperation::from_id(record.operation),
        permission: AclPermission::from_id(record.permission_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: u8, name: &str, pattern: AclPatternType) -> AccessControlEntryRecord {
        AccessControlEntryRecord {
            id: Uuid::from_u128(u128::from(id)),
            resource_type: AclResourceType::Topic as i8,
            resource_name: name.to_owned(),
            pattern_type: pattern as i8,
            principal: "User:alice".to_owned(),
            host: "*".to_owned(),
            operation: AclOperation::Read as i8,
            permission_type: AclPermission::Allow as i8,
            ..Default::default()
        }
    }

    fn image(prefixes: &[&str]) -> AclsImage {
        let mut image = AclsImage::default();
        for (id, name) in (0..).zip(prefixes) {
            image.put(&record(id, name, AclPatternType::Prefixed));
        }
        image
    }

    fn prefixes<'a>(image: &'a AclsImage, name: &str) -> Vec<&'a str> {
        image.of_prefixes(AclResourceType::Topic, name).map(|(prefix, _)| prefix).collect()
    }

    #[test]
    fn prefixes_are_found_from_the_longest_to_the_shortest() {
        let image = image(&["gar", "foobar", "foob", "foo", "fb", "fa", "f", "eeee", "fooz", "fooba"]);
        assert_eq!(prefixes(&image, "foobar"), ["foobar", "fooba", "foob", "foo", "f"]);
        assert_eq!(prefixes(&image, "foobaz"), ["fooba", "foob", "foo", "f"]);
        assert_eq!(prefixes(&image, "fz"), ["f"]);
        assert_eq!(prefixes(&image, "e"), [""; 0]);
        assert_eq!(prefixes(&image, ""), [""; 0]);
        assert_eq!(image.of_prefixes(AclResourceType::Group, "foo").count(), 0);
    }

    #[test]
    fn prefixes_end_between_characters() {
        let image = image(&["é", "è", "éa"]);
        assert_eq!(prefixes(&image, "éb"), ["é"]);
        assert_eq!(prefixes(&image, "ê"), [""; 0]);
    }

    #[test]
    fn what_was_removed_is_found_no_more() {
        let mut image = image(&["foo"]);
        let literal = record(7, "foo", AclPatternType::Literal);
        image.put(&literal);
        assert!(image.contains(&binding(&literal)));
        image.remove(literal.id);
        image.remove(literal.id);
        assert!(!image.contains(&binding(&literal)) && !image.contains_id(literal.id));
        let kind = AclResourceType::Topic;
        assert!(image.of_pattern(kind, AclPatternType::Literal, "foo").is_none());
        assert_eq!((prefixes(&image, "foo"), image.len()), (vec!["foo"], 1));
    }
}
