"""Vector JSON to schemas, values and records as kconnect holds them."""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from golden.case import LeftOutError
from kconnect.record import Header, SinkRecord, SourceRecord
from kconnect.schema import DATE_NAME, TIME_NAME, Schema, Type

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_MS = 86_400_000
INTEGERS = frozenset({"$int8", "$int16", "$int32", "$int64"})
FLOATS = frozenset({"$float32", "$float64"})
INSTANTS = frozenset({"$date", "$time", "$timestamp"})
INTEGER_TYPES = frozenset({Type.INT8, Type.INT16, Type.INT32, Type.INT64})
FLOAT_TYPES = frozenset({Type.FLOAT32, Type.FLOAT64})


class Float32(float):
    """An expected number that has only the precision of 32 bits."""


def schema(encoded: dict[str, Any] | None) -> Schema | None:
    """The schema that the vector describes. A default that does not fit is a DataError."""
    if encoded is None:
        return None
    if "$ref" in encoded:
        raise LeftOutError("a schema that contains itself")
    bare = Schema(
        Type(encoded["type"]),
        optional=encoded["optional"],
        name=encoded.get("name"),
        version=encoded.get("version"),
        doc=encoded.get("doc"),
        parameters=encoded.get("parameters"),
        fields={f["name"]: required_schema(f["schema"]) for f in encoded.get("fields") or ()},
        key_schema=schema(encoded.get("keys")),
        value_schema=schema(encoded.get("values")),
    )
    default = encoded.get("default")
    return bare if default is None else bare.replace(default=value(bare, default))


def required_schema(encoded: dict[str, Any]) -> Schema:
    decoded = schema(encoded)
    assert decoded is not None
    return decoded


def value(of: Schema | None, encoded: Any, *, expected: bool = False) -> Any:
    """The Python value of a vector's value at a place whose schema is `of`.

    `expected` marks numbers of 32 bits as `Float32`, so that they compare at their width. Raises LeftOutError for
    what plain Python values cannot tell apart."""
    if encoded is None or isinstance(encoded, bool | str):
        return encoded
    if isinstance(encoded, int | float):
        if of is not None and of.type in FLOAT_TYPES:
            return _float(encoded, of.type is Type.FLOAT32, expected)
        return encoded
    if isinstance(encoded, list):
        element = of.value_schema if of is not None and of.type is Type.ARRAY else None
        return [value(element, item, expected=expected) for item in encoded]
    tag = next(iter(encoded), "")
    if tag.startswith("$") and tag != "$x":
        return _tagged(of, tag, encoded, expected)
    return _map(of, encoded.items(), expected)


def _tagged(of: Schema | None, tag: str, encoded: dict[str, Any], expected: bool) -> Any:
    content = encoded[tag]
    if tag in INTEGERS:
        if of is not None and of.type in INTEGER_TYPES and tag[1:] != of.type.value:
            raise LeftOutError("the width of an integer apart from its schema")
        return content
    if tag in FLOATS:
        if of is not None and of.type in FLOAT_TYPES and tag[1:] != of.type.value:
            raise LeftOutError("the width of a float apart from its schema")
        return _float(content, tag == "$float32", expected)
    if tag in INSTANTS:
        return _instant(of, tag, content)
    match tag:
        case "$bytes" | "$bytebuffer":
            return base64.b64decode(content)
        case "$decimal":
            return Decimal(content)
        case "$bigint":
            if of is None or of.type in INTEGER_TYPES:
                raise LeftOutError("BigInteger against int")
            return int(content)
        case "$struct":
            return _struct(of, encoded, expected)
        case "$map":
            return _map(of, content, expected)
        case "$unsupported":
            return uuid.UUID(int=7)
    raise LeftOutError(f"a value of kind {tag}")


def _float(content: str | float, single: bool, expected: bool) -> float:
    return Float32(content) if single and expected else float(content)


def _instant(of: Schema | None, tag: str, millis: int) -> Any:
    name = of.name if of is not None else None
    kind = {DATE_NAME: "$date", TIME_NAME: "$time"}.get(name or "", "$timestamp" if name else tag)
    try:
        instant = EPOCH + timedelta(milliseconds=millis)
    except OverflowError:
        raise LeftOutError("an instant that Python cannot hold") from None
    if kind == "$date":
        if millis % DAY_MS:
            raise LeftOutError("a Date with a time of day")
        return instant.date()
    if kind == "$time":
        if not 0 <= millis < DAY_MS:
            raise LeftOutError("a Time beyond its day")
        return instant.time()
    return instant


def millis(moment: date | time | datetime) -> int:
    """What java.util.Date would hold for it."""
    if isinstance(moment, time):
        moment = datetime.combine(EPOCH.date(), moment, UTC)
    elif not isinstance(moment, datetime):
        moment = datetime.combine(moment, time(), UTC)
    return (moment - EPOCH) // timedelta(milliseconds=1)


def _struct(of: Schema | None, encoded: dict[str, Any], expected: bool) -> dict[str, Any]:
    if of is not None and of.type not in (Type.STRUCT, Type.MAP) and "$schema" in encoded:
        of = required_schema(encoded["$schema"])  # a struct where none belongs, whatever it carries
    elif "$schema" in encoded or of is None or of.type is not Type.STRUCT:
        raise LeftOutError("a Struct that carries another schema than its place")
    fields = {field.name: field.schema for field in of.fields}
    return {name: value(fields[name], item, expected=expected) for name, item in encoded["$struct"].items()}


def _map(of: Schema | None, items: Any, expected: bool) -> dict[Any, Any]:
    if of is not None and of.type is Type.STRUCT:
        raise LeftOutError("Map against Struct for a dict")
    is_map = of is not None and of.type is Type.MAP
    key_schema = of.key_schema if of is not None and is_map else None
    value_schema = of.value_schema if of is not None and is_map else None
    decoded: dict[Any, Any] = {}
    for encoded_key, item in items:
        key = value(key_schema, encoded_key, expected=expected)
        if isinstance(key, dict | list):
            raise LeftOutError("a map key that Python cannot hash")
        if any(key == other for other in decoded):
            raise LeftOutError("map keys that only Java tells apart")
        decoded[key] = value(value_schema, item, expected=expected)
    return decoded


def record(encoded: dict[str, Any] | None, *, expected: bool = False) -> SourceRecord | SinkRecord | None:
    """A source or sink record; None for a dropped one."""
    if encoded is None:
        return None
    key_schema, value_schema = schema(encoded["keySchema"]), schema(encoded["valueSchema"])
    headers = tuple(
        Header(h["key"], schema(h["schema"]), value(schema(h["schema"]), h["value"], expected=expected))
        for h in encoded["headers"]
    )
    key = value(key_schema, encoded["key"], expected=expected)
    content = value(value_schema, encoded["value"], expected=expected)
    if encoded["kind"] == "source":
        return SourceRecord(
            None,
            None,
            encoded["topic"],
            partition=encoded["partition"],
            key_schema=key_schema,
            key=key,
            value_schema=value_schema,
            value=content,
            timestamp=encoded["timestamp"],
            headers=headers,
        )
    return SinkRecord(
        encoded["topic"],
        encoded["partition"],
        key_schema,
        key,
        value_schema,
        content,
        encoded["offset"],
        timestamp=encoded["timestamp"],
        headers=headers,
        # Where it was read is not part of a vector: the same on both sides.
        original_topic="read-from",
        original_partition=0,
        original_offset=0,
    )
