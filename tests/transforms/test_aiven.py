"""Aiven's transforms, of which there are no vectors: what its sources do."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect.errors import ConfigError, DataError
from kconnect.plugin import PluginKind
from kconnect.plugins import Plugins
from kconnect.record import SourceRecord
from kconnect.schema import (
    INT32_SCHEMA,
    INT64_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    STRING_SCHEMA,
    TIMESTAMP_SCHEMA,
    Schema,
)
from kconnect.schema_builder import SchemaBuilder

JAVA = "io.aiven.kafka.connect.transforms."
PLUGINS = Plugins.discover()
SCHEMA = (
    SchemaBuilder.struct()
    .name("shop.Order")
    .field("id", INT64_SCHEMA)
    .field("mail", OPTIONAL_STRING_SCHEMA)
    .field("at", TIMESTAMP_SCHEMA)
    .build()
)
AT = datetime(2024, 5, 1, 12, tzinfo=UTC)
VALUE = {"id": 17, "mail": "a@b.c", "at": AT}
KEY_SCHEMA = SchemaBuilder.struct().field("id", INT32_SCHEMA).field("shard", STRING_SCHEMA).build()
KEY = {"id": 5, "shard": "s1"}


def record(schema: Schema | None = None, value: Any = None, **more: Any) -> SourceRecord:
    return SourceRecord(None, None, "orders", value_schema=schema, value=value, **more)


@pytest.mark.parametrize("schema", [SCHEMA, None])
@pytest.mark.parametrize(("field", "topic"), [("mail", "a@b.c"), ("id", "17")])
def test_a_field_names_the_topic(transform, schema: Schema | None, field: str, topic: str) -> None:
    given = record(schema, VALUE)
    made = transform(JAVA + "ExtractTopic$Value", {"field.name": field}).apply(given)
    assert made == msgspec.structs.replace(given, topic=topic)


@pytest.mark.parametrize("schema", [SCHEMA, None])
@pytest.mark.parametrize(
    ("settings", "timestamp"),
    [
        ({"field.name": "at"}, 1714564800000),
        ({"field.name": "id"}, 17),
        ({"field.name": "id", "timestamp.resolution": "seconds"}, 17000),
    ],
)
def test_a_field_is_the_timestamp(transform, schema, settings: dict[str, str], timestamp: int) -> None:
    given = record(schema, VALUE)
    made = transform(JAVA + "ExtractTimestamp$Value", settings).apply(given)
    assert made == msgspec.structs.replace(given, timestamp=timestamp)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (record(SCHEMA, {**VALUE, "mail": None}), "mail.*neither an instant nor an int64"),
        (record(None, {}), "field.name=mail: null or missing"),
        (record(None, {"mail": "x"}), "field.name=mail: str"),
        (record(None, None), "needs a map, not null"),
    ],
)
def test_what_is_no_timestamp_is_named(transform, given: SourceRecord, says: str) -> None:
    with pytest.raises(DataError, match=says):
        transform(JAVA + "ExtractTimestamp$Value", {"field.name": "mail"}).apply(given)


@pytest.mark.parametrize(
    ("settings", "topic"),
    [
        ({}, "shop.Order"),
        ({"schema.name.topic-map": "x:y, shop.Order:orders-v1"}, "orders-v1"),
        ({"schema.name.topic-map": "x:y"}, "shop.Order"),
        ({"schema.name.regex": r"(?:[.\t]|^)([^.\t]*)$"}, "Order"),
        ({"schema.name.regex": "(nothing)"}, "shop.Order"),
    ],
)
def test_the_name_of_the_schema_names_the_topic(transform, settings: dict[str, str], topic: str) -> None:
    made = transform(JAVA + "ExtractTopicFromSchemaName$Value", settings).apply(record(SCHEMA, VALUE))
    assert made.topic == topic


def test_a_schema_without_a_name_names_no_topic(transform) -> None:
    with pytest.raises(DataError, match="has no name"):
        transform(JAVA + "ExtractTopicFromSchemaName$Value").apply(record(INT32_SCHEMA, 5))


@pytest.mark.parametrize("function", ["md5", "sha1", "sha256"])
@given(text=st.text())
def test_a_text_is_hashed_with_a_schema_and_without(function: str, text: str) -> None:
    hash_ = made("Hash$Value", {"field.name": "mail", "function": function})
    value = {**VALUE, "mail": text}
    expected = {**VALUE, "mail": hashlib.new(function, text.encode()).hexdigest()}
    assert hash_.apply(record(SCHEMA, value)) == record(SCHEMA, expected)
    assert hash_.apply(record(None, value)) == record(None, expected)


def test_a_whole_key_is_hashed(transform) -> None:
    hashed = transform(JAVA + "Hash$Key", function="md5").apply(record(key_schema=STRING_SCHEMA, key="abc"))
    assert hashed == record(key_schema=STRING_SCHEMA, key="900150983cd24fb0d6963f7d28e17f72")


@pytest.mark.parametrize("schema", [SCHEMA, None])
def test_what_is_null_is_hashed_only_if_that_may_be_skipped(transform, schema: Schema | None) -> None:
    given = record(schema, {**VALUE, "mail": None})
    settings = {"field.name": "mail", "function": "sha1"}
    with pytest.raises(DataError, match=r"field\.name=mail is null or missing: skip\.missing\.or\.null=true"):
        transform(JAVA + "Hash$Value", settings).apply(given)
    assert transform(JAVA + "Hash$Value", settings, **{"skip.missing.or.null": "true"}).apply(given) == given


@pytest.mark.parametrize(
    ("settings", "copied"),
    [
        ({"key.fields": "id"}, {"id": 5}),
        ({"key.fields": "id,shard", "value.fields": "kid"}, {"kid": 5, "shard": "s1"}),
        ({"key.fields": "*"}, {"_key": KEY}),
        ({"key.fields": "*,shard", "value.fields": "whole,s"}, {"whole": KEY, "s": "s1"}),
    ],
)
def test_the_key_is_copied_into_the_value(transform, settings: dict[str, str], copied: dict[str, Any]) -> None:
    copy = transform(JAVA + "KeyToValue", settings)
    with_schema = copy.apply(record(SCHEMA, VALUE, key_schema=KEY_SCHEMA, key=KEY))
    assert with_schema.value == VALUE | copied
    assert [field.name for field in with_schema.value_schema.fields] == list(VALUE | copied)
    assert with_schema.value_schema.name == "shop.Order"
    assert copy.apply(record(None, VALUE, key=KEY)).value == VALUE | copied


def test_a_key_without_a_schema_has_no_place_in_a_value_with_one(transform) -> None:
    with pytest.raises(DataError, match="the value has a schema, and the key has none"):
        transform(JAVA + "KeyToValue", {"key.fields": "*"}).apply(record(SCHEMA, VALUE, key="k"))
    with pytest.raises(ConfigError, match="two fields of the key would go to 'id'"):
        transform(JAVA + "KeyToValue", {"key.fields": "id,shard", "value.fields": "id,id"})


def test_a_tombstone_has_neither_value_nor_schema(transform) -> None:
    assert transform(JAVA + "MakeTombstone").apply(record(SCHEMA, VALUE, key="k")) == record(key="k")


@pytest.mark.parametrize("schema", [SCHEMA, None])
@pytest.mark.parametrize(
    ("settings", "matches"),
    [
        ({"field.name": "id", "field.value": "17"}, True),
        ({"field.name": "id", "field.value": "18"}, False),
        ({"field.name": "mail", "field.value": "a@b.c"}, True),
        ({"field.name": "mail", "field.value.pattern": "@b"}, True),
        ({"field.name": "id", "field.value.pattern": "^1.$"}, True),
        ({"field.name": "mail", "field.value.pattern": "x"}, False),
    ],
)
def test_records_are_kept_by_what_is_in_a_field(transform, schema, settings: dict[str, str], matches: bool) -> None:
    given = record(schema, VALUE)
    for wanted in (True, False):
        kept = transform(JAVA + "FilterByFieldValue$Value", settings | {"field.value.matches": str(wanted)})
        assert kept.apply(given) is (given if matches is wanted else None)
        assert kept.apply(record()) == record()


def test_a_number_is_not_the_truth(transform) -> None:
    keep = transform(JAVA + "FilterByFieldValue$Value", {"field.name": "on", "field.value": "1"})
    assert keep.apply(record(None, {"on": True})) is None
    assert keep.apply(record(None, {"on": 1})) == record(None, {"on": 1})


def made(name: str, settings: dict[str, str]) -> Any:
    """For tests of hypothesis, which take no fixtures of single tests."""
    cls: Any = PLUGINS.load(PLUGINS.resolve(PluginKind.TRANSFORMATION, JAVA + name))
    transform = cls()
    transform.configure(cls.config_class.parse(settings))
    return transform
