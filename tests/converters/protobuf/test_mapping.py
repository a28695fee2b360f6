"""Which Connect schemas Protobuf messages are read as, and which files are written: as Confluent's converter does."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from kconnect.errors import DataError
from kconnect.schema import (
    BOOLEAN_SCHEMA,
    DATE_SCHEMA,
    INT8_SCHEMA,
    INT32_SCHEMA,
    INT64_SCHEMA,
    OPTIONAL_STRING_SCHEMA,
    STRING_SCHEMA,
    Schema,
    Type,
    decimal_schema,
)
from kconnect_converters.protobuf.config import ProtobufDataConfig
from kconnect_converters.protobuf.files import ProtoFile, file_of, parse_file
from kconnect_converters.protobuf.from_protobuf import ConnectSchemas
from kconnect_converters.protobuf.indexes import index_bytes, read_indexes
from kconnect_converters.protobuf.to_protobuf import protobuf_file

TAG = "io.confluent.connect.protobuf.Tag"
ENUM = "io.confluent.connect.protobuf.Enum"


def written(schema: Schema, **settings: Any) -> str:
    return file_of(protobuf_file(schema, ProtobufDataConfig(**settings))).text


def read(file: ProtoFile, **settings: Any) -> Schema:
    return ConnectSchemas(ProtobufDataConfig(**settings)).schema(file.message([0]))


def struct(name: str | None = None, /, **fields: Schema) -> Schema:
    return Schema(Type.STRUCT, name=name, fields=fields)


def test_a_file_is_written_as_confluents_converter_writes_it() -> None:
    schema = struct(
        "shop.Order",
        id=INT64_SCHEMA,
        small=INT8_SCHEMA,
        price=decimal_schema(2),
        day=DATE_SCHEMA,
        tags=Schema(Type.ARRAY, value_schema=STRING_SCHEMA),
        sizes=Schema(Type.MAP, name="my_sizes", key_schema=STRING_SCHEMA, value_schema=INT32_SCHEMA),
        home=struct("shop.home", city=STRING_SCHEMA),
        unnamed=struct(flag=BOOLEAN_SCHEMA),
    )
    assert (
        written(schema)
        == """syntax = "proto3";
package shop;
import "confluent/meta.proto";
import "confluent/type/decimal.proto";
import "google/type/date.proto";

message Order {
  int64 id = 1;
  int32 small = 2 [(confluent.field_meta) = { params: [{ key: "connect.type", value: "int8" }] }];
  .confluent.type.Decimal price = 3 [(confluent.field_meta) = { params: [{ key: "scale", value: "2" }] }];
  .google.type.Date day = 4;
  repeated string tags = 5;
  repeated .shop.Order.MySizesEntry sizes = 6;
  .shop.Order.homeMessage home = 7;
  .shop.Order.ConnectDefault1 unnamed = 8;

  message MySizesEntry {
    string key = 1;
    int32 value = 2;
  }

  message homeMessage {
    string city = 1;
  }

  message ConnectDefault1 {
    bool flag = 1;
  }
}
"""
    )


def test_optional_fields_can_have_the_label_or_a_wrapper() -> None:
    schema = struct("M", a=OPTIONAL_STRING_SCHEMA, b=STRING_SCHEMA)
    assert "\n  string a = 1;\n  string b = 2;\n" in written(schema)
    assert "\n  optional string a = 1;\n  string b = 2;\n" in written(schema, optional_for_nullables=True)
    wrapped = written(schema, wrapper_for_nullables=True)
    assert "\n  .google.protobuf.StringValue a = 1;\n  string b = 2;\n" in wrapped
    for setting in ("optional_for_nullables", "wrapper_for_nullables"):
        file = file_of(protobuf_file(schema, ProtobufDataConfig(**{setting: True})))
        assert [field.schema.optional for field in read(file, **{setting: True}).fields] == [True, False]


def test_fields_keep_the_numbers_that_they_were_read_with_and_others_get_free_ones() -> None:
    schema = struct(
        "M",
        new=STRING_SCHEMA,
        old=STRING_SCHEMA.replace(parameters={TAG: "1"}),
        newer=STRING_SCHEMA,
        far=STRING_SCHEMA.replace(parameters={TAG: "3"}),
    )
    assert "string new = 2;\n  string old = 1;\n  string newer = 4;\n  string far = 3;" in written(schema)


TEXT = """syntax = "proto3";
package shop;
import "google/protobuf/wrappers.proto";
import "confluent/meta.proto";
message Order {
  oneof which { string b = 2; }
  int32 small = 1 [(confluent.field_meta) = {params: [{key: "connect.type", value: "int16"}]}];
  repeated Kind kinds = 3;
  map<string, int64> sizes = 4;
  google.protobuf.StringValue note = 5;
  sint64 signed = 6;
  enum Kind { A = 0; B = 5; }
}
"""


def test_a_message_is_read_as_confluents_converter_reads_it() -> None:
    kind = Schema(
        Type.STRING, optional=True, name="Kind", parameters={ENUM: "Kind", f"{ENUM}.A": "0", f"{ENUM}.B": "5"}
    )

    def tagged(tag: int, type_: Type, **attributes: Any) -> Schema:
        parameters = attributes.pop("parameters", {}) | {TAG: str(tag)}
        return Schema(type_, optional=True, parameters=parameters, **attributes)

    union = Schema(
        Type.STRUCT,
        optional=True,
        name="io.confluent.connect.protobuf.Union.which",
        fields={"b": tagged(2, Type.STRING)},
    )
    expected = struct(
        "Order",
        which_0=union,
        small=tagged(1, Type.INT16),
        kinds=tagged(3, Type.ARRAY, value_schema=kind),
        sizes=tagged(4, Type.MAP, name="sizes", key_schema=tagged(1, Type.STRING), value_schema=tagged(2, Type.INT64)),
        note=tagged(5, Type.STRUCT, name="StringValue", fields={"value": tagged(1, Type.STRING)}),
        signed=tagged(6, Type.INT64, parameters={"io.confluent.connect.protobuf.Type": "sint64"}),
    )
    file = parse_file(TEXT, [])
    assert read(file) == expected
    names = [field.name for field in read(file, generate_index_for_unions=False).fields]
    assert names == ["which", "small", "kinds", "sizes", "note", "signed"]
    assert read(file, enhanced_protobuf_schema_support=True).name == "shop.Order"
    note = read(file, wrapper_for_nullables=True).field("note")
    assert note is not None
    assert note.schema == tagged(5, Type.STRING)
    small = read(file, wrapper_for_nullables=True).field("small")
    assert small is not None
    assert not small.schema.optional


def test_a_schema_that_is_kept_as_its_descriptor_is_read() -> None:
    text = parse_file(TEXT, [])
    serialized = base64.b64encode(text.proto.SerializeToString()).decode()
    assert read(parse_file(serialized, [])) == read(text)
    importing = 'syntax = "proto3"; import "order.proto"; message M { shop.Order.Kind kind = 1; }'
    found = read(parse_file(importing, [("order.proto", serialized)]))
    assert [field.schema.name for field in found.fields] == ["Kind"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('syntax = "proto3"; message M { int32 a }', "1:.*Missing field number"),
        ('syntax = "proto3"; message M { Other a = 1; }', '"Other" is not defined'),
        ('syntax = "proto3"; import "other.proto";', "other.proto"),
        ('{"type": "object"}', "the Protobuf schema is none"),
        ('syntax = "proto3"; import "x/../../y.proto";', "y.proto"),
    ],
)
def test_a_text_that_is_no_protobuf_is_refused_with_what_protoc_says(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        parse_file(text, [])


def test_the_messages_of_maps_count_in_places_only_where_the_registry_keeps_them() -> None:
    """Java counts the messages of what is kept: a text does not name those of maps, a descriptor does."""
    text = parse_file('syntax = "proto3"; message M { map<string, int32> m = 1; message N {} }', [])
    assert text.indexes("M.N") == [0, 0]
    assert text.message([0, 0]).name == "N"
    serialized = parse_file(base64.b64encode(text.proto.SerializeToString()).decode(), [])
    assert serialized.indexes("M.N") == [0, 1]
    assert serialized.message([0, 1]).name == "N"


def test_a_reference_that_leaves_its_folder_is_refused() -> None:
    with pytest.raises(DataError, match="no path inside a folder"):
        parse_file(TEXT, [("../evil.proto", TEXT)])


def test_a_message_that_contains_itself_is_refused_by_its_place() -> None:
    file = parse_file('syntax = "proto3"; message M { N n = 1; } message N { repeated M m = 1; }', [])
    with pytest.raises(DataError, match=r"n\.m: the Protobuf message M contains itself"):
        read(file)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (
            struct("M", a=Schema(Type.ARRAY, value_schema=Schema(Type.ARRAY, value_schema=INT32_SCHEMA))),
            "a: .*arrays of",
        ),
        (struct("M", a=Schema(Type.ARRAY)), "a: .*without a schema"),
        (struct("M", a=struct(b=struct("N", **{"c-d": INT32_SCHEMA}))), r"a\.b\.c-d: 'c-d' is no name"),
        (struct("M", a=struct("N", x=INT32_SCHEMA), b=struct("N", y=INT32_SCHEMA)), "b: M has another N"),
        (struct("M", a=Schema(Type.STRING, parameters={ENUM: "E", f"{ENUM}.A": "1"})), "a: .*number 0"),
        (struct("M", a=Schema(Type.STRING, parameters={ENUM: "E", f"{ENUM}.A": "x"})), "a: .*have numbers"),
    ],
)
def test_what_protobuf_cannot_say_is_refused_by_its_place(schema: Schema, said: str) -> None:
    with pytest.raises(DataError, match=said):
        written(schema)


def test_names_that_protobuf_does_not_allow_can_be_scrubbed() -> None:
    text = written(struct("my shop.a-b", **{"1st": INT32_SCHEMA, "größe": INT32_SCHEMA}), scrub_invalid_names=True)
    assert "package my_shop;" in text
    assert "message a_b {\n  int32 x1st = 1;\n  int32 gr_C3_B6_C3_9Fe = 2;\n}" in text


@pytest.mark.parametrize(
    ("indexes", "data"), [([0], b"\x00"), ([1], b"\x02\x02"), ([0, 0], b"\x04\x00\x00"), ([2, 70], b"\x04\x04\x8c\x01")]
)
def test_the_place_of_a_message_is_in_zigzag_numbers(indexes: list[int], data: bytes) -> None:
    assert index_bytes(indexes) == data
    assert read_indexes(b"xx" + data + b"y", 2) == (indexes, 2 + len(data))
