"""Conversions between primitive types as Java's numbers and strings convert: integers wrap, floats saturate."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from typing import Any, TypeAlias

from kconnect import float32
from kconnect.errors import DataError
from kconnect.java_double import double_to_string
from kconnect.java_text import instant_text
from kconnect.logical import epoch_days, epoch_millis, millis_of_day
from kconnect.schema import DATE_NAME, INTEGER_BITS, TIME_NAME, TIMESTAMP_NAME, Schema, Type

Conversion: TypeAlias = Callable[[Any], Any]
"""A value that is not null → the converted value. Raises DataError."""

CASTABLE = frozenset({*INTEGER_BITS, Type.FLOAT32, Type.FLOAT64, Type.BOOLEAN, Type.STRING, Type.BYTES})

_INTEGER = re.compile(r"[+-]?\d+")
_FLOAT = re.compile(
    r"[\x00-\x20]*[+-]?(?:(?P<special>NaN|Infinity)|(?P<hex>0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]*[pP][+-]?\d+)[fFdD]?"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[fFdD]?)[\x00-\x20]*",
    re.ASCII,
)


def conversion(source: Schema | None, target: Type) -> Conversion:
    """How values of `source` (None: without a schema) become `target`. Raises DataError when they never do."""
    if source is None:
        return _schemaless(_CONVERSIONS[target])
    if source.type not in CASTABLE:
        raise DataError(f"{source.type.value} cannot be cast, only primitive types can")
    logical = _ENCODINGS.get(source.name or "")
    if logical is None and source.name is None:
        return _between(source.type, target)
    convert = _CONVERSIONS[target]
    if logical is None or target is Type.STRING:
        return convert
    return lambda value: convert(logical(value))


def never_fails(convert: Conversion) -> bool:
    """Whether `convert` takes every value of the type it is for."""
    return convert in _NEVER_FAIL


def _between(source: Type, target: Type) -> Conversion:
    """The quickest way between two primitive types."""
    if source is target and target is not Type.BYTES:
        return unchanged
    if source in INTEGER_BITS:
        if target is Type.STRING:
            return str
        if target is Type.FLOAT64:
            return float
        if INTEGER_BITS.get(target, 0) >= INTEGER_BITS[source]:
            return unchanged
    if source is Type.STRING and target is Type.FLOAT64:
        return _parse_float
    if source is Type.FLOAT32:
        if target is Type.STRING:
            return _float32_to_string
        if target is Type.FLOAT64:
            return unchanged
    return _CONVERSIONS[target]


def _schemaless(convert: Conversion) -> Conversion:
    """Without a schema, Connect knows neither decimals nor instants."""

    def checked(value: Any) -> Any:
        if isinstance(value, Decimal | date | time):
            raise _unfit(value)
        return convert(value)

    return checked


def unchanged(value: Any) -> Any:
    return value


def to_string(value: Any) -> str:
    """As Java prints it; an instant is a time of day, a date or both, whichever says it all."""
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return double_to_string(value)
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, date | time):
        return instant_text(value)
    raise _unfit(value)


def _float32_to_string(value: float) -> str:
    return double_to_string(float32.shortest(value))


def _to_integer(bits: int) -> Conversion:
    """Wide integers lose their high bits; floats become an int first, as if written `(byte) (int) value` in Java."""
    float_bits = max(bits, 32)
    name = f"int{bits}"

    def convert(value: Any) -> int:
        if isinstance(value, int):
            return wrap(int(value), bits)
        if isinstance(value, float):
            return wrap(_saturated(value, float_bits), bits)
        if isinstance(value, str):
            if _INTEGER.fullmatch(value) is None or wrap(parsed := int(value), bits) != parsed:
                raise DataError(f"{value!r} is not a number of type {name}")
            return parsed
        if isinstance(value, Decimal):
            return wrap(int(value), bits)
        raise _unfit(value)

    return convert


def _to_float64(value: Any) -> float:
    if isinstance(value, str):
        return _parse_float(value)
    if isinstance(value, int | float | Decimal):
        return float(value)
    raise _unfit(value)


def _to_float32(value: Any) -> float:
    return float32.rounded(_to_float64(value))


def _to_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value.lower() == "true"
    if isinstance(value, int | Decimal):
        return wrap(int(value), 64) != 0
    if isinstance(value, float):
        return _saturated(value, 64) != 0
    raise _unfit(value)


def wrap(value: int, bits: int) -> int:
    """The two's complement number in the lowest `bits` of `value`."""
    half = 1 << (bits - 1)
    return ((value + half) & ((1 << bits) - 1)) - half


def _saturated(value: float, bits: int) -> int:
    if math.isnan(value):
        return 0
    limit = 1 << (bits - 1)
    if value >= limit:
        return limit - 1
    return -limit if value <= -limit else int(value)


def _parse_float(text: str) -> float:
    """As Java reads a double. What Python reads as a finite number, Java does too, underscores apart."""
    if "_" not in text and text.isascii():
        try:
            number = float(text)
        except ValueError:
            pass
        else:
            if number - number == 0:
                return number
    match = _FLOAT.fullmatch(text)
    if match is None:
        raise DataError(f"{text!r} is not a number")
    bare = text.strip("".join(map(chr, range(33))))
    if match["special"]:
        return float(bare.replace("Infinity", "inf"))
    if match["hex"]:
        try:
            return float.fromhex(bare.rstrip("fFdD") if "p" in bare.lower() else bare)
        except OverflowError:
            return -math.inf if bare.startswith("-") else math.inf
    return float(bare.rstrip("fFdD"))


def _unfit(value: object) -> DataError:
    return DataError(f"{type(value).__name__} is not a type that can be cast to this")


_CONVERSIONS: dict[Type, Conversion] = {
    **{type_: _to_integer(bits) for type_, bits in INTEGER_BITS.items()},
    Type.FLOAT32: _to_float32,
    Type.FLOAT64: _to_float64,
    Type.BOOLEAN: _to_boolean,
    Type.STRING: to_string,
}
_NEVER_FAIL = frozenset({str, float, unchanged, _float32_to_string})
_ENCODINGS: dict[str, Conversion] = {
    DATE_NAME: epoch_days,
    TIME_NAME: millis_of_day,
    TIMESTAMP_NAME: epoch_millis,
}
