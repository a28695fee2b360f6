"""Avro: two converters, and below them schemas, their mapping to Connect's, and the binary form."""

from kconnect_converters.avro.converter import AvroConverter, AvroConverterConfig
from kconnect_converters.avro.plain import PlainAvroConverter, PlainAvroConverterConfig

__all__ = ["AvroConverter", "AvroConverterConfig", "PlainAvroConverter", "PlainAvroConverterConfig"]
