"""JSON to Connect values, as Confluent's JSON Schema converter reads it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from kconnect.errors import DataError
from kconnect.schema import Schema, Type
from kconnect_converters.json_reader import Finish, JsonReader
from kconnect_converters.json_schema.names import KEY, VALUE, has_text_keys, is_union
from kconnect_converters.json_shape import INTEGER_BITS, place

_FLOATS: Final = frozenset({Type.FLOAT32, Type.FLOAT64})


class JsonSchemaReader(JsonReader):
    """As JsonReader, but maps with other keys than text are arrays of {key, value}, a union is the branch that its
    value fits, and a property that is absent is null even where its field is required: a JSON Schema need not call
    required what it has."""

    def _may_lack(self, schema: Schema) -> bool:
        return True

    def _shape(self, schema: Schema) -> tuple[Any, Finish | None]:
        if is_union(schema) or (schema.type is Type.MAP and not has_text_keys(schema)):
            return Any, lambda parsed: self.value(schema, parsed)
        shape, finish = super()._shape(schema)
        return shape, finish

    def _value(self, schema: Schema | None, parsed: Any, path: str) -> Any:
        if schema is not None and parsed is not None:
            if is_union(schema):
                return self._union(schema, parsed, path)
            if schema.type is Type.STRUCT:
                return self._properties(schema, parsed, path)
            if schema.type is Type.MAP and not has_text_keys(schema):
                return self._entries(schema, parsed, path)
        return super()._value(schema, parsed, path)

    def _properties(self, schema: Schema, parsed: Any, path: str) -> dict[str, Any]:
        if not isinstance(parsed, dict):
            raise DataError(f"{place(path)}: a struct is a JSON object, not {parsed!r:.60}")
        return {
            field.name: None
            if field.name not in parsed and field.schema.default is None
            else self._value(field.schema, parsed.get(field.name), f"{path}.{field.name}")
            for field in schema.fields
        }

    def _entries(self, schema: Schema, parsed: Any, path: str) -> dict[Any, Any]:
        if not isinstance(parsed, list):
            raise DataError(f"{place(path)}: a map whose keys are no text is an array of entries, not {parsed!r:.60}")
        entries = {}
        for index, entry in enumerate(parsed):
            if not isinstance(entry, dict) or entry.keys() != {KEY, VALUE}:
                raise DataError(f"{place(f'{path}[{index}]')}: a map's entry is {{key, value}}, not {entry!r:.60}")
            key = self._value(schema.key_schema, entry[KEY], f"{path}[{index}].{KEY}")
            if isinstance(key, dict | list):
                raise DataError(f"{place(f'{path}[{index}]')}: a struct, map or array cannot be the key of a dict")
            entries[key] = self._value(schema.value_schema, entry[VALUE], f"{path}[{key!r}]")
        return entries

    def _union(self, schema: Schema, parsed: Any, path: str) -> dict[str, Any]:
        """The first branch of the value's own kind; of structs, the one that names most of its properties."""
        found = next((field for field in schema.fields if _is_of(field.schema, parsed)), None)
        if found is None:
            matches = [(_matching(field.schema, parsed), field) for field in schema.fields]
            best = max((count for count, _ in matches), default=0)
            found = next((field for count, field in matches if count == best), None) if best else None
        if found is None:
            raise DataError(f"{place(path)}: {parsed!r:.60} fits no branch of the union")
        value = self._value(found.schema, parsed, f"{path}.{found.name}")
        return {field.name: value if field is found else None for field in schema.fields}


def _is_of(schema: Schema, parsed: Any) -> bool:
    """Whether JSON is of the kind that a schema, no struct, asks for."""
    if schema.type in INTEGER_BITS:
        return isinstance(parsed, int) and not isinstance(parsed, bool)
    if schema.type in _FLOATS:
        return isinstance(parsed, int | float | Decimal) and not isinstance(parsed, bool)
    match schema.type:
        case Type.BOOLEAN:
            return isinstance(parsed, bool)
        case Type.STRING:
            return isinstance(parsed, str)
        case Type.BYTES:
            return isinstance(parsed, str | Decimal)
        case Type.ARRAY:
            return isinstance(parsed, list)
        case Type.MAP:
            return isinstance(parsed, dict | list)
    return False


def _matching(schema: Schema, parsed: Any) -> int:
    """How many of the properties, and of theirs, a struct has fields for."""
    if schema.type is not Type.STRUCT or not isinstance(parsed, dict):
        return 0
    shared = [field for field in schema.fields if field.name in parsed]
    return len(shared) + sum(_matching(field.schema, parsed[field.name]) for field in shared)
