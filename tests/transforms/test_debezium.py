"""Debezium's transforms, beyond what the golden vectors say."""

from __future__ import annotations

import json
import logging
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect.errors import ConfigError, DataError
from kconnect.record import Header, SourceRecord
from kconnect.schema import (
    INT32_SCHEMA,
    INT64_SCHEMA,
    OPTIONAL_BYTES_SCHEMA,
    OPTIONAL_INT32_SCHEMA,
    OPTIONAL_INT64_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    STRING_SCHEMA,
    Schema,
    Type,
    decimal_schema,
    validate_value,
)
from kconnect.schema_builder import SchemaBuilder
from kconnect_transforms.debezium.field_reference import FieldReference
from kconnect_transforms.debezium.java_hash import java_hash, murmur_hash
from kconnect_transforms.debezium.json_payload import JsonPayload
from kconnect_transforms.debezium.name_adjustment import FIELD_NAMES, SCHEMA_NAMES
from kconnect_transforms.debezium.time_zone import ZoneMove

JAVA = "io.debezium.transforms."
ROW = SchemaBuilder.struct().name("shop.orders.Value").optional().field("id", INT64_SCHEMA)
ROW_SCHEMA = ROW.field("note", OPTIONAL_STRING_SCHEMA).build()
SOURCE = SchemaBuilder.struct().field("table", STRING_SCHEMA).field("lsn", OPTIONAL_INT64_SCHEMA).build()
ENVELOPE = (
    SchemaBuilder.struct()
    .name("shop.orders.Envelope")
    .field("before", ROW_SCHEMA)
    .field("after", ROW_SCHEMA)
    .field("source", SOURCE)
    .field("op", STRING_SCHEMA)
    .field("ts_ms", OPTIONAL_INT64_SCHEMA)
    .build()
)


def event(op: str, before: Any = None, after: Any = None, **more: Any) -> SourceRecord:
    value = {"before": before, "after": after, "source": {"table": "orders", "lsn": 7}, "op": op, "ts_ms": 5}
    return SourceRecord(None, None, "shop.orders", value_schema=ENVELOPE, value=value, **more)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("op", FieldReference(None, "op", "__op")),
        ("lsn", FieldReference("source", "lsn", "__lsn")),
        ("id", FieldReference("transaction", "id", "__id")),
        ("source.ts_ms", FieldReference("source", "ts_ms", "__source_ts_ms")),
        ("source.ts_ms:at", FieldReference("source", "ts_ms", "__at")),
    ],
)
def test_references_to_fields_of_an_event_are_read(text: str, expected: FieldReference) -> None:
    assert FieldReference.parse(text, "__", "add.fields") == expected


@pytest.mark.parametrize("text", ["op:a:b", ":x", "a.", ".a"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"add\.headers: .*struct\.field"):
        FieldReference.parse(text, "__", "add.headers")


def test_rows_of_events_differ_in_what_is_dropped_by_each(transform) -> None:
    extract = transform(JAVA + "ExtractNewRecordState", {"drop.fields.header.name": "drop", "add.fields": "op,lsn"})
    plain = extract.apply(event("c", after={"id": 1, "note": "x"}))
    assert plain.value == {"id": 1, "note": "x", "__op": "c", "__lsn": 7}
    dropping = (Header("drop", None, ["note", "__op", "id"]),)
    dropped = extract.apply(event("c", after={"id": 1, "note": "x"}, headers=dropping))
    assert dropped.value == {"id": 1, "__lsn": 7}
    assert [field.name for field in dropped.value_schema.fields] == ["id", "__lsn"]
    for wrong in ("note", [{"a": 1}]):
        with pytest.raises(DataError, match="header 'drop' should list fields"):
            extract.apply(event("c", after={"id": 1}, headers=(Header("drop", None, wrong),)))


def test_a_header_without_a_schema_becomes_no_field(transform) -> None:
    move = transform(JAVA + "HeaderToValue", {"headers": "a,b", "fields": "x,y", "operation": "move"})
    a, b = Header("a", STRING_SCHEMA, "1"), Header("b", None, 2)
    given = event("c", after={"id": 1}, headers=(a,))
    assert move.apply(given).value == given.value | {"x": "1"}
    with pytest.raises(DataError, match="header 'b' has no schema"):
        move.apply(event("c", after={"id": 1}, headers=(a, b)))


@pytest.mark.parametrize(
    ("settings", "given", "says"),
    [
        (
            {"route.by.field": "nope"},
            event("c", after={"id": 1}),
            r"route\.by\.field: .*no field 'nope', it has id, note",
        ),
        ({"route.by.field": "id"}, event("c", after={"id": 1}), r"field 'id' is int64, not string"),
        ({"add.fields": "x.y"}, event("c", after={"id": 1}), "no field 'x'"),
        ({"add.fields": "source:src"}, event("c", after={"id": 1}), "add its fields one by one"),
        ({"add.fields": "op:note", "add.fields.prefix": ""}, event("c", after={"id": 1}), "a field 'note' already"),
    ],
)
def test_an_event_that_does_not_fit_is_explained(transform, settings: dict[str, str], given: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        transform(JAVA + "ExtractNewRecordState", settings).apply(given)


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("[1, 2]", Schema(Type.ARRAY, optional=True, value_schema=OPTIONAL_INT32_SCHEMA), [1, 2]),
        (
            '[{"a": 1}, {"b": "x"}]',
            Schema(
                Type.ARRAY,
                optional=True,
                value_schema=Schema(
                    Type.STRUCT,
                    name="p",
                    optional=True,
                    fields={"a": OPTIONAL_INT32_SCHEMA, "b": OPTIONAL_STRING_SCHEMA},
                ),
            ),
            [{"a": 1, "b": None}, {"a": None, "b": "x"}],
        ),
    ],
)
def test_json_arrays_are_expanded(text: str, schema: Schema, value: Any) -> None:
    assert JsonPayload(None, str).expand("p", text) == (schema, value)


def test_what_is_null_in_one_element_is_what_others_say() -> None:
    payload = JsonPayload(OPTIONAL_BYTES_SCHEMA, str)
    for text in ('[{"a": 1}, {"a": null}]', '[{"a": null}, {"a": 1}]'):
        schema = payload.expand("p", text).schema
        assert schema is not None
        assert schema.value_schema is not None
        assert schema.value_schema.fields[0].schema is OPTIONAL_INT32_SCHEMA
    with pytest.raises(DataError, match="a: "):
        payload.expand("p", '[{"a": 1}, {"a": "x"}]')


@pytest.mark.parametrize(
    "text", ["[", '{"a": NaN}', "[]", "[null]", '["a", 1]', "[" * 100_000, '{"a":' * 700 + "1" + "}" * 700]
)
def test_what_no_schema_fits_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        JsonPayload(None, str).expand("p", text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.dictionaries(st.text(min_size=1), inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1), JSON, max_size=4))
def test_whatever_is_expanded_fits_its_schema(document: dict[str, Any]) -> None:
    try:
        schema, value = JsonPayload(OPTIONAL_BYTES_SCHEMA, str).expand("p", json.dumps(document))
    except DataError:
        return
    assert schema is not None
    validate_value(schema, value)
    assert value.keys() <= document.keys()


OUTBOX = (
    SchemaBuilder.struct()
    .name("shop.outbox.Value")
    .field("id", STRING_SCHEMA)
    .field("aggregatetype", STRING_SCHEMA)
    .field("aggregateid", STRING_SCHEMA)
    .field("payload", OPTIONAL_STRING_SCHEMA)
    .build()
)
OUTBOX_ENVELOPE = (
    SchemaBuilder.struct().name("shop.outbox.Envelope").field("after", OUTBOX).field("op", STRING_SCHEMA).build()
)


def outbox(payload: str, op: str = "c") -> SourceRecord:
    row = {"id": "e1", "aggregatetype": "order", "aggregateid": "42", "payload": payload}
    value = {"after": row, "op": op}
    return SourceRecord(None, None, "shop.outbox", key="k", value_schema=OUTBOX_ENVELOPE, value=value)


def test_a_payload_that_cannot_be_expanded_stays_and_is_told(transform, caplog: pytest.LogCaptureFixture) -> None:
    router = transform(JAVA + "outbox.EventRouter", {"table.expand.json.payload": "true"})
    assert router.apply(outbox('{"a": [1]}')).value == {"a": [1]}
    assert not caplog.records
    mixed = router.apply(outbox('{"a": [1, "x"]}'))
    assert (mixed.value_schema, mixed.value) == (OPTIONAL_STRING_SCHEMA, '{"a": [1, "x"]}')
    assert "the elements of payload.a are of different kinds" in caplog.text


@pytest.mark.parametrize(("behavior", "level"), [("warn", logging.WARNING), ("error", logging.ERROR)])
def test_a_changed_row_of_an_outbox_is_left_out_and_told(transform, caplog, behavior: str, level: int) -> None:
    router = transform(JAVA + "outbox.EventRouter", {"table.op.invalid.behavior": behavior})
    assert router.apply(outbox("{}", op="u")) is None
    assert [entry.levelno for entry in caplog.records] == [level]


def test_an_event_that_says_not_where_it_goes_is_refused(transform) -> None:
    given = outbox("x")
    given.value["after"]["aggregatetype"] = None
    with pytest.raises(DataError, match=r"route\.by\.field: 'aggregatetype' is null"):
        transform(JAVA + "outbox.EventRouter").apply(given)


def test_the_envelope_of_an_event_is_named_after_where_it_goes(transform) -> None:
    settings = {"table.fields.additional.placement": "id:envelope:eid,aggregateid:header"}
    routed = transform(JAVA + "outbox.EventRouter", settings).apply(outbox("x"))
    assert routed.topic == "outbox.event.order"
    assert routed.value == {"payload": "x", "eid": "e1"}
    assert routed.value_schema.name == "shop.outbox.order.Value"
    assert [(header.key, header.value) for header in routed.headers] == [("id", "e1"), ("aggregateid", "42")]


@pytest.mark.parametrize(
    ("schema", "value", "code"),
    [
        (STRING_SCHEMA, "", 0),
        (STRING_SCHEMA, "hello", 99162322),
        (INT32_SCHEMA, -5, -5),
        (INT64_SCHEMA, 1 << 40, 256),
        (Schema(Type.BOOLEAN), True, 1231),
        (Schema(Type.FLOAT64), 1.5, 1073217536),
        (decimal_schema(2), Decimal("9.50"), 31 * 950 + 2),
        (decimal_schema(2), Decimal("-9.50"), -31 * 950 + 2),
        (decimal_schema(0), Decimal(1 << 40), 31 * 31 * 256),
    ],
)
def test_values_have_the_hashes_of_java(schema: Schema, value: Any, code: int) -> None:
    assert java_hash(schema, value) == code


def test_what_java_hashes_anew_each_time_is_refused() -> None:
    for hashed in (java_hash, murmur_hash):
        with pytest.raises(DataError, match="cannot be hashed"):
            hashed(ROW_SCHEMA, {"id": 1})


@pytest.mark.parametrize(
    ("mode", "field", "schema"),
    [
        ("none", "1 a.b-c", "1 a.b-c"),
        ("avro", "_1_a_b_c", "_1_a.b_c"),
        ("avro_unicode", "_u0031_u0020a_u002eb_u002dc", "_u0031_u0020a.b_u002dc"),
    ],
)
def test_names_are_made_fit_for_avro(mode: str, field: str, schema: str) -> None:
    assert FIELD_NAMES[mode]("1 a.b-c") == field
    assert SCHEMA_NAMES[mode]("1 a.b-c") == schema


TIMES = (
    SchemaBuilder.struct()
    .name("Value")
    .optional()
    .field("at", Schema(Type.INT64, optional=True, name="io.debezium.time.MicroTimestamp", version=1))
    .field("zoned", Schema(Type.STRING, optional=True, name="io.debezium.time.ZonedTimestamp", version=1))
    .build()
)
TIMED = SchemaBuilder.struct().name("Envelope.Envelope").field("after", TIMES).field("op", STRING_SCHEMA).build()


def timed(**after: Any) -> SourceRecord:
    return SourceRecord(None, None, "t", value_schema=TIMED, value={"after": after, "op": "c"})


@given(st.integers(-(10**15), 10**15), st.integers(-17 * 60, 17 * 60))
def test_a_time_read_in_a_fixed_zone_is_moved_back_by_its_opposite(micros: int, minutes: int) -> None:
    there, back = (ZoneMove(timezone(timedelta(minutes=each))) for each in (minutes, -minutes))
    forth, again = there.of("io.debezium.time.MicroTimestamp"), back.of("io.debezium.time.MicroTimestamp")
    assert forth is not None
    assert again is not None
    assert again(forth(micros)) == micros
    assert forth(micros) == micros - minutes * 60 * 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        "2023-01-14 12:00:00Z",
        "12:00:00Z",
        "2023-01-14T12:00:00",
        "x",
        "2023-01-14T12:00:00+19:00",
        "2023-13-14T12:00:00Z",
        "9999-12-31T23:00:00Z",
    ],
)
def test_a_text_that_is_no_timestamp_is_named(transform, text: str) -> None:
    with pytest.raises(DataError, match="is no timestamp with a zone"):
        transform(JAVA + "TimezoneConverter", {"converted.timezone": "+01:00"}).apply(timed(zoned=text))


def test_a_time_beyond_all_years_is_named(transform) -> None:
    with pytest.raises(DataError, match="beyond the years"):
        transform(JAVA + "TimezoneConverter", {"converted.timezone": "+01:00"}).apply(timed(at=2**62))


@pytest.mark.parametrize("zone", ["Nowhere/City", "+25:00", "+05:61", "Z", "../etc/passwd", "5"])
def test_what_is_no_zone_is_refused(transform, zone: str) -> None:
    with pytest.raises(ConfigError, match="is no time zone"):
        transform(JAVA + "TimezoneConverter", {"converted.timezone": zone})
