"""Which message of a schema's file data is: numbers between the schema's id and the message."""

from __future__ import annotations

from collections.abc import Sequence

from kconnect.errors import DataError
from kconnect_converters.varint import long_bytes, read_long


def index_bytes(indexes: Sequence[int]) -> bytes:
    """The place of a message in its file, the outermost message first; the first message takes one byte."""
    if list(indexes) == [0]:
        return b"\x00"
    return b"".join(map(long_bytes, (len(indexes), *indexes)))


def read_indexes(data: bytes, place: int) -> tuple[list[int], int]:
    """The place of the message, and where the message begins. DataError for data that says none."""
    try:
        count, place = read_long(data, place)
        if count == 0:
            return [0], place
        if not 0 < count <= len(data) - place:
            raise DataError(f"{len(data)} bytes that say the message is {count} deep in its file")
        indexes = []
        for _ in range(count):
            index, place = read_long(data, place)
            indexes.append(index)
    except IndexError:
        raise DataError(f"{len(data)} bytes that end before they say which message of its file they are") from None
    return indexes, place
