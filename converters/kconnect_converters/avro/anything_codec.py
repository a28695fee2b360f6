"""Values without a schema as Avro: the record Anything, one of whose fields is not null."""

from __future__ import annotations

import struct
from typing import Any

from kconnect.errors import DataError
from kconnect_converters.varint import long_bytes, read_long

_NULLS = tuple(bytes(count) for count in range(10))


def write_anything(value: Any) -> bytes:
    """DataError for what only a schema can describe: bytes, decimals, dates."""
    if value is None:
        return _NULLS[9]
    kind = type(value)
    if kind is bool:
        return b"\x02\x01" + _NULLS[8] if value else b"\x02" + _NULLS[9]
    if kind is float:
        return _field(2, struct.pack("<d", value))
    if kind is int:
        if not -(1 << 63) <= value < 1 << 63:
            raise DataError(f"{value} has more than 64 bits")
        return _field(5, long_bytes(value))
    if isinstance(value, str):
        data = value.encode()
        return _field(6, long_bytes(len(data)) + data)
    if isinstance(value, list | tuple):
        return _field(7, _blocks([write_anything(each) for each in value]))
    if isinstance(value, dict):
        return _field(8, _blocks([write_anything(key) + write_anything(each) for key, each in value.items()]))
    raise DataError(f"{kind.__name__} {value!r:.60} needs a schema to be written as Avro")


def _field(index: int, content: bytes) -> bytes:
    return _NULLS[index] + b"\x02" + content + _NULLS[8 - index]


def _blocks(items: list[bytes]) -> bytes:
    return b"".join((long_bytes(len(items)), *items, b"\x00")) if items else b"\x00"


def read_anything(data: bytes, place: int) -> tuple[Any, int]:
    """The value at `place`, and the place after it. IndexError, struct.error or DataError for what is none."""
    found: Any = None
    for index in range(9):
        branch = data[place]
        place += 1
        if branch == 0:
            continue
        if branch != 2:
            raise DataError(f"branch {branch} of a union of two at byte {place - 1}")
        value, place = _READ[index](data, place)
        if found is None:
            found = value
    return found, place


def _read_boolean(data: bytes, place: int) -> tuple[Any, int]:
    return data[place] != 0, place + 1


def _read_bytes(data: bytes, place: int) -> tuple[bytes, int]:
    size, place = read_long(data, place)
    end = place + size
    if not place <= end <= len(data):
        raise DataError(f"{size} bytes at byte {place} of {len(data)}")
    return data[place:end], end


def _read_string(data: bytes, place: int) -> tuple[Any, int]:
    text, place = _read_bytes(data, place)
    return text.decode(), place


def _read_double(data: bytes, place: int) -> tuple[Any, int]:
    return struct.unpack_from("<d", data, place)[0], place + 8


def _read_float(data: bytes, place: int) -> tuple[Any, int]:
    return struct.unpack_from("<f", data, place)[0], place + 4


def _read_array(data: bytes, place: int) -> tuple[Any, int]:
    items: list[Any] = []
    count, place = block_count(data, place)
    while count:
        for _ in range(count):
            item, place = read_anything(data, place)
            items.append(item)
        count, place = block_count(data, place)
    return items, place


def _read_map(data: bytes, place: int) -> tuple[Any, int]:
    found: dict[Any, Any] = {}
    count, place = block_count(data, place)
    while count:
        for _ in range(count):
            key, place = read_anything(data, place)
            value, place = read_anything(data, place)
            if isinstance(key, list | dict):
                raise DataError("a map whose keys are lists or maps")
            found[key] = value
        count, place = block_count(data, place)
    return found, place


def block_count(data: bytes, place: int) -> tuple[int, int]:
    """How many items the block at `place` has, 0 after the last; and the place of the first."""
    count, place = read_long(data, place)
    if count < 0:
        count = -count
        _, place = read_long(data, place)
    # Items may be empty (a record without fields): their number still has a bound.
    if count > len(data) - place and count > _MAX_EMPTY_ITEMS:
        raise DataError(f"a block of {count} items in {len(data)} bytes")
    return count, place


_MAX_EMPTY_ITEMS = 100_000
_READ = (
    _read_boolean,
    _read_bytes,
    _read_double,
    _read_float,
    read_long,
    read_long,
    _read_string,
    _read_array,
    _read_map,
)
