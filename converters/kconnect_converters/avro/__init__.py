"""Avro: schemas, their mapping to Connect's, and the binary form."""
