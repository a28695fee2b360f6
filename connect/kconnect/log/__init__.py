"""The embedded log: a single-node Kafka broker in one thread, with Kafka's protocol and Kafka's files."""
