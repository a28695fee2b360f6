"""Equality as the vectors mean it."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from typing import Any

import msgspec

from golden.decode import Float32


def same(expected: Any, ours: Any) -> bool:
    """Equal in kind and value: bool, int and float apart, -0.0 apart from 0.0, NaN equal to itself, decimals by
    their digits, maps in any order, `Float32` at its own precision."""
    if isinstance(expected, float):
        return type(ours) in (float, Float32) and _same_float(expected, ours)
    if isinstance(expected, dict):
        return _same_dict(expected, ours)
    if isinstance(expected, list | tuple):
        return (
            isinstance(ours, list | tuple)
            and len(expected) == len(ours)
            and all(same(a, b) for a, b in zip(expected, ours, strict=True))
        )
    if isinstance(expected, Decimal):
        return isinstance(ours, Decimal) and expected.as_tuple() == ours.as_tuple()
    if isinstance(expected, bytes):
        return isinstance(ours, bytes | bytearray | memoryview) and expected == bytes(ours)
    if isinstance(expected, msgspec.Struct):
        return type(expected) is type(ours) and all(
            same(getattr(expected, name), getattr(ours, name)) for name in expected.__struct_fields__
        )
    return type(expected) is type(ours) and bool(expected == ours)


def _same_float(expected: float, ours: float) -> bool:
    if math.isnan(expected) or math.isnan(ours):
        return math.isnan(expected) and math.isnan(ours)
    if isinstance(expected, Float32):
        try:
            return struct.pack("<f", expected) == struct.pack("<f", ours)
        except OverflowError:
            return False
    return expected == ours and math.copysign(1.0, expected) == math.copysign(1.0, ours)


def _same_dict(expected: dict[Any, Any], ours: Any) -> bool:
    if not isinstance(ours, dict) or len(expected) != len(ours):
        return False
    left = dict(ours)
    for key, value in expected.items():
        # 1, 1.0 and True are one key to a dict; NaN is none.
        found = next((k for k in left if same(key, k)), None)
        if found is None and None not in left:
            return False
        if not same(value, left.pop(found)):
            return False
    return True
