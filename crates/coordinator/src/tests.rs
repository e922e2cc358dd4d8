//! The shell over a log in memory, whose commit is held back or fails as the tests wish, and over a disk without power.

mod apache_kafka;
mod consumers;
mod groups;
mod memory_log;
mod power_cut;
mod share;
