"""Protobuf: a converter, and below it files, their mapping to Connect's schemas, and messages.

Of this package `converter`, `config` and `names` alone can be imported without the libraries of kconnect[protobuf]."""

from kconnect_converters.protobuf.converter import ProtobufConverter, ProtobufConverterConfig

__all__ = ["ProtobufConverter", "ProtobufConverterConfig"]
