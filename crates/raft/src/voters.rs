//! The voters of the quorum: who they are and where they listen.
//!
//! Kafka: `VoterSet`, `ReplicaKey`.

use std::collections::BTreeMap;

use model::{NodeId, Uuid};
use protocol::VotersRecord;
use protocol::voters_record::{self, KRaftVersionFeature};

/// A replica of the metadata log: a node, and which of its disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplicaKey {
    /// The node's id.
    pub id: NodeId,
    /// The id of its metadata log dir; `None` where it is not known.
    pub directory_id: Option<Uuid>,
}

impl ReplicaKey {
    /// Makes a key out of the wire's form, in which zero stands for an unknown directory.
    pub fn of(id: i32, directory_id: Uuid) -> Self {
        Self { id: NodeId(id), directory_id: Some(directory_id).filter(|id| *id != Uuid::ZERO) }
    }

    /// The directory in the wire's form.
    pub fn directory_or_zero(&self) -> Uuid {
        self.directory_id.unwrap_or(Uuid::ZERO)
    }
}

/// Where a voter listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name.
    pub name: String,
    /// The host.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// One voter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoterNode {
    /// Who it is.
    pub key: ReplicaKey,
    /// Where it listens, by listener.
    pub endpoints: Vec<Endpoint>,
    /// The lowest and highest `kraft.version` it supports.
    pub kraft_versions: (i16, i16),
}

/// The voters by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VoterSet(BTreeMap<NodeId, VoterNode>);

impl VoterSet {
    /// Makes a set of voters; of two with one id the last counts.
    pub fn new(voters: impl IntoIterator<Item = VoterNode>) -> Self {
        Self(voters.into_iter().map(|voter| (voter.key.id, voter)).collect())
    }

    /// All voters by id.
    pub fn voters(&self) -> impl Iterator<Item = &VoterNode> {
        self.0.values()
    }

    /// How many voters there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether there is no voter.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The voter with `id`.
    pub fn voter(&self, id: NodeId) -> Option<&VoterNode> {
        self.0.get(&id)
    }

    /// Tells whether `replica` is a voter. A directory counts only where the set names one.
    pub fn is_voter(&self, replica: ReplicaKey) -> bool {
        self.0.get(&replica.id).is_some_and(|voter| {
            voter.key.directory_id.is_none() || voter.key.directory_id == replica.directory_id
        })
    }

    /// Tells whether `replica` is the one and only voter.
    pub fn is_only_voter(&self, replica: ReplicaKey) -> bool {
        self.0.len() == 1 && self.is_voter(replica)
    }

    /// Replaces the voter with the same id.
    pub fn update(&mut self, voter: VoterNode) {
        self.0.insert(voter.key.id, voter);
    }

    /// Reads the record of the log.
    pub fn from_record(record: &VotersRecord) -> Self {
        let endpoint = |e: &voters_record::Endpoint| Endpoint {
            name: e.name.clone(),
            host: e.host.clone(),
            port: e.port,
        };
        Self::new(record.voters.iter().map(|voter| VoterNode {
            key: ReplicaKey::of(voter.voter_id, voter.voter_directory_id),
            endpoints: voter.endpoints.iter().map(endpoint).collect(),
            kraft_versions: (
                voter.kraft_version_feature.min_supported_version,
                voter.kraft_version_feature.max_supported_version,
            ),
        }))
    }

    /// Returns the record for the log.
    pub fn to_record(&self) -> VotersRecord {
        let endpoint = |e: &Endpoint| voters_record::Endpoint {
            name: e.name.clone(),
            host: e.host.clone(),
            port: e.port,
            ..Default::default()
        };
        let voter = |voter: &VoterNode| voters_record::Voter {
            voter_id: voter.key.id.0,
            voter_directory_id: voter.key.directory_or_zero(),
            endpoints: voter.endpoints.iter().map(endpoint).collect(),
            kraft_version_feature: KRaftVersionFeature {
                min_supported_version: voter.kraft_versions.0,
                max_supported_version: voter.kraft_versions.1,
                ..Default::default()
            },
            ..Default::default()
        };
        VotersRecord { version: 0, voters: self.0.values().map(voter).collect(), ..Default::default() }
    }
}
