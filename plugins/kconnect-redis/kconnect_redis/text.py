"""Values of records as Redis keeps them: text, or bytes as they are."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import msgspec

from kconnect import DataError

Text = str | bytes


def text_encoder(charset: str) -> Callable[[Any], Text]:
    """What turns a value into text: numbers in digits, true and false, times in ISO 8601, structs, maps and arrays in
    JSON, bytes as they are. It raises DataError for what has no such form."""

    def in_charset(value: Any) -> Text:
        plain = _plain(value)
        try:
            return plain.encode(charset) if isinstance(plain, str) else plain
        except UnicodeEncodeError as error:
            raise DataError(f"has characters that redis.charset={charset} lacks: {error}") from error

    return _plain if is_utf8(charset) else in_charset


def is_utf8(charset: str) -> bool:
    return codecs.lookup(charset).name == "utf-8"


def json_of(value: Any) -> Text:
    """A JSON document: text and bytes are taken for one as they are."""
    return value if isinstance(value, (str, bytes)) else _json(value)


def _plain(value: Any) -> Text:
    kind = type(value)
    if kind is str or kind is bytes:
        return value  # type: ignore[no-any-return] # of just these types
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is float:
        return repr(value)
    if kind is Decimal:
        return format(value, "f")
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return _json(value)


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"cannot be written as JSON: {error}") from error
