//! The shell over a log in memory.
