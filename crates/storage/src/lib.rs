//! The log: segments, indexes, producer state, leader epochs, recovery, retention and log directories.
