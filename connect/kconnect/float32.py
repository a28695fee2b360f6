"""Numbers of 32 bits in Python's floats, which have 64."""

from __future__ import annotations

import math
import struct
from typing import Final

OVERFLOW: Final = 3.4028235677973366e38
"""The least number that is an infinity in 32 bits."""

_layout: Final = struct.Struct("<f")


def rounded(value: float) -> float:
    """The nearest number that 32 bits hold; an infinity beyond their range, as a cast makes it."""
    try:
        return float(_layout.unpack(_layout.pack(value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def shortest(value: float) -> float:
    """The float with the shortest text among those that are the same number in 32 bits.

    That text is what Java prints: 0.1, where `rounded` gives 0.10000000149011612."""
    number = rounded(value)
    if number - number != 0.0:
        return number
    for digits in (6, 7, 8, 9):
        candidate = float(f"{value:.{digits}g}")
        if rounded(candidate) == number:
            return candidate
    return number
