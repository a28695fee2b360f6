"""Whether a Python value is what a schema says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from kconnect.errors import DataError
from kconnect.schema_type import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME, Type

if TYPE_CHECKING:
    from kconnect.schema import Schema

_CLASSES: Final[dict[Type, tuple[type, ...]]] = {
    Type.INT8: (int,),
    Type.INT16: (int,),
    Type.INT32: (int,),
    Type.INT64: (int,),
    Type.FLOAT32: (float,),
    Type.FLOAT64: (float,),
    Type.BOOLEAN: (bool,),
    Type.STRING: (str,),
    Type.BYTES: (bytes, bytearray, memoryview),
    Type.ARRAY: (list, tuple),
    Type.MAP: (dict,),
    Type.STRUCT: (dict,),
}
_LOGICAL_CLASSES: Final[dict[str, tuple[type, ...]]] = {
    DECIMAL_NAME: (Decimal,),
    DATE_NAME: (date,),
    TIME_NAME: (time,),
    TIMESTAMP_NAME: (datetime,),
}
_INTEGER_BITS: Final = {Type.INT8: 8, Type.INT16: 16, Type.INT32: 32, Type.INT64: 64}


class _MisfitError(Exception):
    """Why a value does not fit; gathers the path to it, innermost first, while it rises."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.path: list[str] = []


def validate_value(schema: Schema, value: Any, name: str | None = None) -> None:
    """Raise DataError if `value` is not what `schema` says. The message begins with `name` and the path from
    there to what does not fit: `order.items[3].price: …`."""
    try:
        _check(schema, value)
    except _MisfitError as misfit:
        path = "".join([name or "", *reversed(misfit.path)]).lstrip(".") or "value"
        raise DataError(f"{path}: {misfit.reason}") from None


def _check(schema: Schema, value: Any) -> None:
    if value is None:
        if schema.optional:
            return
        raise _MisfitError(f"null, but {schema!r} is required")
    classes = (_LOGICAL_CLASSES.get(schema.name) if schema.name else None) or _CLASSES[schema.type]
    # bool is an int and datetime a date to Python, not to Connect.
    impostor = classes[0] in (int, date) and isinstance(value, bool | datetime)
    if impostor or not isinstance(value, classes):
        raise _MisfitError(f"{schema!r} takes {classes[0].__name__}, not {_shown(value)}")
    _CHECKS.get(classes[0], _accept)(schema, value)


def _accept(schema: Schema, value: Any) -> None:
    """The class said it all."""


def _check_integer(schema: Schema, value: int) -> None:
    bits = _INTEGER_BITS[schema.type]
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise _MisfitError(f"{value} does not fit into {schema.type.value}")


def _check_instant(schema: Schema, value: datetime) -> None:
    if value.tzinfo is None:
        raise _MisfitError(f"{value.isoformat()} has no time zone; a timestamp is an instant")


def _check_array(schema: Schema, value: list[Any]) -> None:
    _check_elements(schema.value_schema, enumerate(value))


def _check_dict(schema: Schema, value: dict[Any, Any]) -> None:
    if schema.type is Type.STRUCT:
        _check_struct(schema, value)
    else:
        _check_elements(schema.key_schema, ((key, key) for key in value))
        _check_elements(schema.value_schema, value.items())


def _check_struct(schema: Schema, value: dict[str, Any]) -> None:
    for field in schema.fields:
        given = value.get(field.name)
        if given is None and (field.schema.optional or field.schema.default is not None):
            continue
        try:
            _check(field.schema, given)
        except _MisfitError as misfit:
            misfit.path.append(f".{field.name}")
            raise
    unknown = [str(name) for name in value if schema.field(name) is None]
    if unknown:
        raise _MisfitError(f"{schema!r} has no field {', '.join(unknown)}")


def _check_elements(schema: Schema | None, elements: Iterable[tuple[Any, Any]]) -> None:
    if schema is None:
        return
    for place, element in elements:
        try:
            _check(schema, element)
        except _MisfitError as misfit:
            misfit.path.append(f"[{place!r}]")
            raise


_CHECKS: Final[dict[type, Callable[[Schema, Any], None]]] = {
    int: _check_integer,
    datetime: _check_instant,
    list: _check_array,
    dict: _check_dict,
}


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '…'}"
