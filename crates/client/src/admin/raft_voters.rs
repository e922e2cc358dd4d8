//! Changing the voters of the controllers' quorum. Kafka: `Admin.addRaftVoter`, `Admin.removeRaftVoter`.

use model::{NodeId, Uuid};
use protocol::add_raft_voter_request::Listener;
use protocol::{AddRaftVoterRequest, RemoveRaftVoterRequest};

use super::Admin;
use super::call::{millis, not_controller};
use crate::error::{Error, Result};
use crate::settings::Address;

impl Admin {
    /// Makes the controller `voter`, whose log lies in `directory`, one that votes. `listeners`: the name of each of its
    /// listeners, and its address.
    pub async fn add_raft_voter(
        &self,
        voter: NodeId,
        directory: Uuid,
        listeners: &[(String, Address)],
    ) -> Result<()> {
        let listener = |(name, address): &(String, Address)| Listener {
            name: name.clone(),
            host: address.host.clone(),
            port: address.port,
            ..Default::default()
        };
        let request = AddRaftVoterRequest {
            cluster_id: None,
            timeout_ms: millis(self.cluster().settings().request_timeout),
            voter_id: voter.0,
            voter_directory_id: directory,
            listeners: listeners.iter().map(listener).collect(),
            ..Default::default()
        };
        let response =
            self.on_any("addRaftVoter", &request, |response| not_controller([response.error_code])).await?;
        Error::check_with(response.error_code, response.error_message)
    }

    /// Makes the controller `voter`, whose log lies in `directory`, one that no longer votes.
    pub async fn remove_raft_voter(&self, voter: NodeId, directory: Uuid) -> Result<()> {
        let request = RemoveRaftVoterRequest {
            cluster_id: None,
            voter_id: voter.0,
            voter_directory_id: directory,
            ..Default::default()
        };
        let response = self
            .on_any("removeRaftVoter", &request, |response| not_controller([response.error_code]))
            .await?;
        Error::check_with(response.error_code, response.error_message)
    }
}
