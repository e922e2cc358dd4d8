//! The voters and `kraft.version` at each offset of the log, so that a truncated log takes them back.
//!
//! Kafka: `KRaftControlRecordStateMachine`, `VoterSetHistory`.

use std::collections::BTreeMap;

use model::Offset;

use crate::{ControlRecord, VoterSet};

/// What the log says of the voters. What a snapshot says counts at offset -1.
#[derive(Clone, Debug, Default)]
pub struct VoterHistory {
    /// The voters of `controller.quorum.voters`, which count while the log names none.
    static_voters: VoterSet,
    voters: BTreeMap<Offset, VoterSet>,
    kraft_version: BTreeMap<Offset, i16>,
}

impl VoterHistory {
    /// Makes a history in which only the static voters count, of which there may be none.
    pub fn new(static_voters: VoterSet) -> Self {
        Self { static_voters, ..Self::default() }
    }

    /// Takes in a control record of the log at `offset`; those that are not about voters are passed over.
    pub fn observe(&mut self, offset: Offset, record: &ControlRecord) {
        match record {
            ControlRecord::KraftVoters(voters) => {
                self.voters.insert(offset, VoterSet::from_record(voters));
            }
            ControlRecord::KraftVersion(version) => {
                self.kraft_version.insert(offset, version.kraft_version);
            }
            _ => {}
        }
    }

    /// The voters as of the log's end.
    pub fn last_voters(&self) -> &VoterSet {
        self.voters.values().next_back().unwrap_or(&self.static_voters)
    }

    /// Where the last voters stand; `None` if no record names any.
    pub fn last_voters_offset(&self) -> Option<Offset> {
        self.voters.keys().next_back().copied()
    }

    /// The voters as of `offset`.
    pub fn voters_at(&self, offset: Offset) -> &VoterSet {
        self.voters.range(..=offset).next_back().map_or(&self.static_voters, |(_, voters)| voters)
    }

    /// The level of `kraft.version` as of the log's end.
    pub fn last_kraft_version(&self) -> i16 {
        self.kraft_version.values().next_back().copied().unwrap_or(0)
    }

    /// The level of `kraft.version` as of `offset`.
    pub fn kraft_version_at(&self, offset: Offset) -> i16 {
        self.kraft_version.range(..=offset).next_back().map_or(0, |(_, version)| *version)
    }

    /// Forgets what stood at `end` and after it.
    pub fn truncate(&mut self, end: Offset) {
        self.voters.split_off(&end);
        self.kraft_version.split_off(&end);
    }
}
