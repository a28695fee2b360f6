"""MongoDB's Extended JSON, read in every form, and written letter by letter as Java's driver writes it: texts are keys,
which name partitions, and offsets, which are compared."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring
from typing import Any, Final

import msgspec
from bson import json_util
from bson.binary import Binary
from bson.code import Code
from bson.codec_options import DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef
from bson.decimal128 import Decimal128
from bson.errors import BSONError
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from kconnect import DataError
from kconnect.java_double import double_to_string
from kconnect_mongodb.client import Document

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_FIRST_MS: Final = -62_135_596_800_000
_LAST_ISO_MS: Final = 253_402_300_799_999
_REGEX_FLAGS: Final = ((2, "i"), (4, "l"), (8, "m"), (16, "s"), (32, "u"), (64, "x"))
_READING: Final = json_util.JSONOptions(
    tz_aware=True, document_class=dict, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)


_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError, BSONError)
"""All that comes out of the libraries for text that is not what it seems; msgspec's errors are ValueErrors."""


def parse_document(text: str | bytes) -> Document:
    """DataError for what is no JSON object. Whole numbers are of 32 bits where they fit, as BSON has them."""
    try:
        marked = ('"$' if isinstance(text, str) else b'"$') in text  # type: ignore[operator] # of one kind both
        found = json_util.loads(text, json_options=_READING) if marked else msgspec.json.decode(text)
    except _UNREADABLE as error:
        raise DataError(f"is no JSON document: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"is no JSON document but {type(found).__name__}")
    return found


def parse_value(text: str) -> Any:
    """As `parse_document`, of any JSON value."""
    return parse_document(f'{{"v": {text}}}')["v"]


def millis_of(value: datetime | DatetimeMS) -> int:
    """Since 1970; what is below a millisecond is cut off, as BSON does."""
    if isinstance(value, DatetimeMS):
        return int(value)
    aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MILLISECOND


Writer = Callable[[Any], str]


class JsonFormat:
    """A way to write BSON as JSON. `of_types` has the writers that differ, by class."""

    def __init__(self, of_types: Mapping[type, Writer]) -> None:
        self._writers: dict[type, Writer] = {
            str: encode_basestring,
            bool: lambda value: "true" if value else "false",
            type(None): lambda _: "null",
            dict: self.text,
            list: self._array,
            ObjectId: lambda value: f'{{"$oid": "{value}"}}',
            Decimal128: lambda value: f'{{"$numberDecimal": "{value}"}}',
            Timestamp: lambda value: f'{{"$timestamp": {{"t": {value.time}, "i": {value.inc}}}}}',
            MinKey: lambda _: '{"$minKey": 1}',
            MaxKey: lambda _: '{"$maxKey": 1}',
            Code: self._code,
            DBRef: lambda value: self.text(value.as_doc()),
            **of_types,
        }

    def text(self, document: Mapping[str, Any]) -> str:
        """DataError for a value that is none of BSON's."""
        writers = self._writers
        parts = []
        for name, value in document.items():
            writer = writers.get(value.__class__)
            parts.append(f"{encode_basestring(name)}: {self._other(value) if writer is None else writer(value)}")
        return f"{{{', '.join(parts)}}}"

    def value(self, value: Any) -> str:
        writer = self._writers.get(value.__class__)
        return self._other(value) if writer is None else writer(value)

    def _array(self, values: list[Any]) -> str:
        return f"[{', '.join(map(self.value, values))}]"

    def _code(self, value: Code) -> str:
        scope = "" if value.scope is None else f', "$scope": {self.text(value.scope)}'
        return f'{{"$code": {encode_basestring(str(value))}{scope}}}'

    def _other(self, value: Any) -> str:
        """Of a subclass."""
        for each in type(value).__mro__:
            if each in self._writers:
                return self._writers[each](value)
        raise DataError(f"a value of type {type(value).__name__} has no form in JSON")


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _subtype(value: bytes) -> int:
    return value.subtype if isinstance(value, Binary) else 0


def _binary(value: bytes) -> str:
    return f'{{"$binary": {{"base64": "{_base64(value)}", "subType": "{_subtype(value):02x}"}}}}'


def _options(value: Regex[str]) -> str:
    return "".join(letter for flag, letter in _REGEX_FLAGS if value.flags & flag)


def _regex(value: Regex[str]) -> str:
    fields = f'"pattern": {encode_basestring(str(value.pattern))}, "options": "{_options(value)}"'
    return f'{{"$regularExpression": {{{fields}}}}}'


def _relaxed_date(value: datetime | DatetimeMS) -> str:
    millis = millis_of(value)
    if not 0 <= millis <= _LAST_ISO_MS:
        return _canonical_date(value)
    return f'{{"$date": "{_iso(millis)}"}}'


def _iso(millis: int) -> str:
    fraction = f".{millis % 1000:03d}".rstrip("0") if millis % 1000 else ""
    moment = _EPOCH + timedelta(milliseconds=millis - millis % 1000)
    return f"{moment.strftime('%Y-%m-%dT%H:%M:%S').rjust(19, '0')}{fraction}Z"


def _canonical_date(value: datetime | DatetimeMS) -> str:
    return f'{{"$date": {{"$numberLong": "{millis_of(value)}"}}}}'


def _canonical_int(value: int) -> str:
    kind = "Int" if -(2**31) <= value < 2**31 else "Long"
    return f'{{"$number{kind}": "{value}"}}'


def _canonical_double(value: float) -> str:
    return f'{{"$numberDouble": "{double_to_string(value)}"}}'


def _relaxed_double(value: float) -> str:
    finite = value == value and value not in (float("inf"), float("-inf"))
    return double_to_string(value) if finite else _canonical_double(value)


def _long(value: int) -> str:
    return f'{{"$numberLong": "{value}"}}'


def _wide(value: int) -> str:
    return str(value) if -(2**31) <= value < 2**31 else _long(value)


def _dated(write: Callable[[int], str]) -> dict[type, Writer]:
    both = lambda value: write(millis_of(value))  # noqa: E731
    return {datetime: both, DatetimeMS: both}


def _simple_iso(millis: int) -> str:
    """Java's ISO_DATE_TIME of an instant in UTC."""
    if not _FIRST_MS <= millis <= _LAST_ISO_MS:
        raise DataError(f"{millis} ms since 1970 is beyond the years 1 to 9999, which SimplifiedJson can write")
    return f'"{_iso(millis)}"'


DEFAULT: Final = JsonFormat(
    {
        int: _wide,
        Int64: _long,
        float: double_to_string,
        **_dated(lambda millis: f'{{"$date": {millis}}}'),
        **dict.fromkeys(
            (bytes, Binary), lambda value: f'{{"$binary": "{_base64(value)}", "$type": "{_subtype(value):02x}"}}'
        ),
        Regex: lambda value: f'{{"$regex": {encode_basestring(str(value.pattern))}, "$options": "{_options(value)}"}}',
    }
)
EXTENDED: Final = JsonFormat(
    {
        int: _canonical_int,
        Int64: _long,
        float: _canonical_double,
        datetime: _canonical_date,
        DatetimeMS: _canonical_date,
        bytes: _binary,
        Binary: _binary,
        Regex: _regex,
    }
)
_RELAXED: dict[type, Writer] = {
    int: str,
    Int64: str,
    float: _relaxed_double,
    datetime: _relaxed_date,
    DatetimeMS: _relaxed_date,
    bytes: _binary,
    Binary: _binary,
    Regex: _regex,
}
RELAXED: Final = JsonFormat(_RELAXED)
SIMPLIFIED: Final = JsonFormat(
    {
        **_RELAXED,
        **_dated(_simple_iso),
        **dict.fromkeys((bytes, Binary), lambda value: f'"{_base64(value)}"'),
        Decimal128: lambda value: f'"{value}"',
        ObjectId: lambda value: f'"{value}"',
    }
)
FORMATS: Final[Mapping[str, JsonFormat]] = {
    "DefaultJson": DEFAULT,
    "ExtendedJson": EXTENDED,
    "SimplifiedJson": SIMPLIFIED,
}


def json_array(text: str) -> list[Document]:
    """A JSON array of documents, as pipelines are. ValueError for anything else. Single backslashes are taken as they
    are meant where they are no JSON, as mongo-kafka does."""
    try:
        found = parse_value(text)
    except DataError:
        found = parse_value(text.replace("\\", "\\\\"))
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise DataError("is no JSON array of documents")
    return found


def json_document(text: str) -> Document:
    """As `json_array`, of one document."""
    try:
        return parse_document(text)
    except DataError:
        return parse_document(text.replace("\\", "\\\\"))
