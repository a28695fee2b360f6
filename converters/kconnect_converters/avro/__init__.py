"""Avro: AvroConverter, and below it schemas, their mapping to Connect's, and the binary form."""

from kconnect_converters.avro.converter import AvroConverter, AvroConverterConfig

__all__ = ["AvroConverter", "AvroConverterConfig"]
