//! KRaft's quorum as a state machine: epochs, votes, voters, and the view of the metadata log.
