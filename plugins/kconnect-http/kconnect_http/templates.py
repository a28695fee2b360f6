"""Texts with parts of a record in them: `/orders/${key}`, `${value.customer.id}`, `${header.trace}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from kconnect import ConfigError, DataError, SinkRecord
from kconnect_http.credentials import sendable

_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")

Read = Callable[[SinkRecord], Any]


class Template:
    """`name` is the configuration's key that it was given by; ConfigError for a variable that is none.

    `${topic}`, `${partition}`, `${offset}` (where the record was read), `${timestamp}`, `${key}`, `${key.path}`,
    `${header.name}`, `${value.path}`, and any other name is that of a field of the value."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        parts = _VARIABLE.split(text)
        self._texts = parts[::2]
        self._variables = [(variable, _reader(name, variable)) for variable in parts[1::2]]
        self.fixed = text if not self._variables else None
        """The text where nothing of a record is in it."""

    def render(self, record: SinkRecord, written: Callable[[str, str], str]) -> str:
        """`written` is given each variable and its text. DataError where the record has no such thing."""
        if self.fixed is not None:
            return self.fixed
        parts = [self._texts[0]]
        for (variable, read), text in zip(self._variables, self._texts[1:], strict=True):
            value = read(record)
            if value is None:
                raise DataError(f"has nothing for ${{{variable}}} of {self.name}")
            parts += (written(variable, _text(variable, value)), text)
        return "".join(parts)


class UrlTemplate(Template):
    """Of a URL: what comes from records is escaped, and can be no step of a path upwards and no empty one."""

    def of(self, record: SinkRecord) -> str:
        return self.fixed if self.fixed is not None else self.render(record, self._escaped)

    def _escaped(self, variable: str, text: str) -> str:
        if text.strip() in ("", ".", ".."):
            raise DataError(f"{text!r} cannot be ${{{variable}}} of {self.name}: it would make another URL")
        try:
            return quote(text, safe="")
        except UnicodeEncodeError as error:
            raise DataError(f"${{{variable}}} of {self.name} is no text: {error}") from error


class HeaderTemplate(Template):
    def of(self, record: SinkRecord) -> str:
        return self.fixed if self.fixed is not None else self.render(record, self._checked)

    def _checked(self, variable: str, text: str) -> str:
        if text and not sendable(text):
            raise DataError(f"${{{variable}}} of {self.name} has characters that a header cannot have")
        return text


class PlainTemplate(Template):
    def of(self, record: SinkRecord) -> str:
        return self.fixed if self.fixed is not None else self.render(record, lambda _, text: text)


def _reader(name: str, variable: str) -> Read:
    kind, _, rest = variable.partition(".")
    steps = rest.split(".") if rest else []
    if not variable or not all(variable.split(".")):
        raise ConfigError(f"${{{variable}}} names nothing", key=name, suggestion="such as ${key} or ${value.id}")
    if not rest and variable in _PLACES:
        return _PLACES[variable]
    if kind == "key":
        return lambda record: _at(record.key, steps)
    if kind == "value":
        return lambda record: _at(record.value, steps)
    if kind == "header" and rest:
        return lambda record: next((h.value for h in reversed(record.headers) if h.key == rest), None)
    return lambda record: _at(record.value, variable.split("."))


_PLACES: Final[Mapping[str, Read]] = {
    "topic": lambda record: record.topic,
    "partition": lambda record: record.original_partition,
    "offset": lambda record: record.original_offset,
    "timestamp": lambda record: record.timestamp,
}


def _at(value: Any, steps: list[str]) -> Any:
    for step in steps:
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def _text(variable: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise DataError(f"${{{variable}}} is no text: {error}") from error
    raise DataError(f"${{{variable}}} is a {type(value).__name__}, of which a text can be no part")
