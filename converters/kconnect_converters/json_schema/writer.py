"""Connect values to the JSON that Confluent's JSON Schema converter writes."""

from __future__ import annotations

from typing import Any

from kconnect.errors import DataError
from kconnect.schema import Schema, Type
from kconnect_converters.json_schema.names import KEY, VALUE, has_text_keys, is_union
from kconnect_converters.json_shape import place
from kconnect_converters.json_writer import JsonWriter, Prepare


class JsonSchemaWriter(JsonWriter):
    """As JsonWriter, but maps with other keys than text are arrays of {key, value}, and a union is its one value."""

    def plain(self, schema: Schema | None, value: Any, path: str = "") -> Any:
        if schema is not None and value is not None:
            if is_union(schema):
                return self._plain_union(schema, value, path)
            if schema.type is Type.MAP and not has_text_keys(schema):
                return self._plain_entries(schema, value, path)
        return super().plain(schema, value, path)

    def _plain_union(self, schema: Schema, value: Any, path: str) -> Any:
        """The first branch that is not null says what the union is."""
        if not isinstance(value, dict):
            raise DataError(f"{place(path)}: a union is a struct with one field that is not null, not {value!r:.80}")
        unknown = [str(name) for name in value if schema.field(name) is None]
        if unknown:
            raise DataError(f"{place(path)}: the union has no field {', '.join(unknown)}")
        for field in schema.fields:
            member = value.get(field.name)
            if member is not None:
                return self.plain(field.schema, member, f"{path}.{field.name}")
        if schema.optional:
            return None
        raise DataError(f"{place(path)}: no branch of the union has a value")

    def _plain_entries(self, schema: Schema, value: Any, path: str) -> list[dict[str, Any]]:
        if not isinstance(value, dict):
            raise DataError(f"{place(path)}: {schema!r} takes dict, not {value!r:.80}")
        return [
            {
                KEY: self.plain(schema.key_schema, key, f"{path}[{key!r}]"),
                VALUE: self.plain(schema.value_schema, item, f"{path}[{key!r}]"),
            }
            for key, item in value.items()
        ]

    def _shape(self, schema: Schema) -> tuple[Any, Prepare | None]:
        if is_union(schema) or (schema.type is Type.MAP and not has_text_keys(schema)):
            return Any, lambda value: self.plain(schema, value)
        return super()._shape(schema)
