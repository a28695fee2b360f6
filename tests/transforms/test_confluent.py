"""Confluent's transforms, of which there are no vectors: what its reference says of each."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kconnect.errors import ConfigError, DataError
from kconnect.plugin import PluginKind
from kconnect.record import Header, SourceRecord
from kconnect.schema import INT32_SCHEMA, INT64_SCHEMA, STRING_SCHEMA, Schema
from kconnect.schema_builder import SchemaBuilder

JAVA = "io.confluent.connect.transforms."
INNER = SchemaBuilder.struct().field("topic", STRING_SCHEMA).build()
SCHEMA = SchemaBuilder.struct().field("id", INT64_SCHEMA).field("to", STRING_SCHEMA).field("inner", INNER).build()
VALUE = {"id": 1, "to": "there", "inner": {"topic": "nested"}}


def record(schema: Schema | None = None, value: Any = None, **more: Any) -> SourceRecord:
    return SourceRecord(None, None, "orders", value_schema=schema, value=value, **more)


@pytest.mark.parametrize("schema", [SCHEMA, None])
@pytest.mark.parametrize(
    ("settings", "topic"),
    [
        ({"field": "to"}, "there"),
        ({"field": "id"}, "1"),
        ({"field": "$.inner.topic", "field.format": "JSON_PATH"}, "nested"),
        ({"field": "$['inner']['topic']", "field.format": "json_path"}, "nested"),
        ({"field": "gone", "skip.missing.or.null": "true"}, "orders"),
        ({"field": "$.gone.topic", "field.format": "JSON_PATH", "skip.missing.or.null": "true"}, "orders"),
    ],
)
def test_a_field_names_the_topic(transform, schema: Schema | None, settings: dict[str, str], topic: str) -> None:
    given = record(schema, VALUE)
    made = transform(JAVA + "ExtractTopic$Value", settings).apply(given)
    assert made == msgspec.structs.replace(given, topic=topic)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (record(SCHEMA, {**VALUE, "to": ""}), "field 'to' of the value is null or blank"),
        (record(SCHEMA, {**VALUE, "to": " "}), "field 'to' of the value is null or blank"),
        (record(None, {}), "skip.missing.or.null=true"),
        (record(INNER, {"topic": "x"}), "field 'to' of the value is missing"),
        (record(None, {"to": [1]}), "is list, and no topic"),
        (record(INT32_SCHEMA, 1), "needs a struct, not int"),
    ],
)
def test_a_record_that_names_no_topic_is_explained(transform, given: SourceRecord, says: str) -> None:
    with pytest.raises(DataError, match=says):
        transform(JAVA + "ExtractTopic$Value", {"field": "to"}).apply(given)


def test_the_last_header_of_a_key_names_the_topic(transform) -> None:
    headers = (Header("t", STRING_SCHEMA, "a"), Header("t", STRING_SCHEMA, "b"), Header("u", STRING_SCHEMA, "c"))
    extract = transform(JAVA + "ExtractTopic$Header", {"field": "t"})
    assert extract.apply(record(headers=headers)).topic == "b"
    with pytest.raises(DataError, match="header 't' is missing"):
        extract.apply(record())
    skipping = transform(JAVA + "ExtractTopic$Header", {"field": "t", "skip.missing.or.null": "true"})
    assert skipping.apply(record()).topic == "orders"


@pytest.mark.parametrize(
    ("behavior", "given", "expected"),
    [
        ("nullify", INT32_SCHEMA, None),
        ("retain", INT32_SCHEMA, INT32_SCHEMA),
        ("force_optional", INT32_SCHEMA, INT32_SCHEMA.replace(optional=True)),
        ("validate", INT32_SCHEMA.replace(optional=True), INT32_SCHEMA.replace(optional=True)),
        ("force_optional", None, None),
    ],
)
def test_a_dropped_key_leaves_of_its_schema_what_is_asked_for(transform, behavior, given, expected) -> None:
    before = record(SCHEMA, VALUE, key_schema=given, key=5)
    after = transform(JAVA + "Drop$Key", {"schema.behavior": behavior}).apply(before)
    assert after == msgspec.structs.replace(before, key_schema=expected, key=None)


def test_a_schema_that_null_does_not_fit_is_refused_when_it_is_validated(transform) -> None:
    with pytest.raises(DataError, match=r"schema\.behavior=force_optional"):
        transform(JAVA + "Drop$Value", {"schema.behavior": "validate"}).apply(record(INT32_SCHEMA, 5))


@pytest.mark.parametrize("schema", [SCHEMA, None])
@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("$[?(@.to == 'there')]", True),
        ("$[?(@.to == 'here')]", False),
        ("$.inner[?(@.topic =~ /nes.*/)]", True),
        ("$.id", True),
    ],
)
def test_a_filter_keeps_what_matches_or_the_others(transform, schema, condition: str, kept: bool) -> None:
    given = record(schema, VALUE)
    for kind, expected in (("include", kept), ("exclude", not kept)):
        filtered = transform(JAVA + "Filter$Value", {"filter.condition": condition, "filter.type": kind}).apply(given)
        assert filtered is (given if expected else None)


def test_a_filter_is_told_what_to_do_where_the_path_leads_to_nothing(transform) -> None:
    settings = {"filter.condition": "$.gone[?(@.x == 1)]", "filter.type": "include"}
    given = record(None, VALUE)
    with pytest.raises(DataError, match=r"nothing at \$\.gone .*missing.or.null.behavior=include"):
        transform(JAVA + "Filter$Value", settings).apply(given)
    for behavior, expected in (("include", given), ("exclude", None)):
        made = transform(JAVA + "Filter$Value", settings | {"missing.or.null.behavior": behavior})
        assert made.apply(given) is expected


def test_a_condition_that_is_no_path_is_refused(transform) -> None:
    with pytest.raises(ConfigError, match="is not a JSON path") as refusal:
        transform(JAVA + "Filter$Value", {"filter.condition": "$[?(@.x = 1)]", "filter.type": "include"})
    assert refusal.value.key == "filter.condition"


@pytest.mark.parametrize(
    ("name", "drops", "warns", "fails"),
    [
        (JAVA + "TombstoneHandler", "ignore", "warn", "fail"),
        ("io.aiven.kafka.connect.transforms.TombstoneHandler", "drop_silent", "DROP_WARN", "fail"),
    ],
)
def test_tombstones_are_dropped_or_refused(transform, caplog, name: str, drops: str, warns: str, fails: str) -> None:
    full, tombstone = record(None, VALUE), record(key="k")
    assert transform(name, behavior=drops).apply(full) is full
    assert transform(name, behavior=drops).apply(tombstone) is None
    assert not caplog.records
    assert transform(name, behavior=warns).apply(tombstone) is None
    assert "a tombstone for the key 'k': dropped" in caplog.text
    with pytest.raises(DataError, match="a tombstone for the key 'k'"):
        transform(name, behavior=fails).apply(tombstone)


def test_a_name_that_two_vendors_use_is_not_guessed(plugins) -> None:
    with pytest.raises(ConfigError, match="ExtractTopic\\$Value could mean several classes"):
        plugins.resolve(PluginKind.TRANSFORMATION, "ExtractTopic$Value")
    found = plugins.resolve(PluginKind.TRANSFORMATION, "Filter")
    assert found.class_name == "kconnect_transforms.filter:Filter"
