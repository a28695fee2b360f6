"""The types of configuration values: how text becomes a value and back, by Kafka's rules exactly."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from kconnect.errors import ConfigError
from kconnect.java_double import double_to_string
from kconnect.redaction import HIDDEN, process_redactor

ClassResolver: TypeAlias = Callable[[str, str], object]
"""Looks a class up, given the key and the class name; raises ConfigError for a name that stands for no class."""


class Type(enum.Enum):
    """What a configuration value is. INT, SHORT and LONG are bounded as in Java."""

    BOOLEAN = "BOOLEAN"
    STRING = "STRING"
    INT = "INT"
    SHORT = "SHORT"
    LONG = "LONG"
    DOUBLE = "DOUBLE"
    LIST = "LIST"
    CLASS = "CLASS"
    PASSWORD = "PASSWORD"  # noqa: S105 - a type's name


class Password:
    """A secret. Prints as `[hidden]` everywhere; `value` is the secret itself, which this process hides from now on in
    what it logs (`kconnect.redaction`)."""

    __slots__ = ("value",)

    def __init__(self, value: str) -> None:
        self.value = value
        process_redactor.learn([value])

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Password) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)


def parse_type(name: str, value: Any, type_: Type, classes: ClassResolver | None = None) -> Any:
    """`value` as `type_`: text is trimmed and read, a value of the right type is taken as it is, None stays.

    CLASS values stay names; `classes`, if given, must know them. Raises ConfigError naming `name`, and the
    value unless it is a password.
    """
    if value is None:
        return None
    try:
        parsed = _PARSERS[type_](value)
        if type_ is Type.CLASS and classes is not None and isinstance(parsed, str):
            classes(name, parsed)
        return parsed
    except _UnfitError as e:
        shown = None if type_ is Type.PASSWORD else value
        raise ConfigError(str(e), key=name, value=shown, suggestion=e.suggestion) from None
    except ConfigError as e:
        raise ConfigError(e.reason, key=name, value=value, suggestion=e.suggestion) from e


def convert_to_string(value: Any, type_: Type | None) -> str | None:
    """The text that `parse_type` reads back as `value` (but `[hidden]` for a password). None stays None."""
    if value is None:
        return None
    if type_ is None:
        return str(value)
    if type_ is Type.BOOLEAN:
        return "true" if value else "false"
    if type_ is Type.DOUBLE:
        return double_to_string(value)
    if type_ is Type.LIST:
        return ",".join(str(item) for item in value)
    if type_ is Type.CLASS and isinstance(value, type):
        return f"{value.__module__}:{value.__qualname__}"
    return str(value)


class _UnfitError(Exception):
    """Why a value does not fit a type."""

    def __init__(self, reason: str, suggestion: str | None = None) -> None:
        super().__init__(reason)
        self.suggestion = suggestion


_JAVA_BLANK = "".join(map(chr, range(0x21)))
_INTEGER = re.compile(r"[+-]?\d+")
_DECIMAL = re.compile(r"[+-]?(NaN|Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[fFdD]?)", re.ASCII)
_HEX = re.compile(r"([+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?\d+)[fFdD]?", re.ASCII)
_COMMA = re.compile(r"\s*,\s*", re.ASCII)


def _kind(value: object) -> str:
    return type(value).__name__


def _trim(text: str) -> str:
    """Without the characters up to U+0020 at both ends, as Java trims."""
    return text.strip(_JAVA_BLANK)


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = _trim(value).lower()
        if text in ("true", "false"):
            return text == "true"
    raise _UnfitError("is not a boolean", "write true or false")


def _string(value: Any) -> str:
    if isinstance(value, str):
        return _trim(value)
    raise _UnfitError(f"is not text but of type {_kind(value)}", "put it in quotes")


def _integer(bits: int) -> Callable[[Any], int]:
    lowest, highest = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def parse(value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            number = value
        elif isinstance(value, str):
            text = _trim(value)
            if not _INTEGER.fullmatch(text):
                raise _UnfitError("is not a whole number", "write digits only, such as 1000")
            number = int(text)
        else:
            raise _UnfitError(f"is not a whole number but of type {_kind(value)}")
        if not lowest <= number <= highest:
            raise _UnfitError(f"does not fit into {bits} bits", f"it must lie between {lowest} and {highest}")
        return number

    return parse


def _double(value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str):
        raise _UnfitError(f"is not a number but of type {_kind(value)}")
    text = _trim(value)
    if _DECIMAL.fullmatch(text):
        return float(text if text.endswith(("NaN", "Infinity")) else text.rstrip("fFdD"))
    if hexadecimal := _HEX.fullmatch(text):
        try:
            return float.fromhex(hexadecimal[1])
        except OverflowError:
            return -math.inf if text.startswith("-") else math.inf
    raise _UnfitError("is not a number", "write it like 1.5")


def _list(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, str):
        text = _trim(value)
        return _COMMA.split(text) if text else []
    raise _UnfitError(f"is not a list but of type {_kind(value)}", "separate its items by commas")


def _class(value: Any) -> type | str:
    if isinstance(value, type):
        return value
    if isinstance(value, str):
        return _trim(value)
    raise _UnfitError(f"is not the name of a class but of type {_kind(value)}")


def _password(value: Any) -> Password:
    if isinstance(value, Password):
        return value
    if isinstance(value, str):
        return Password(_trim(value))
    raise _UnfitError(f"must be text; a value of type {_kind(value)} was given", "put it in quotes")


_PARSERS: dict[Type, Callable[[Any], Any]] = {
    Type.BOOLEAN: _boolean,
    Type.STRING: _string,
    Type.INT: _integer(32),
    Type.SHORT: _integer(16),
    Type.LONG: _integer(64),
    Type.DOUBLE: _double,
    Type.LIST: _list,
    Type.CLASS: _class,
    Type.PASSWORD: _password,
}
