from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect.java_double import double_to_string


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (0.001, "0.001"),
        (0.00099, "9.9E-4"),
        (9999999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (123456.789, "123456.789"),
        (123456789.5, "1.234567895E8"),
        (1e16, "1.0E16"),
        (2.0**63, "9.223372036854776E18"),
        (-1.5e-300, "-1.5E-300"),
        (-2.5e300, "-2.5E300"),
        (5e-324, "4.9E-324"),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
    ],
)
def test_doubles_are_written_as_java_writes_them(value: float, text: str) -> None:
    assert double_to_string(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_reads_back_from_its_text(value: float) -> None:
    assert float(double_to_string(value)) == value
    assert math.copysign(1, float(double_to_string(value))) == math.copysign(1, value)
