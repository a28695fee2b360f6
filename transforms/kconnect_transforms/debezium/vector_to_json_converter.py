"""VectorToJsonConverter: writes vectors as JSON text."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from kconnect.config import Config
from kconnect.errors import DataError
from kconnect.java_text import java_text
from kconnect.schema import FLOAT32_SCHEMA, FLOAT64_SCHEMA, Schema, Type
from kconnect.transform import R, Transform

_DENSE: Final = {
    "io.debezium.data.FloatVector": FLOAT32_SCHEMA,
    "io.debezium.data.DoubleVector": FLOAT64_SCHEMA,
}
_SPARSE: Final = ("io.debezium.data.SparseDoubleVector", "io.debezium.data.SparseVector")
_JSON_NAME: Final = "io.debezium.data.Json"
_MAX_SCHEMAS: Final = 1000


class VectorToJsonConverter(Transform[Config]):
    """Rewrites structs and those in them; their other fields that are null get the default of their schema. Tombstones
    pass as they are."""

    def configure(self, config: Config) -> None:
        self._schemas: dict[Schema, Schema] = {}

    def apply(self, record: R) -> R | None:
        schema = record.value_schema
        if record.value is None:
            return record
        if schema is None or schema.type is not Type.STRUCT:
            raise DataError(f"writing vectors as JSON needs a struct with a schema, not {type(record.value).__name__}")
        written = self._schemas.get(schema)
        if written is None:
            if len(self._schemas) >= _MAX_SCHEMAS:
                self._schemas.clear()
            written = self._schemas[schema] = _written_schema(schema)
        return msgspec.structs.replace(record, value_schema=written, value=_written(schema, record.value))


def _written_schema(schema: Schema) -> Schema:
    if schema.name in _DENSE or schema.name in _SPARSE:
        return Schema(Type.STRING, name=_JSON_NAME, version=1, optional=schema.optional)
    if schema.type is not Type.STRUCT:
        return schema
    return schema.replace(fields={field.name: _written_schema(field.schema) for field in schema.fields})


def _written(schema: Schema, value: Any) -> Any:
    if value is None:
        return None
    if schema.name in _DENSE:
        element = _DENSE[schema.name]
        return f'{{ "values": [{", ".join(java_text(element, each) for each in value)}] }}'
    if schema.name in _SPARSE:
        places = ", ".join(f'"{place}": {java_text(FLOAT64_SCHEMA, each)}' for place, each in value["vector"].items())
        return f'{{ "dimensions": {value["dimensions"]}, "vector": {{ {places} }} }}'
    if schema.type is not Type.STRUCT:
        return value
    return {field.name: _written(field.schema, field.get(value)) for field in schema.fields}
