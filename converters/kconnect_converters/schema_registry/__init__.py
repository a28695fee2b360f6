"""Confluent's schema registry: its client, how subjects are named, and the form of data that carries a schema's id."""
