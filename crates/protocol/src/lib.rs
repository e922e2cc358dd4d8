//! Kafka's wire protocol: every request, response, header and internal record, generated from the schemas.
