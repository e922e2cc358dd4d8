//! Group coordinators as state machines over __consumer_offsets.
