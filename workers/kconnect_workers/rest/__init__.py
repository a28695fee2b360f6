"""The worker's REST API: Kafka Connect's paths, bodies and status codes."""
