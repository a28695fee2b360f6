"""Kafka clients configured with the Java client's keys, and a small client of our own for raw requests."""

from kconnect.kafka.clients import admin, consumer, producer

__all__ = ["admin", "consumer", "producer"]
