"""Integers in zigzag, seven bits a byte, the lowest first, as Avro and Kafka have them."""

from __future__ import annotations

from typing import Final

from kconnect.errors import DataError


class _Last(dict[int, bytes]):
    """The bytes of numbers below 2**14 that end there; made when first asked for."""

    def __missing__(self, number: int) -> bytes:
        made = bytes((number,)) if number < 0x80 else bytes((number & 0x7F | 0x80, number >> 7))
        self[number] = made
        return made


class _Continued(dict[int, bytes]):
    """The two bytes of 14 bits that more follow; made when first asked for."""

    def __missing__(self, number: int) -> bytes:
        made = bytes((number & 0x7F | 0x80, number >> 7 | 0x80))
        self[number] = made
        return made


_last = _Last()
_continued = _Continued()


def long_bytes(value: int) -> bytes:
    """The bytes of a number. OverflowError when it has more than 64 bits."""
    z = (value << 1) ^ (value >> 63)
    if z < 1 << 14:
        return _last[z]
    if z < 1 << 28:
        return _continued[z & 0x3FFF] + _last[z >> 14]
    if z < 1 << 42:
        return _continued[z & 0x3FFF] + _continued[z >> 14 & 0x3FFF] + _last[z >> 28]
    if z >> 64:
        raise OverflowError(f"{value} has more than 64 bits")
    head = _continued[z & 0x3FFF] + _continued[z >> 14 & 0x3FFF] + _continued[z >> 28 & 0x3FFF]
    z >>= 42
    return head + (_last[z] if z < 1 << 14 else _continued[z & 0x3FFF] + _last[z >> 14])


SMALL: Final = 1024
"""Numbers from -SMALL to SMALL-1 have their bytes in SMALL_BYTES, at their own index: negative ones from its end."""
SMALL_BYTES: Final = tuple(long_bytes(n) for n in (*range(SMALL), *range(-SMALL, 0)))


def rest_of_varint(data: bytes, place: int, first: int) -> tuple[int, int]:
    """The number, still in zigzag, that begins with the byte `first` and goes on at `place`, and the place after it."""
    # What is taken off at the end are the marks of the bytes that others follow.
    b = data[place]
    if b < 0x80:
        return first + (b << 7) - 0x80, place + 1
    c = data[place + 1]
    if c < 0x80:
        return first + (b << 7) + (c << 14) - 0x4080, place + 2
    d = data[place + 2]
    if d < 0x80:
        return first + (b << 7) + (c << 14) + (d << 21) - 0x204080, place + 3
    e = data[place + 3]
    if e < 0x80:
        return first + (b << 7) + (c << 14) + (d << 21) + (e << 28) - 0x10204080, place + 4
    f = data[place + 4]
    if f < 0x80:
        return first + (b << 7) + (c << 14) + (d << 21) + (e << 28) + (f << 35) - 0x810204080, place + 5
    return _rest_of_long_varint(data, place, first)


def _rest_of_long_varint(data: bytes, place: int, first: int) -> tuple[int, int]:
    result, shift = first & 0x7F, 7
    while True:
        byte = data[place]
        place += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, place
        shift += 7
        if shift > 63:
            raise DataError(f"a number of more than ten bytes at byte {place}")


def read_long(data: bytes, place: int) -> tuple[int, int]:
    """The number at `place`, and the place after it. IndexError when the data ends before it."""
    z, place = data[place], place + 1
    if z > 0x7F:
        z, place = rest_of_varint(data, place, z)
    return (z >> 1) ^ -(z & 1), place
