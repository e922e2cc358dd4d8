//! Producer, consumer and admin clients for any Kafka cluster, with Kafka's config names.
