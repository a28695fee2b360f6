"""What compiled encoders call for values that are not plainly what they should be.

They raise TypeError or DataError, of which the encoder makes an error that names the place."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kconnect import logical
from kconnect.errors import DataError


def as_integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise TypeError(f"{type(value).__name__} {value!r:.60} is no integer")


def as_float(value: Any) -> float:
    """Integers too: a Python driver gives 5 where a column of floats holds it."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return float(value)
    raise TypeError(f"{type(value).__name__} {value!r:.60} is no number")


def as_bytes(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"{type(value).__name__} {value!r:.60} is no bytes")


def misfit(value: Any) -> Any:
    """Never returns."""
    raise TypeError(f"{type(value).__name__} {value!r:.60} does not fit")


def require_no_other(value: Any, known: frozenset[str]) -> None:
    """DataError for a struct with a field that its schema does not have. Absent fields are null."""
    if not isinstance(value, dict):
        misfit(value)
    unknown = value.keys() - known
    if unknown:
        raise DataError(f"no field {', '.join(sorted(map(str, unknown)))} in the schema")


def decimal_unit(scale: int) -> Decimal:
    """The smallest decimal of that scale."""
    return Decimal((0, (1,), -scale))


def decimal_bytes(value: Decimal, unit: Decimal) -> bytes:
    """As logical.unscaled_bytes, for a scale whose smallest decimal is `unit`; text is the quickest way to its digits,
    where it has no exponent."""
    if not value.same_quantum(unit):
        raise DataError(f"decimal {value} does not have as many digits after the point as {unit}")
    try:
        unscaled = int(str(value).replace(".", ""))
    except ValueError:
        return logical.unscaled_bytes(value, -int(unit.as_tuple().exponent))
    return unscaled.to_bytes((unscaled + (unscaled < 0)).bit_length() // 8 + 1, "big", signed=True)


def padded(data: bytes, size: int) -> bytes:
    """The same two's complement number in `size` bytes."""
    if len(data) > size:
        raise DataError(f"a decimal of {len(data)} bytes does not fit into {size}")
    return (b"\xff" if data[0] > 0x7F else b"\x00") * (size - len(data)) + data
