//! The shell that runs a Machine over a partition: append, replay, answer when committed.
