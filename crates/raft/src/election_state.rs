//! The quorum-state file: epoch, leader and vote, so that a restarted node contradicts nothing it said.
//!
//! Version 0 belongs to `kraft.version` 0, version 1 to `kraft.version` 1.
//!
//! Kafka: `ElectionState`, `FileQuorumStateStore`.

use model::{LeaderEpoch, NodeId, Uuid};
use serde_json::Value;

use crate::ReplicaKey;

/// What a node knows of the last election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElectionState {
    /// The epoch, from 0.
    pub epoch: LeaderEpoch,
    /// The leader of the epoch, if known.
    pub leader: Option<NodeId>,
    /// Whom this node voted for in the epoch.
    pub voted: Option<ReplicaKey>,
    /// The voters, in version 0 only.
    pub voters: Vec<NodeId>,
}

/// The quorum-state file cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum QuorumStateError {
    /// It is not JSON.
    #[error("the quorum-state file is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A field is missing or has another type.
    #[error("the quorum-state file has no valid field {0}")]
    Field(&'static str),
    /// It is of a later version.
    #[error("Unknown data_version: {0}")]
    Version(i64),
}

impl ElectionState {
    /// The file's name in the metadata log's folder.
    pub const FILE_NAME: &'static str = "quorum-state";

    /// The state of a node that has never taken part.
    pub fn initial() -> Self {
        Self { epoch: LeaderEpoch(0), leader: None, voted: None, voters: Vec::new() }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// If it is not of a known form.
    pub fn parse(bytes: &[u8]) -> Result<Self, QuorumStateError> {
        let json: Value = serde_json::from_slice(bytes)?;
        let version = json.get("data_version").and_then(Value::as_i64);
        match version.ok_or(QuorumStateError::Field("data_version"))? {
            0 | 1 => {}
            other => return Err(QuorumStateError::Version(other)),
        }
        let voted_id = number(&json, "votedId")?;
        let directory = match json.get("votedDirectoryId").and_then(Value::as_str) {
            Some(text) => text.parse().map_err(|_| QuorumStateError::Field("votedDirectoryId"))?,
            None => Uuid::ZERO,
        };
        let voters = json.get("currentVoters").and_then(Value::as_array);
        let voter = |voter: &Value| number(voter, "voterId").map(NodeId);
        Ok(Self {
            epoch: LeaderEpoch(number(&json, "leaderEpoch")?),
            leader: Some(number(&json, "leaderId")?).filter(|id| *id >= 0).map(NodeId),
            voted: (voted_id >= 0).then(|| ReplicaKey::of(voted_id, directory)),
            voters: voters.into_iter().flatten().map(voter).collect::<Result<_, _>>()?,
        })
    }

    /// Writes the file for the level of `kraft.version`.
    pub fn to_json(&self, kraft_version: i16) -> String {
        let leader = self.leader.map_or(-1, |leader| leader.0);
        let voted = self.voted.map_or(-1, |voted| voted.id.0);
        let epoch = self.epoch;
        if kraft_version == 0 {
            let voters: Vec<String> = self.voters.iter().map(|id| format!("{{\"voterId\":{id}}}")).collect();
            return format!(
                "{{\"clusterId\":\"\",\"leaderId\":{leader},\"leaderEpoch\":{epoch},\"votedId\":{voted},\
                 \"appliedOffset\":0,\"currentVoters\":[{}],\"data_version\":0}}",
                voters.join(",")
            );
        }
        let directory = self.voted.map_or(Uuid::ZERO, |voted| voted.directory_or_zero());
        format!(
            "{{\"leaderId\":{leader},\"leaderEpoch\":{epoch},\"votedId\":{voted},\"votedDirectoryId\":\"{directory}\",\
             \"data_version\":1}}"
        )
    }
}

fn number(json: &Value, field: &'static str) -> Result<i32, QuorumStateError> {
    let number = json.get(field).and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok());
    number.ok_or(QuorumStateError::Field(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN_BY_KAFKA: &str = "{\"leaderId\":1,\"leaderEpoch\":1,\"votedId\":-1,\
        \"votedDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":1}";

    #[test]
    fn a_file_written_by_kafka_is_read_and_written_the_same() {
        let state = ElectionState::parse(WRITTEN_BY_KAFKA.as_bytes()).expect("it is well-formed");
        assert_eq!((state.epoch, state.leader, state.voted), (LeaderEpoch(1), Some(NodeId(1)), None));
        assert_eq!(state.to_json(1), WRITTEN_BY_KAFKA);
    }

    #[test]
    fn version_0_keeps_the_voters() {
        let state = ElectionState {
            epoch: LeaderEpoch(3),
            leader: None,
            voted: Some(ReplicaKey { id: NodeId(2), directory_id: None }),
            voters: vec![NodeId(1), NodeId(2)],
        };
        assert_eq!(ElectionState::parse(state.to_json(0).as_bytes()).expect("it was just written"), state);
    }

    #[test]
    fn a_file_that_is_no_quorum_state_is_refused() {
        for text in ["", "{}", "{\"data_version\":7}", "{\"data_version\":1,\"votedId\":99999999999}"] {
            assert!(ElectionState::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
