"""Schemas: interned, immutable, shared; builders and what they refuse."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from kconnect.errors import DataError
from kconnect.schema import (
    BYTES_SCHEMA,
    DATE_SCHEMA,
    INT32_SCHEMA,
    INT64_SCHEMA,
    OPTIONAL_INT64_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    STRING_SCHEMA,
    TIME_SCHEMA,
    TIMESTAMP_SCHEMA,
    Schema,
    Type,
    decimal_schema,
    validate_value,
)
from kconnect.schema_builder import SchemaBuilder


def order_schema(name: str = "order") -> Schema:
    item = SchemaBuilder.struct().field("price", decimal_schema(2)).build()
    return (
        SchemaBuilder.struct()
        .name(name)
        .field("id", INT64_SCHEMA)
        .field("items", SchemaBuilder.array(item).optional().build())
        .build()
    )


def test_schemas_that_say_the_same_are_one_object() -> None:
    assert order_schema() is order_schema()
    assert Schema(Type.INT64, optional=True) is OPTIONAL_INT64_SCHEMA
    assert order_schema() != order_schema("other")


@pytest.mark.parametrize(
    ("schema", "one", "other"),
    [
        (Type.FLOAT64, 0.0, -0.0),
        (Type.BYTES, b"a", b"b"),
        (Type.BOOLEAN, True, False),
    ],
)
def test_defaults_that_differ_make_different_schemas(schema: Type, one: Any, other: Any) -> None:
    assert Schema(schema, default=one) is not Schema(schema, default=other)


def test_decimal_defaults_of_different_scale_make_different_schemas() -> None:
    schema = decimal_schema(2)
    assert schema.replace(default=Decimal("1.5")) is not schema.replace(default=Decimal("1.50"))


def test_parameters_in_another_order_make_the_same_schema() -> None:
    assert Schema(Type.INT32, parameters={"a": "1", "b": "2"}) is Schema(Type.INT32, parameters={"b": "2", "a": "1"})


def test_fields_in_another_order_make_another_schema() -> None:
    one = SchemaBuilder.struct().field("a", INT32_SCHEMA).field("b", INT32_SCHEMA).build()
    other = SchemaBuilder.struct().field("b", INT32_SCHEMA).field("a", INT32_SCHEMA).build()
    assert one is not other


@pytest.mark.parametrize("attribute", ["name", "optional", "fields", "anything"])
def test_a_schema_cannot_be_changed(attribute: str) -> None:
    with pytest.raises(AttributeError, match="never changes"):
        setattr(order_schema(), attribute, None)


def test_parameters_and_defaults_are_apart_from_what_was_given() -> None:
    parameters, default = {"scale": "2"}, [1, 2]
    schema = Schema(Type.ARRAY, value_schema=INT32_SCHEMA, parameters=parameters, default=default)
    parameters["scale"] = "3"
    default.append(3)
    assert schema.parameters == {"scale": "2"}
    assert schema.default == [1, 2]
    with pytest.raises(TypeError):
        schema.parameters["scale"] = "3"  # type: ignore[index] # a mapping that cannot be written to


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda schema: pickle.loads(pickle.dumps(schema))])
def test_a_copy_is_the_same_object(copied: Any) -> None:
    assert copied(order_schema()) is order_schema()


def test_a_schema_that_nobody_uses_is_forgotten() -> None:
    schema = order_schema("forgotten")
    gone = weakref.ref(schema)
    del schema
    gc.collect()
    assert gone() is None


def test_threads_get_the_same_object() -> None:
    for attempt in range(50):
        found: list[Schema] = []
        start = threading.Barrier(4)

        def build(attempt: int = attempt, found: list[Schema] = found, start: threading.Barrier = start) -> None:
            start.wait(10)
            found.append(order_schema(f"raced{attempt}"))

        threads = [threading.Thread(target=build) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(found) == 4
        assert len({id(schema) for schema in found}) == 1


def test_fields_know_name_place_and_schema() -> None:
    schema = order_schema()
    field = schema.field("items")
    assert field is not None
    assert (field.name, field.index) == ("items", 1)
    assert schema.field("nope") is None
    assert INT32_SCHEMA.fields == ()


def test_a_field_gives_its_default_where_the_value_is_null_or_absent() -> None:
    field = Schema(Type.STRUCT, fields={"a": Schema(Type.INT32, default=7)}).fields[0]
    assert [field.get({}), field.get({"a": None}), field.get({"a": 0})] == [7, 7, 0]


def test_replace_changes_what_it_is_told() -> None:
    schema = order_schema().replace(name="renamed", optional=True)
    assert (schema.name, schema.optional, schema.fields) == ("renamed", True, order_schema().fields)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"type": Type.INT32, "default": "x"}, "default value: .* takes int, not str 'x'"),
        ({"type": Type.ARRAY, "default": [{1}]}, r"default value: \{1\} is nothing"),
        ({"type": Type.INT32, "fields": {"a": INT32_SCHEMA}}, "only a struct can"),
        ({"type": Type.STRUCT, "fields": {"": INT32_SCHEMA}}, "needs a name"),
        ({"type": Type.STRUCT, "fields": {"a": None}}, "field a needs a schema"),
        ({"type": Type.ARRAY, "key_schema": INT32_SCHEMA}, "only a map can"),
        ({"type": Type.STRUCT, "value_schema": INT32_SCHEMA}, "only an array or a map can"),
    ],
)
def test_a_schema_that_makes_no_sense_is_refused(attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Schema(**attributes)


def test_a_builder_sets_an_attribute_once() -> None:
    builder = SchemaBuilder(Type.INT32).name("a")
    builder.name("a")
    with pytest.raises(DataError, match="name is 'a' already"):
        builder.name("b")


def test_a_builder_refuses_a_field_twice() -> None:
    builder = SchemaBuilder.struct().field("a", INT32_SCHEMA)
    with pytest.raises(DataError, match="field a is there already"):
        builder.field("a", STRING_SCHEMA)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"id": "1"}, r"^order\.id: Schema\(int64\) takes int, not str '1'"),
        ({}, r"^order\.id: null, but Schema\(int64\) is required"),
        ({"id": True}, r"^order\.id: .* not bool True"),
        ({"id": 1 << 63}, r"^order\.id: 9223372036854775808 does not fit into int64"),
        ({"id": 1, "items": [{"price": Decimal("1.00")}, {"price": 1}]}, r"^order\.items\[1\]\.price: "),
        ({"id": 1, "prise": 1}, r"^order: Schema\(struct order\) has no field prise"),
        ([1], r"^order: .* takes dict, not list"),
    ],
)
def test_validation_names_the_place_and_the_reason(value: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        validate_value(order_schema(), value, "order")


def test_validation_names_the_entry_of_a_map() -> None:
    schema = SchemaBuilder.map(STRING_SCHEMA, INT32_SCHEMA).build()
    with pytest.raises(DataError, match=r"^\['b'\]: "):
        validate_value(schema, {"a": 1, "b": "x"})


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (DATE_SCHEMA, datetime(2020, 1, 1, tzinfo=UTC)),
        (DATE_SCHEMA, 5),
        (TIME_SCHEMA, date(2020, 1, 1)),
        (TIMESTAMP_SCHEMA, date(2020, 1, 1)),
        (TIMESTAMP_SCHEMA, datetime(2020, 1, 1)),  # no time zone, so no instant
        (decimal_schema(2), 1.5),
        (BYTES_SCHEMA, "text"),
        (STRING_SCHEMA, b"bytes"),
    ],
)
def test_lookalikes_are_refused(schema: Schema, value: Any) -> None:
    with pytest.raises(DataError):
        validate_value(schema, value)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (DATE_SCHEMA, date(2020, 1, 1)),
        (TIME_SCHEMA, time(12)),
        (TIMESTAMP_SCHEMA, datetime(2020, 1, 1, tzinfo=UTC)),
        (decimal_schema(2), Decimal("1.50")),
        (BYTES_SCHEMA, bytearray(b"x")),
        (OPTIONAL_STRING_SCHEMA, None),
        (Schema(Type.ARRAY), [1, "a"]),
        (Schema(Type.STRUCT, fields={"a": Schema(Type.INT32, default=1)}), {}),
    ],
)
def test_values_that_fit_pass(schema: Schema, value: Any) -> None:
    """Without an error, that is."""
    validate_value(schema, value)
