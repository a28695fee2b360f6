"""Extended JSON, letter by letter as Java's driver writes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp

from kconnect import DataError
from kconnect_mongodb.client import CODEC
from kconnect_mongodb.json_text import DEFAULT, EXTENDED, RELAXED, SIMPLIFIED, parse_document, parse_value

OID = ObjectId("5f0000000000000000000001")
DAY = datetime(2026, 1, 2, 3, 4, 5, 120000, UTC)
FORMS: list[tuple[Any, str, str, str, str]] = [
    (5, "5", '{"$numberInt": "5"}', "5", "5"),
    (Int64(5), '{"$numberLong": "5"}', '{"$numberLong": "5"}', "5", "5"),
    (1.0, "1.0", '{"$numberDouble": "1.0"}', "1.0", "1.0"),
    (1e20, "1.0E20", '{"$numberDouble": "1.0E20"}', "1.0E20", "1.0E20"),
    (float("inf"), "Infinity", '{"$numberDouble": "Infinity"}', '{"$numberDouble": "Infinity"}', '{"$numberDouble": "Infinity"}'),  # noqa: E501
    (Decimal128("1.50"), '{"$numberDecimal": "1.50"}', '{"$numberDecimal": "1.50"}', '{"$numberDecimal": "1.50"}', '"1.50"'),  # noqa: E501
    (OID, f'{{"$oid": "{OID}"}}', f'{{"$oid": "{OID}"}}', f'{{"$oid": "{OID}"}}', f'"{OID}"'),
    (DAY, '{"$date": 1767323045120}', '{"$date": {"$numberLong": "1767323045120"}}', '{"$date": "2026-01-02T03:04:05.12Z"}', '"2026-01-02T03:04:05.12Z"'),  # noqa: E501
    (DatetimeMS(-1), '{"$date": -1}', '{"$date": {"$numberLong": "-1"}}', '{"$date": {"$numberLong": "-1"}}', '"1969-12-31T23:59:59.999Z"'),  # noqa: E501
    (b"a", '{"$binary": "YQ==", "$type": "00"}', '{"$binary": {"base64": "YQ==", "subType": "00"}}', '{"$binary": {"base64": "YQ==", "subType": "00"}}', '"YQ=="'),  # noqa: E501
    (Binary(b"a", 4), '{"$binary": "YQ==", "$type": "04"}', '{"$binary": {"base64": "YQ==", "subType": "04"}}', '{"$binary": {"base64": "YQ==", "subType": "04"}}', '"YQ=="'),  # noqa: E501
    (Regex("a", "i"), '{"$regex": "a", "$options": "i"}', *['{"$regularExpression": {"pattern": "a", "options": "i"}}'] * 3),  # noqa: E501
    (Timestamp(1, 2), *['{"$timestamp": {"t": 1, "i": 2}}'] * 4),
    (MaxKey(), *['{"$maxKey": 1}'] * 4),
    (Code("f", {"x": True}), *['{"$code": "f", "$scope": {"x": true}}'] * 4),
    (None, *["null"] * 4),
    ([1, "a\"\n", {}], '[1, "a\\"\\n", {}]', '[{"$numberInt": "1"}, "a\\"\\n", {}]', *['[1, "a\\"\\n", {}]'] * 2),
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=[type(form[0]).__name__ for form in FORMS])
def test_values_in_each_format(form: tuple[Any, str, str, str, str]) -> None:
    value, *texts = form
    assert [each.text({"v": value}) for each in (DEFAULT, EXTENDED, RELAXED, SIMPLIFIED)] == [
        f'{{"v": {text}}}' for text in texts
    ]


@pytest.mark.parametrize("form", FORMS, ids=[type(form[0]).__name__ for form in FORMS])
def test_what_is_written_type_by_type_is_read_back(form: tuple[Any, str, str, str, str]) -> None:
    value = bson.decode(bson.encode({"v": form[0]}, codec_options=CODEC), CODEC)["v"]
    read = parse_value(EXTENDED.value(value))
    assert bson.encode({"v": read}, codec_options=CODEC) == bson.encode({"v": value}, codec_options=CODEC)


@pytest.mark.parametrize(
    "text",
    ["", "[1]", "{", '{"a": {"$oid": "x"}}', '{"a": {"$date": "never"}}', '{"a": {"$numberDecimal": "x"}}', "nul"],
)
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="is no JSON document"):
        parse_document(text)
