"""Numbers of every length, against Avro's definition."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kconnect.errors import DataError
from kconnect_converters.varint import SMALL, SMALL_BYTES, long_bytes, read_long

EDGES = sorted({sign * (1 << bits) + step for bits in range(63) for sign in (-1, 1) for step in (-1, 0, 1)})


def defined(value: int) -> bytes:
    z = 2 * value if value >= 0 else -2 * value - 1
    out = bytearray()
    while z > 0x7F:
        out.append(z % 0x80 + 0x80)
        z //= 0x80
    return bytes((*out, z))


@given(st.integers(-(1 << 63), (1 << 63) - 1))
@example(-(1 << 63))
@example((1 << 63) - 1)
def test_numbers_are_written_as_avro_says_and_read_back(value: int) -> None:
    assert long_bytes(value) == defined(value)
    assert read_long(b"??" + defined(value) + b"?", 2) == (value, 2 + len(defined(value)))


def test_numbers_at_the_ends_of_every_length_too() -> None:
    assert [long_bytes(value) for value in EDGES] == [defined(value) for value in EDGES]
    assert [read_long(defined(value), 0)[0] for value in EDGES] == EDGES


def test_small_numbers_are_at_their_own_index() -> None:
    assert [SMALL_BYTES[n] for n in range(-SMALL, SMALL)] == [defined(n) for n in range(-SMALL, SMALL)]


def test_more_than_ten_bytes_are_no_number() -> None:
    with pytest.raises(DataError, match="ten bytes"):
        read_long(b"\xff" * 20, 0)


@pytest.mark.parametrize("value", [1 << 63, -(1 << 63) - 1, 1 << 64, -(1 << 64), 1 << 100, -(1 << 100)])
def test_more_than_64_bits_are_refused(value: int) -> None:
    with pytest.raises(OverflowError, match="64 bits"):
        long_bytes(value)
