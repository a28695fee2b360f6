"""Values of records as the bodies of requests: text and bytes as they are, everything else in JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import msgspec

from kconnect import DataError, Schema
from kconnect.logical import from_logical
from kconnect.schema import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME
from kconnect.schema import Type as SchemaType

_LOGICAL: Final = frozenset({DECIMAL_NAME, DATE_NAME, TIME_NAME, TIMESTAMP_NAME})
_NUMERIC: Final = msgspec.json.Encoder(decimal_format="number")
_MOST_SCHEMAS: Final = 1000

Rewrite = Callable[[str], str]


class BodyEncoder:
    """As JsonConverter writes JSON without schemas: times are numbers, bytes Base64. `numeric_decimals` are numbers,
    others Base64 of their unscaled value. With `json_text` a text is a JSON string, in place of itself."""

    def __init__(self, *, numeric_decimals: bool = False, json_text: bool = False) -> None:
        self._numeric = numeric_decimals
        self._json_text = json_text
        self._has_logical: dict[Schema, bool] = {}

    def __call__(self, schema: Schema | None, value: Any) -> bytes:
        """DataError for what has no such form."""
        try:
            if isinstance(value, str) and not self._json_text:
                return value.encode()
            if isinstance(value, bytes) and not self._json_text:
                return value
            if schema is not None and self._holds_logical(schema):
                value = self._plain(schema, value)
            return _NUMERIC.encode(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(f"cannot be written as the body of a request: {error}") from error

    def _holds_logical(self, schema: Schema) -> bool:
        found = self._has_logical.get(schema)
        if found is None:
            if len(self._has_logical) >= _MOST_SCHEMAS:
                self._has_logical.clear()
            found = self._has_logical[schema] = _any_logical(schema)
        return found

    def _plain(self, schema: Schema, value: Any) -> Any:
        if value is None:
            return None
        if schema.name in _LOGICAL:
            return value if self._numeric and isinstance(value, Decimal) else from_logical(schema, value)
        if schema.type is SchemaType.STRUCT:
            return {field.name: self._plain(field.schema, field.get(value)) for field in schema.fields}
        elements = schema.value_schema
        if elements is not None and schema.type is SchemaType.ARRAY:
            return [self._plain(elements, each) for each in value]
        if elements is not None and schema.type is SchemaType.MAP:
            return {name: self._plain(elements, each) for name, each in value.items()}
        return value


def _any_logical(schema: Schema) -> bool:
    if schema.name in _LOGICAL:
        return True
    inner = [field.schema for field in schema.fields]
    inner += [each for each in (schema.key_schema, schema.value_schema) if each is not None]
    return any(map(_any_logical, inner))


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings:
    """How records are joined to one body, and how many of them; texts are what stands in the body."""

    max_records: int
    max_bytes: int
    prefix: bytes = b""
    separator: bytes = b""
    suffix: bytes = b""

    def join(self, bodies: Sequence[bytes]) -> bytes:
        return self.prefix + self.separator.join(bodies) + self.suffix


_ESCAPES: Final = {"\\n": "\n", "\\r": "\r", "\\t": "\t", "\\\\": "\\"}


def unescaped(text: str) -> bytes:
    r"""With `\n`, `\r`, `\t` and `\\` for what they stand for."""
    parts = []
    rest = iter(text)
    for character in rest:
        pair = character + next(rest, "") if character == "\\" else character
        parts.append(_ESCAPES.get(pair, pair))
    return "".join(parts).encode()
