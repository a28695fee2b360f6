"""The built-in converters, registered like anyone's."""

from __future__ import annotations

from kconnect.hookspecs import hookimpl
from kconnect.plugin import Plugin

_PRIMITIVES = (
    Plugin("kconnect_converters.primitives:StringConverter", java="org.apache.kafka.connect.storage.StringConverter"),
    *(
        Plugin(f"kconnect_converters.primitives:{name}", java=f"org.apache.kafka.connect.converters.{name}")
        for name in (
            "ByteArrayConverter",
            "BooleanConverter",
            "ShortConverter",
            "IntegerConverter",
            "LongConverter",
            "FloatConverter",
            "DoubleConverter",
        )
    ),
)
_JSON = Plugin("kconnect_converters.json:JsonConverter", java="org.apache.kafka.connect.json.JsonConverter")
_AVRO = Plugin("kconnect_converters.avro:AvroConverter", java="io.confluent.connect.avro.AvroConverter")
_JSON_SCHEMA = Plugin(
    "kconnect_converters.json_schema:JsonSchemaConverter", java="io.confluent.connect.json.JsonSchemaConverter"
)
_PROTOBUF = Plugin(
    "kconnect_converters.protobuf:ProtobufConverter", java="io.confluent.connect.protobuf.ProtobufConverter"
)
_PLAIN_AVRO = Plugin("kconnect_converters.avro:PlainAvroConverter")
_SIMPLE_HEADER = Plugin(
    "kconnect_converters.header:SimpleHeaderConverter",
    java="org.apache.kafka.connect.storage.SimpleHeaderConverter",
)


@hookimpl
def register_converters() -> list[Plugin]:
    return [_JSON, _AVRO, _PLAIN_AVRO, _JSON_SCHEMA, _PROTOBUF, *_PRIMITIVES]


@hookimpl
def register_header_converters() -> list[Plugin]:
    return [_SIMPLE_HEADER, _JSON, *_PRIMITIVES]
