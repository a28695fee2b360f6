"""The transforms and predicates that come with kconnect, by their Java names too: those of Apache Kafka, and those that
its users install at once."""

from __future__ import annotations

from kconnect.hookspecs import hookimpl
from kconnect.plugin import Plugin
from kconnect_transforms import aiven, confluent, debezium, jcustenborder

_JAVA = "org.apache.kafka.connect.transforms."


def _one(module: str, name: str) -> Plugin:
    return Plugin(f"kconnect_transforms.{module}:{name}", java=_JAVA + name)


def _two(module: str, name: str) -> list[Plugin]:
    """The variants for keys and for values, inner classes in Java."""
    return [
        Plugin(f"kconnect_transforms.{module}:{name}{side}", java=f"{_JAVA}{name}${side}") for side in ("Key", "Value")
    ]


@hookimpl
def register_transforms() -> list[Plugin]:
    return [
        *_two("cast", "Cast"),
        _one("drop_headers", "DropHeaders"),
        *_two("extract_field", "ExtractField"),
        _one("filter", "Filter"),
        *_two("flatten", "Flatten"),
        *_two("header_from", "HeaderFrom"),
        *_two("hoist_field", "HoistField"),
        *_two("insert_field", "InsertField"),
        _one("insert_header", "InsertHeader"),
        *_two("mask_field", "MaskField"),
        Plugin("kconnect_transforms.python:Python"),
        _one("regex_router", "RegexRouter"),
        *_two("replace_field", "ReplaceField"),
        *_two("set_schema_metadata", "SetSchemaMetadata"),
        *_two("timestamp_converter", "TimestampConverter"),
        _one("timestamp_router", "TimestampRouter"),
        _one("value_to_key", "ValueToKey"),
        *aiven.PLUGINS,
        *confluent.PLUGINS,
        *debezium.PLUGINS,
        *jcustenborder.PLUGINS,
    ]


@hookimpl
def register_predicates() -> list[Plugin]:
    return [
        Plugin(f"kconnect_transforms.predicates:{name}", java=f"{_JAVA}predicates.{name}")
        for name in ("HasHeaderKey", "RecordIsTombstone", "TopicNameMatches")
    ]
