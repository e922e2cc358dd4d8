//! Record batches: reading, building, compressing and validating Kafka's message format.
