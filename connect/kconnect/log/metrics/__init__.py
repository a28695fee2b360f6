"""What the broker tells monitoring: figures with the names that Kafka's have in Prometheus, over HTTP."""
