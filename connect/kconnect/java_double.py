"""Floats as Java prints its doubles."""

from __future__ import annotations

from decimal import Decimal


def double_to_string(value: float) -> str:
    """The shortest text that reads back as `value`: plain between 1e-3 and 1e7, otherwise as `1.0E-5`; NaN,
    Infinity."""
    if value - value != 0.0:
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    text = repr(float(value))
    if value == 0.0 or 1e-3 <= abs(value) < 1e7:
        return text
    sign, digits, _ = (number := Decimal(text).normalize()).as_tuple()
    if len(digits) == 1:  # Java prints two digits at least, and of those the nearest: 4.9E-324
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa}E{int(exponent)}"
    return f"{'-' * sign}{digits[0]}.{''.join(map(str, digits[1:]))}E{number.adjusted()}"
