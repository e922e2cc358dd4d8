//! The controller: turns requests about topics, brokers, configs and features into metadata records.
