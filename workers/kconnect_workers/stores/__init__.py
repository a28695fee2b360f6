"""What a worker remembers: connector configs, statuses and source offsets, in Kafka Connect's own formats."""
