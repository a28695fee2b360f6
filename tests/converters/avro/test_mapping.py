"""What the golden vectors do not say of the mapping: where kconnect does better than what it matches, and limits."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pytest

from kconnect.errors import DataError
from kconnect.schema import INT32_SCHEMA, INT64_SCHEMA, STRING_SCHEMA, Schema, Type
from kconnect_converters.avro.config import AvroDataConfig
from kconnect_converters.avro.decoder import compile_decoder
from kconnect_converters.avro.encoder import compile_encoder
from kconnect_converters.avro.from_avro import ConnectSchemas
from kconnect_converters.avro.schema import parse_schema
from kconnect_converters.avro.to_avro import avro_schema

CONFIG = AvroDataConfig()


def through_avro(schema: Schema | None, value: Any, config: AvroDataConfig = CONFIG) -> tuple[Schema | None, Any]:
    """Schema and value as they are read from the printed Avro schema and the data."""
    avro = avro_schema(schema, config)
    data = compile_encoder(schema, avro, config)(value)
    read = ConnectSchemas(config).schema(parse_schema(str(avro)))
    return read, compile_decoder(parse_schema(str(avro)), read)(data, 0)


def struct(name: str, **fields: Schema) -> Schema:
    return Schema(Type.STRUCT, name=name, fields=fields)


def map_of(key: Schema, value: Schema) -> Schema:
    return Schema(Type.MAP, key_schema=key, value_schema=value)


def test_two_maps_of_other_types_in_one_struct_are_read_back() -> None:
    schema = struct("R", a=map_of(INT32_SCHEMA, STRING_SCHEMA), b=map_of(INT64_SCHEMA, INT32_SCHEMA))
    value = {"a": {1: "x"}, "b": {2: 3, 4: 5}}
    assert through_avro(schema, value) == (schema, value)


def test_two_different_structs_of_one_name_are_refused() -> None:
    schema = struct("R", a=struct("N", x=INT32_SCHEMA), b=struct("N", x=STRING_SCHEMA))
    with pytest.raises(DataError, match="two different schemas are named N"):
        avro_schema(schema, CONFIG)


def test_an_enum_that_was_read_is_written_as_one_again_with_enhanced_support() -> None:
    config = AvroDataConfig(enhanced_avro_schema_support=True)
    avro = parse_schema('{"type": "enum", "name": "Kind", "namespace": "crm", "symbols": ["A", "B"]}')
    schema = ConnectSchemas(config).schema(avro)
    assert through_avro(schema, "B", config)[1] == "B"
    assert avro_schema(schema, config).symbols == ("A", "B")
    with pytest.raises(DataError, match="'C' is none of its symbols"):
        compile_encoder(schema, avro_schema(schema, config), config)("C")


@pytest.mark.parametrize("config", [AvroDataConfig(), AvroDataConfig(generalized_sum_type_support=True)])
def test_a_union_is_read_and_written_by_its_branch(config: AvroDataConfig) -> None:
    avro = parse_schema('["null", "string", {"type": "int", "connect.type": "int8"}, "long"]')
    schema = ConnectSchemas(config).schema(avro)
    assert schema is not None
    assert schema.optional
    names = [field.name for field in schema.fields]
    for name, member in zip(names, ("x", 5, 2**40), strict=True):
        value = dict.fromkeys(names) | {name: member}
        assert through_avro(schema, value, config)[1] == value


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "record", "name": "R", "fields": [{"name": "next", "type": ["null", "R"]}]}',
        '{"type": "record", "name": "R", "fields": [{"name": "all", "type": {"type": "array", "items": "R"}}]}',
    ],
)
def test_a_record_that_contains_itself_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="R contains itself"):
        ConnectSchemas(CONFIG).schema(parse_schema(text))


def test_what_is_nested_deep_is_read_back_and_what_is_nested_too_deep_refused() -> None:
    deep = reduce(lambda inner, level: struct(f"N{level}", a=inner), range(60), INT32_SCHEMA)
    value: Any = 7
    for _ in range(60):
        value = {"a": value}
    assert through_avro(deep, value) == (deep, value)
    too_deep = reduce(lambda inner, level: struct(f"N{level}", a=inner), range(1000), INT32_SCHEMA)
    with pytest.raises(DataError, match="too deep"):
        avro_schema(too_deep, CONFIG)
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(DataError, match="too deep"):
        compile_encoder(None, avro_schema(None, CONFIG), CONFIG)(endless)


@pytest.mark.parametrize("text", ["", "{", "5", "[" * 100_000, '{"type": "record"}', '"Unknown"', '["int", ["int"]]'])
def test_a_text_that_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        parse_schema(text)


def test_names_that_could_break_out_of_generated_code_are_text() -> None:
    config = AvroDataConfig(scrub_invalid_names=True)
    name = "a'] + __import__('os').abort() #"
    schema = struct("R", **{name: INT32_SCHEMA, 'b"\n': STRING_SCHEMA})
    read = through_avro(schema, {name: 1, 'b"\n': "z"}, config)[1]
    assert read == {"a_27_5D__2B___import___28_27os_27_29_abort_28_29__23": 1, "b_22_0A": "z"}
