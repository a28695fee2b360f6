"""Values out of text, and from one type to another, by Kafka's rules.

`java_text.value_text` is the way back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

from kconnect import float32, logical
from kconnect.errors import DataError
from kconnect.java_double import double_to_string
from kconnect.java_text import value_text
from kconnect.literals import parse_number, parse_temporal, read_decimal
from kconnect.record import SchemaAndValue
from kconnect.schema import (
    BOOLEAN_SCHEMA,
    BYTES_SCHEMA,
    DATE_NAME,
    DECIMAL_NAME,
    FLOAT64_SCHEMA,
    INT64_SCHEMA,
    INTEGER_BITS,
    NUMBERS,
    STRING_SCHEMA,
    TIME_NAME,
    TIMESTAMP_NAME,
    Schema,
    Type,
)

_TOKEN: Final = re.compile(r'[:,{}\[\]"]|(?:\\.|[^:,{}\[\]"\\])+\\?|\\', re.ASCII | re.DOTALL)
_TEMPORAL: Final = frozenset({DATE_NAME, TIME_NAME, TIMESTAMP_NAME})


def infer_schema(value: Any) -> Schema | None:
    """The schema that a schemaless value has by itself (int is INT64, float FLOAT64), None if that cannot be said.

    Lists and dicts have one when they are not empty and their elements agree."""
    if isinstance(value, list | tuple):
        return _inferred(Type.ARRAY, value_schema=value) if value else None
    if isinstance(value, dict):
        return _inferred(Type.MAP, key_schema=value.keys(), value_schema=value.values()) if value else None
    for kind, schema in _INFERRED:
        if isinstance(value, kind):
            return schema
    return None


_INFERRED: Final[tuple[tuple[Any, Schema], ...]] = (
    (str, STRING_SCHEMA),
    (bool, BOOLEAN_SCHEMA),
    (int, INT64_SCHEMA),
    (float, FLOAT64_SCHEMA),
    (bytes | bytearray | memoryview, BYTES_SCHEMA),
)


def _inferred(type_: Type, **elements: Iterable[Any]) -> Schema | None:
    schemas: dict[str, Schema] = {}
    for attribute, values in elements.items():
        inferred = {infer_schema(value) for value in values if value is not None}
        if None in inferred or len({schema.type for schema in inferred if schema}) != 1:
            return None
        schemas[attribute] = Schema(next(s.type for s in inferred if s), optional=any(v is None for v in values))
    return Schema(type_, key_schema=schemas.get("key_schema"), value_schema=schemas["value_schema"])


def parse_string(text: str | None) -> SchemaAndValue:
    """The value that a text stands for: null, true, numbers (of the smallest type that holds them), ISO dates,
    [lists] and {maps: of those}. What is none of these is a string; nothing is an error."""
    if text is None:
        return SchemaAndValue(None, None)
    if not text:
        return SchemaAndValue(STRING_SCHEMA, text)
    return _Parser(text).parse(embedded=False) or SchemaAndValue(None, None)


class _Parser:
    """Reads one text, token by token; delimiters that no backslash protects are tokens of their own."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [match.group() for match in _TOKEN.finditer(text)]
        self.at = 0

    def parse(self, *, embedded: bool) -> SchemaAndValue | None:
        """The value at this place; None for null. `embedded`: within a list or map, where strings are quoted."""
        if embedded and self._take('"'):
            return self._quoted()
        for literal, value in (("null", None), ("true", True), ("false", False)):
            start = self.at
            if self._take(literal) and (embedded or self.at == len(self.tokens)):
                return None if value is None else SchemaAndValue(BOOLEAN_SCHEMA, value)
            self.at = start
        try:
            if self._take("["):
                return self._list()
            if self._take("{"):
                return self._map()
        except (DataError, RecursionError):
            self.at = start
        else:
            self._skip_blanks()
        return self._scalar(embedded)

    def _take(self, expected: str) -> bool:
        """Step over the next token if it is `expected`, blanks around it apart."""
        start = self.at
        self._skip_blanks()
        if self.at < len(self.tokens) and self.tokens[self.at].strip() == expected:
            self.at += 1
            return True
        self.at = start
        return False

    def _skip_blanks(self) -> None:
        """To the next token that is not blank, or to the last."""
        while self.at < len(self.tokens) - 1 and not self.tokens[self.at].strip():
            self.at += 1

    def _quoted(self) -> SchemaAndValue:
        start = self.at
        while self.at < len(self.tokens) and self.tokens[self.at] != '"':
            self.at += 1
        content = "".join(self.tokens[start : self.at])
        self.at += 1
        temporal = parse_string(content)
        if temporal.schema is not None and temporal.schema.name in _TEMPORAL:
            return temporal
        return SchemaAndValue(STRING_SCHEMA, content)

    def _list(self) -> SchemaAndValue:
        values: list[Any] = []
        common = _CommonSchema()
        while self.at < len(self.tokens):
            if self._take("]"):
                if common.schema is not None:
                    values = [convert(common.schema, None, value) for value in values]
                return SchemaAndValue(Schema(Type.ARRAY, value_schema=common.schema), values)
            if self._take(","):
                raise DataError("an element is missing")
            parsed = self.parse(embedded=True)
            common.add(parsed)
            values.append(parsed.value if parsed else None)
            start = self.at
            if self._take("]"):
                self.at = start
            elif not self._take(","):
                raise DataError("a comma is missing")
        raise DataError("the list does not end")

    def _map(self) -> SchemaAndValue:
        entries: dict[Any, Any] = {}
        keys, values = _CommonSchema(), _CommonSchema()
        while self.at < len(self.tokens):
            if self._take("}"):
                return _aligned_map(keys.schema, values.schema, entries)
            if self._take(","):
                raise DataError("an entry is missing")
            key = self.parse(embedded=True)
            if key is None or isinstance(key.value, list | dict):
                raise DataError("a key is null, a list or a map")
            if not self._take(":"):
                raise DataError("a colon is missing")
            value = self.parse(embedded=True)
            entries[key.value] = value.value if value else None
            self._take(",")
            keys.add(key)
            values.add(value)
        raise DataError("the map does not end")

    def _scalar(self, embedded: bool) -> SchemaAndValue:
        if self.at >= len(self.tokens):
            raise DataError("a value is missing")
        token = self.tokens[self.at].strip()
        self.at += 1
        if not token:
            return SchemaAndValue(STRING_SCHEMA, self.tokens[self.at - 1])
        if token[0].isdigit():
            # The colons of a time are tokens: it has five of them.
            whole = "".join([token, *self.tokens[self.at : self.at + 4]])
            parsed = parse_temporal(whole) if self.at + 4 <= len(self.tokens) else None
            if parsed is not None:
                self.at += 4
                return parsed
            parsed = parse_temporal(token)
            if parsed is not None:
                return parsed
        parsed = parse_number(token)
        if parsed is not None:
            return parsed
        if embedded:
            raise DataError("text is not quoted")
        return SchemaAndValue(STRING_SCHEMA, self.text)


def _aligned_map(keys: Schema | None, values: Schema | None, entries: dict[Any, Any]) -> SchemaAndValue:
    """The map with its entries made of one type, so far as they have one."""
    if keys is not None:
        entries = {convert(keys, None, key): value for key, value in entries.items()}
        if values is not None:
            entries = {key: convert(values, None, value) for key, value in entries.items()}
    schema = Schema(Type.MAP, key_schema=keys, value_schema=values if keys is not None else None)
    return SchemaAndValue(schema, entries)


class _CommonSchema:
    """The schema that the elements so far have in common: numbers widen, a null says nothing, and once two have
    nothing in common there is none (`schema` is None)."""

    def __init__(self) -> None:
        self.schema: Schema | None = None
        self._mixed = False

    def add(self, element: SchemaAndValue | None) -> None:
        if element is None or element.schema is None or self._mixed:
            return
        if self.schema is None or self.schema.type is element.schema.type:
            self.schema = element.schema
        elif self.schema.type in NUMBERS and element.schema.type in NUMBERS:
            self.schema = max(self.schema, element.schema, key=lambda schema: NUMBERS.index(schema.type))
        else:
            self.schema, self._mixed = None, True


def convert(target: Schema, source: Schema | None, value: Any) -> Any:
    """`value`, which has the schema `source` (None: not known), as a value of `target`.

    Numbers are cut to the target's bits as a cast does it, text is parsed, anything has a text. Lists, maps and
    structs are taken as they are. Raises DataError for what has no form in `target`, and for a null that it does
    not take."""
    if value is None:
        if target.optional:
            return None
        raise DataError(f"null cannot become {target!r}, which is required")
    return _CONVERT[target.type](target, source, value)


def _to_string(target: Schema, source: Schema | None, value: Any) -> str:
    return value_text(source, value)


def _to_boolean(target: Schema, source: Schema | None, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        parsed = parse_string(value).value
        if isinstance(parsed, bool):
            return parsed
    return _long(value, target) != 0


def _to_integer(target: Schema, source: Schema | None, value: Any) -> Any:
    if target.name in _TEMPORAL:
        return _to_temporal(target, value)
    return _cut(_long(value, target), INTEGER_BITS[target.type])


def _to_float(target: Schema, source: Schema | None, value: Any) -> float:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        number = float(Decimal(value))  # an int too large for a float becomes an infinity by way of Decimal
    elif isinstance(value, str) and (parsed := read_decimal(value)) is not None:
        number = float(parsed)
    else:
        number = float(_long(value, target))
    return float32.rounded(number) if target.type is Type.FLOAT32 else number


def _to_bytes(target: Schema, source: Schema | None, value: Any) -> Any:
    is_bytes = isinstance(value, bytes | bytearray | memoryview)
    if target.name != DECIMAL_NAME:
        if is_bytes:
            return bytes(value)
        raise _impossible(value, target)
    if is_bytes:
        return logical.to_logical(target, value)
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(Decimal(value))
        if number - number != 0.0:
            raise _impossible(value, target)
        return Decimal(double_to_string(number))
    parsed = read_decimal(value) if isinstance(value, str) else None
    if parsed is None:
        raise _impossible(value, target)
    return parsed


def _to_temporal(target: Schema, value: Any) -> Any:
    if isinstance(value, str):
        value = parse_string(value).value
    if isinstance(value, time):
        value = datetime.combine(logical.EPOCH, value, UTC)
    elif isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        return logical.to_logical(target, _cut(_long(value, target), INTEGER_BITS[target.type]))
    if target.name == DATE_NAME:
        return value.astimezone(UTC).date()
    return value.astimezone(UTC).time() if target.name == TIME_NAME else value


def _to_collection(target: Schema, source: Schema | None, value: Any) -> Any:
    if isinstance(value, str) and target.type is not Type.STRUCT:
        value = parse_string(value).value
    if not isinstance(value, list if target.type is Type.ARRAY else dict):
        raise _impossible(value, target)
    return value


def _long(value: Any, target: Schema) -> int:
    """64 bits of a number, of a text that is one, of a date (days), time or timestamp (milliseconds)."""
    if isinstance(value, str):
        value = read_decimal(value)
    if isinstance(value, float):
        if value != value:
            return 0
        return int(max(min(value, 9.223372036854775807e18), -9.223372036854775808e18)) - (value >= 2.0**63)
    if isinstance(value, int) and not isinstance(value, bool):
        return _cut(value, 64)
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < 4300:
        return _cut(int(value), 64)
    if isinstance(value, datetime):
        return logical.epoch_millis(value)
    if isinstance(value, date):
        return logical.epoch_days(value)
    if isinstance(value, time):
        return logical.millis_of_day(value)
    raise _impossible(value, target)


def _cut(number: int, bits: int) -> int:
    half = 1 << (bits - 1)
    return (number + half) % (2 * half) - half


def _impossible(value: Any, target: Schema) -> DataError:
    return DataError(f"{type(value).__name__} {value!r:.80} cannot become {target!r}")


_CONVERT: Final[dict[Type, Callable[[Schema, Schema | None, Any], Any]]] = {
    **dict.fromkeys(INTEGER_BITS, _to_integer),
    Type.FLOAT32: _to_float,
    Type.FLOAT64: _to_float,
    Type.BOOLEAN: _to_boolean,
    Type.STRING: _to_string,
    Type.BYTES: _to_bytes,
    Type.ARRAY: _to_collection,
    Type.MAP: _to_collection,
    Type.STRUCT: _to_collection,
}
