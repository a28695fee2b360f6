"""Connect's primitive types as msgspec types, for reading and writing JSON."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec

from kconnect.schema import Type

FLOAT_MAX: Final = 1.7976931348623157e308
INTEGER_BITS: Final = {Type.INT8: 8, Type.INT16: 16, Type.INT32: 32, Type.INT64: 64}

PRIMITIVES: Final[dict[Type, Any]] = {
    **{
        type_: Annotated[int, msgspec.Meta(ge=-(1 << (bits - 1)), le=(1 << (bits - 1)) - 1)]
        for type_, bits in INTEGER_BITS.items()
    },
    # The bounds keep NaN and the infinities out: JSON has no numbers for them, and msgspec would write null.
    Type.FLOAT32: Annotated[float, msgspec.Meta(ge=-FLOAT_MAX, le=FLOAT_MAX)],
    Type.FLOAT64: Annotated[float, msgspec.Meta(ge=-FLOAT_MAX, le=FLOAT_MAX)],
    Type.BOOLEAN: bool,
    Type.STRING: str,
    Type.BYTES: bytes,
}


def place(path: str) -> str:
    """How a message names the value at `path` (`.items[3].price`, empty for the whole)."""
    return path.lstrip(".") or "value"
