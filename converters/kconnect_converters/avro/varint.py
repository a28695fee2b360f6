"""Avro's integers: zigzag, seven bits a byte, the lowest first."""

from __future__ import annotations

from typing import Final

from kconnect.errors import DataError


def long_bytes(value: int) -> bytes:
    """The bytes of a number of at most 64 bits."""
    z = (value << 1) ^ (value >> 63)
    if z < 0x80:
        return bytes((z,))
    if z < 0x4000:
        return bytes((z & 0x7F | 0x80, z >> 7))
    if z < 0x200000:
        return bytes((z & 0x7F | 0x80, z >> 7 & 0x7F | 0x80, z >> 14))
    if z < 0x10000000:
        return bytes((z & 0x7F | 0x80, z >> 7 & 0x7F | 0x80, z >> 14 & 0x7F | 0x80, z >> 21))
    head = bytes((z & 0x7F | 0x80, z >> 7 & 0x7F | 0x80, z >> 14 & 0x7F | 0x80, z >> 21 & 0x7F | 0x80))
    z >>= 28
    if z < 0x80:
        return head + bytes((z,))
    if z < 0x4000:
        return head + bytes((z & 0x7F | 0x80, z >> 7))
    if z < 0x200000:
        return head + bytes((z & 0x7F | 0x80, z >> 7 & 0x7F | 0x80, z >> 14))
    rest = bytearray()
    while z >= 0x80:
        rest.append(z & 0x7F | 0x80)
        z >>= 7
    rest.append(z)
    return head + rest


SMALL: Final = 1024
"""Numbers from -SMALL to SMALL-1 have their bytes in SMALL_BYTES, at their own index: negative ones from its end."""
SMALL_BYTES: Final = tuple(long_bytes(n) for n in (*range(SMALL), *range(-SMALL, 0)))


def rest_of_varint(data: bytes, place: int, first: int) -> tuple[int, int]:
    """The number, still in zigzag, that begins with the byte `first` and goes on at `place`, and the place after it."""
    result, shift = first & 0x7F, 7
    while True:
        byte = data[place]
        place += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise DataError(f"a number of more than ten bytes at byte {place}")
    return result & 0xFFFFFFFFFFFFFFFF, place


def read_long(data: bytes, place: int) -> tuple[int, int]:
    """The number at `place`, and the place after it. IndexError when the data ends before it."""
    z, place = data[place], place + 1
    if z > 0x7F:
        z, place = rest_of_varint(data, place, z)
    return (z >> 1) ^ -(z & 1), place
