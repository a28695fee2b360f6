"""Hashes of values as Java and Infinispan compute them: 32 bits, signed."""

from __future__ import annotations

import struct
from datetime import date, time
from decimal import Decimal
from typing import Any, Final

from kconnect.errors import DataError
from kconnect.logical import from_logical
from kconnect.schema import Schema, Type

_MASK32: Final = (1 << 32) - 1
_MASK64: Final = (1 << 64) - 1
_MILLIS_PER_DAY: Final = 86_400_000
_SEED: Final = 9001


def signed(value: int) -> int:
    """The lowest 32 bits as an int of Java."""
    value &= _MASK32
    return value - (1 << 32) if value >> 31 else value


def java_hash(schema: Schema, value: Any) -> int:
    """`hashCode` of what Java holds for the value. Raises DataError for structs, maps, lists and bytes: those of Java's
    have hashes that differ from run to run, or are too slow."""
    if isinstance(value, str):
        return _text_hash(value)
    if isinstance(value, bool):
        return 1231 if value else 1237
    if isinstance(value, Decimal):
        return _decimal_hash(value)
    if isinstance(value, date | time):
        primitive = from_logical(schema, value)
        is_day = isinstance(value, date) and schema.type is Type.INT32
        return _long_hash(primitive * _MILLIS_PER_DAY if is_day else primitive)
    if isinstance(value, int):
        return _long_hash(value) if schema.type is Type.INT64 else signed(value)
    if isinstance(value, float):
        if schema.type is Type.FLOAT32:
            return signed(int.from_bytes(struct.pack(">f", value), "big"))
        return _long_hash(int.from_bytes(struct.pack(">d", value), "big"))
    raise DataError(f"{schema!r} cannot be hashed: name fields that are texts, numbers, booleans or times")


def murmur_hash(schema: Schema, value: Any) -> int:
    """Infinispan's MurmurHash3: of a text's bytes in UTF-8, of anything else's `hashCode`."""
    if isinstance(value, str):
        return _murmur(value.encode("utf-8", "replace"))
    return _murmur(struct.pack("<i", java_hash(schema, value)))


def _text_hash(text: str) -> int:
    code = 0
    units = text.encode("utf-16-be", "surrogatepass")
    for at in range(0, len(units), 2):
        code = (31 * code + (units[at] << 8) + units[at + 1]) & _MASK32
    return signed(code)


def _long_hash(value: int) -> int:
    bits = value & _MASK64
    return signed(bits ^ (bits >> 32))


def _decimal_hash(value: Decimal) -> int:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise DataError(f"{value} cannot be hashed")
    unscaled = int("".join(map(str, digits)) or "0")
    words = unscaled.to_bytes((unscaled.bit_length() + 31) // 32 * 4, "big")
    code = 0
    for at in range(0, len(words), 4):
        code = (31 * code + int.from_bytes(words[at : at + 4], "big")) & _MASK32
    return signed(31 * (-code if sign else code) - exponent)


def _murmur(data: bytes) -> int:
    """The upper half of the first 64 of the 128 bits, of the variant for 64-bit machines."""
    mixing = _Mixing()
    whole = len(data) // 16 * 16
    for at in range(0, whole, 16):
        mixing.mix(*struct.unpack_from("<QQ", data, at))
    if whole < len(data):
        mixing.mix(_tail(data[whole : whole + 8]), _tail(data[whole + 8 :]))
    return signed(mixing.end(len(data)) >> 32)


def _tail(data: bytes) -> int:
    """Bytes are signed, so that one past 127 flips every bit above it."""
    word = 0
    for at, byte in enumerate(data):
        word ^= (byte - 256 if byte > 127 else byte) << (8 * at)
    return word & _MASK64


class _Mixing:
    """The state between two blocks of 16 bytes."""

    def __init__(self) -> None:
        self._h1 = 0x9368E53C2F6AF274 ^ _SEED
        self._h2 = 0x586DCD208F7CD3FD ^ _SEED
        self._c1 = 0x87C37B91114253D5
        self._c2 = 0x4CF5AD432745937F

    def mix(self, k1: int, k2: int) -> None:
        k1 = _rotated(k1 * self._c1, 23) * self._c2
        self._h1 = ((self._h1 ^ k1) + self._h2) & _MASK64
        self._h2 = _rotated(self._h2, 41)
        k2 = _rotated(k2 * self._c2, 23) * self._c1
        self._h2 = ((self._h2 ^ k2) + self._h1) & _MASK64
        self._h1 = (self._h1 * 3 + 0x52DCE729) & _MASK64
        self._h2 = (self._h2 * 3 + 0x38495AB5) & _MASK64
        self._c1 = (self._c1 * 5 + 0x7B7D159C) & _MASK64
        self._c2 = (self._c2 * 5 + 0x6BCE6396) & _MASK64

    def end(self, length: int) -> int:
        h2 = self._h2 ^ length
        h1 = (self._h1 + h2) & _MASK64
        h2 = (h2 + h1) & _MASK64
        return (_finished(h1) + _finished(h2)) & _MASK64


def _rotated(word: int, bits: int) -> int:
    word &= _MASK64
    return ((word << bits) | (word >> (64 - bits))) & _MASK64


def _finished(word: int) -> int:
    word = ((word ^ (word >> 33)) * 0xFF51AFD7ED558CCD) & _MASK64
    word = ((word ^ (word >> 33)) * 0xC4CEB9FE1A85EC53) & _MASK64
    return word ^ (word >> 33)
