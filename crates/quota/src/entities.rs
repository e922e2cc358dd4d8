//! Whom a quota is for: users, client ids, both together, and the defaults of each.
//!
//! Which entity a client's traffic is counted for depends on which kinds of entity have quotas at all, as in Kafka:
//! with client-id quotas alone, all users of a client id share its rate.
//!
//! Kafka: `ClientQuotaManager.DefaultQuotaCallback`.

use std::collections::BTreeMap;

use metadata::{ClientQuotaEntity, ClientQuotasImage};

const USER: &str = "user";
const CLIENT_ID: &str = "client-id";

/// What a quota bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaKind {
    /// Bytes a second of Produce requests.
    Produce,
    /// Bytes a second of Fetch responses.
    Fetch,
    /// Time of the threads that serve, in percent of one thread.
    Request,
    /// Partitions created or deleted in a second.
    ControllerMutation,
}

impl QuotaKind {
    /// The key in quota records.
    pub fn key(self) -> &'static str {
        match self {
            Self::Produce => "producer_byte_rate",
            Self::Fetch => "consumer_byte_rate",
            Self::Request => "request_percentage",
            Self::ControllerMutation => "controller_mutation_rate",
        }
    }

    /// The name in metrics. Kafka: `QuotaType`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Produce => "Produce",
            Self::Fetch => "Fetch",
            Self::Request => "Request",
            Self::ControllerMutation => "ControllerMutation",
        }
    }
}

/// Whose traffic is counted together; an empty part does not matter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tags {
    /// The user.
    pub user: String,
    /// The client id.
    pub client_id: String,
}

/// A user or client id of an entity: none if the entity has no such part, and none inside for the default.
type Part<'a> = Option<Option<&'a str>>;

/// The parts of an entity, user first, as they are kept.
type Entity = (Option<Option<String>>, Option<Option<String>>);

/// The quotas of one kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QuotaTable {
    bounds: BTreeMap<Entity, f64>,
    has_user: bool,
    has_client_id: bool,
    has_both: bool,
}

impl QuotaTable {
    /// Reads the quotas of `kind` out of the metadata.
    pub fn new(image: &ClientQuotasImage, kind: QuotaKind) -> Self {
        let mut table = Self::default();
        for (entity, quotas) in image.entities() {
            if let Some(bound) = quotas.get(kind.key()) {
                table.add(entity, *bound);
            }
        }
        table
    }

    fn add(&mut self, entity: &ClientQuotaEntity, bound: f64) {
        let (user, client_id) = (entity.get(USER).cloned(), entity.get(CLIENT_ID).cloned());
        match (&user, &client_id) {
            (Some(_), Some(_)) => self.has_both = true,
            (Some(_), None) => self.has_user = true,
            (None, Some(_)) => self.has_client_id = true,
            (None, None) => return,
        }
        self.bounds.insert((user, client_id), bound);
    }

    /// Tells whether there are no quotas of this kind.
    pub fn is_empty(&self) -> bool {
        self.bounds.is_empty()
    }

    fn find(&self, user: Part<'_>, client_id: Part<'_>) -> Option<f64> {
        let owned = |part: Part<'_>| part.map(|name| name.map(str::to_owned));
        self.bounds.get(&(owned(user), owned(client_id))).copied()
    }

    /// Tells for whom the traffic of a client is counted.
    pub fn tags(&self, user: &str, client_id: &str) -> Tags {
        let tags =
            |user: &str, client_id: &str| Tags { user: user.to_owned(), client_id: client_id.to_owned() };
        match (self.has_user, self.has_client_id, self.has_both) {
            (false, _, false) => tags("", client_id),
            (true, false, false) => tags(user, ""),
            (false, false, true) => tags(user, client_id),
            _ => {
                let (known, default) = (Some(Some(user)), Some(None));
                let id = Some(Some(client_id));
                let has = |user, client_id| self.find(user, client_id).is_some();
                if has(known, id) || has(known, default) {
                    tags(user, client_id)
                } else if has(known, None) {
                    tags(user, "")
                } else if has(default, id) || has(default, default) {
                    tags(user, client_id)
                } else if has(default, None) {
                    tags(user, "")
                } else {
                    tags("", client_id)
                }
            }
        }
    }

    /// Returns the bound of what is counted under `tags`, if there is one.
    pub fn bound(&self, tags: &Tags) -> Option<f64> {
        let (user, id) = (Some(Some(tags.user.as_str())), Some(Some(tags.client_id.as_str())));
        let default = Some(None);
        match (tags.user.is_empty(), tags.client_id.is_empty()) {
            (false, false) => self
                .find(user, id)
                .or_else(|| self.find(user, default))
                .or_else(|| self.find(default, id))
                .or_else(|| self.find(default, default)),
            (false, true) => self.find(user, None).or_else(|| self.find(default, None)),
            (true, false) => self.find(None, id).or_else(|| self.find(None, default)),
            (true, true) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(Option<&str>, Option<&str>, f64)]) -> QuotaTable {
        let mut table = QuotaTable::default();
        let part = |name: &str| if name == "<default>" { None } else { Some(name.to_owned()) };
        for (user, client_id, bound) in rows {
            let user = user.map(|name| (USER.to_owned(), part(name)));
            let client_id = client_id.map(|name| (CLIENT_ID.to_owned(), part(name)));
            table.add(&user.into_iter().chain(client_id).collect(), *bound);
        }
        table
    }

    const DEFAULT: Option<&str> = Some("<default>");

    #[test]
    fn the_most_specific_entity_decides() {
        let table = table(&[
            (Some("u"), Some("c"), 1.0),
            (Some("u"), DEFAULT, 2.0),
            (Some("u"), None, 3.0),
            (DEFAULT, Some("c"), 4.0),
            (DEFAULT, DEFAULT, 5.0),
            (DEFAULT, None, 6.0),
            (None, Some("c"), 7.0),
            (None, DEFAULT, 8.0),
            (Some("only"), None, 9.0),
        ]);
        for (user, client_id, expected) in
            [("u", "c", 1.0), ("u", "d", 2.0), ("v", "c", 4.0), ("v", "d", 5.0), ("only", "c", 9.0)]
        {
            let tags = table.tags(user, client_id);
            assert_eq!(table.bound(&tags), Some(expected), "{user} {client_id}");
        }
    }

    #[test]
    fn with_client_id_quotas_alone_users_share_a_client_id() {
        let table = table(&[(None, Some("c"), 1.0)]);
        assert_eq!(table.tags("u", "c"), table.tags("v", "c"));
        assert_eq!(table.bound(&table.tags("u", "c")), Some(1.0));
        assert_eq!(table.bound(&table.tags("u", "d")), None);
    }

    #[test]
    fn with_user_quotas_alone_client_ids_share_a_user() {
        let table = table(&[(DEFAULT, None, 1.0), (Some("u"), None, 2.0)]);
        assert_eq!(table.tags("u", "a"), table.tags("u", "b"));
        assert_eq!(table.bound(&table.tags("u", "a")), Some(2.0));
        assert_eq!(table.bound(&table.tags("w", "a")), Some(1.0));
    }
}
