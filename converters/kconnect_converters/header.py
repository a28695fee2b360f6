"""SimpleHeaderConverter: header values as readable text, their types found again when reading."""

from __future__ import annotations

from kconnect.converter import HeaderConverter
from kconnect.java_text import value_text
from kconnect.record import SchemaAndValue, Value
from kconnect.schema import STRING_SCHEMA, Schema
from kconnect.values import parse_string


class SimpleHeaderConverter(HeaderConverter):
    """The default for headers."""

    def from_connect_header(self, topic: str, key: str, schema: Schema | None, value: Value) -> bytes | None:
        return None if value is None else value_text(schema, value).encode()

    def to_connect_header(self, topic: str, key: str, data: bytes | None) -> SchemaAndValue:
        if data is None:
            return SchemaAndValue(None, None)
        text = data.decode("utf-8", "replace")
        return parse_string(text) if text else SchemaAndValue(STRING_SCHEMA, text)
