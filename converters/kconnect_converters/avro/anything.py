"""The record by which Avro says values that have no schema, as Confluent's converter writes it."""

from __future__ import annotations

from typing import Final

from kconnect_converters.avro.names import ANYTHING, MAP_ENTRY, NAMESPACE
from kconnect_converters.avro.schema import AvroSchema, schema_of


def _optional(name: str, schema: object) -> dict[str, object]:
    return {"name": name, "type": ["null", schema], "default": None}


ANYTHING_SCHEMA: Final[AvroSchema] = schema_of(
    {
        "type": "record",
        "name": ANYTHING,
        "fields": [
            *(_optional(kind, kind) for kind in ("boolean", "bytes", "double", "float", "int", "long", "string")),
            _optional("array", {"type": "array", "items": ANYTHING}),
            _optional(
                "map",
                {
                    "type": "array",
                    "items": {
                        "type": "record",
                        "name": f"{NAMESPACE}.{MAP_ENTRY}",
                        "fields": [{"name": "key", "type": ANYTHING}, {"name": "value", "type": ANYTHING}],
                    },
                },
            ),
        ],
    }
)
_FIELDS: Final = tuple(field.name for field in ANYTHING_SCHEMA.fields)


def is_anything(schema: AvroSchema) -> bool:
    """Whether data of `schema` has no schema of its own."""
    return schema.name == ANYTHING and tuple(field.name for field in schema.fields) == _FIELDS
