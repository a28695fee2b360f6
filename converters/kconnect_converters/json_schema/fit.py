"""Whether records of a Connect schema go into a JSON Schema that is not their own."""

from __future__ import annotations

from typing import Final

from kconnect.errors import DataError
from kconnect.schema import DECIMAL_NAME, Schema, Type
from kconnect_converters.json_schema import names
from kconnect_converters.json_schema.document import Document, Node
from kconnect_converters.json_schema.parts import part_of

_JSON_TYPES: Final = {
    **dict.fromkeys((Type.INT8, Type.INT16, Type.INT32, Type.INT64), ("integer", "number")),
    **dict.fromkeys((Type.FLOAT32, Type.FLOAT64), ("number",)),
    Type.BOOLEAN: ("boolean",),
    Type.STRING: ("string", "enum", "const"),
    Type.BYTES: ("string",),
    Type.ARRAY: ("array",),
    Type.STRUCT: ("object",),
}
_TYPES: Final = frozenset({"boolean", "string", "integer", "number", "array", "object", "null"})


def check_fits(schema: Schema, document: Document) -> None:
    """DataError, naming the place, for a field that `document` forbids or has as another type. What combines several
    schemas is taken to fit: whether it does shows in values alone."""
    _check(schema, document.node, "")


def _check(schema: Schema, node: Node, path: str) -> None:
    part = part_of(node)
    while part.kind == "$ref":
        node = node.document.resolve(str(node.get("$ref")))
        part = part_of(node)
    held = [each for each in part.held if part_of(each).kind != "null"]
    if part.kind in ("oneOf", "anyOf") and len(held) == 1:
        return _check(schema, held[0], path)
    if part.kind not in _TYPES or names.is_union(schema):
        return None
    kinds = _kinds(schema)
    if part.kind not in kinds:
        raise DataError(f"{path.lstrip('.') or 'the value'}: {schema!r} is {kinds[0]}, the JSON Schema has {part.kind}")
    if schema.type is Type.STRUCT:
        _check_fields(schema, node, path)
    elif schema.type is Type.ARRAY and schema.value_schema is not None and isinstance(node.get("items"), dict):
        _check(schema.value_schema, node.child(node.get("items")), f"{path}[]")
    return None


def _kinds(schema: Schema) -> tuple[str, ...]:
    """What values of `schema` are in JSON."""
    if schema.type is Type.MAP:
        return ("object",) if names.has_text_keys(schema) else ("array",)
    return ("number", "string") if schema.name == DECIMAL_NAME else _JSON_TYPES[schema.type]


def _check_fields(schema: Schema, node: Node, path: str) -> None:
    properties = node.get("properties") or {}
    for field in schema.fields:
        if field.name in properties:
            _check(field.schema, node.child(properties[field.name]), f"{path}.{field.name}")
        elif node.get("additionalProperties") is False:
            raise DataError(
                f"the JSON Schema has no property {f'{path}.{field.name}'.lstrip('.')}, and allows no others: add it "
                "there, drop it with ReplaceField, or write it all the same with latest.compatibility.strict=false"
            )
