"""Ours and the JVM's Kafka and Kafka Connect on the same work in turn; `make bench` prints the ratios."""
