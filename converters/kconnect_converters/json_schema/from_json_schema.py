"""JSON Schemas to Connect schemas, as Confluent's converter reads them."""

from __future__ import annotations

from itertools import count
from typing import Any, Final

from kconnect.errors import DataError
from kconnect.schema import STRING_SCHEMA, Schema, Type
from kconnect_converters.json_schema import names
from kconnect_converters.json_schema.config import JsonSchemaDataConfig
from kconnect_converters.json_schema.document import Document, Node
from kconnect_converters.json_schema.parts import Part, part_of
from kconnect_converters.json_schema.reader import JsonSchemaReader

_SIMPLE: Final = ("boolean", "string", "integer", "number", "array")


class ConnectSchemas:
    """Makes Connect schemas. In the generalized mode each union of a document gets the next number."""

    def __init__(self, config: JsonSchemaDataConfig, reader: JsonSchemaReader) -> None:
        self._config = config
        self._reader = reader
        self._generalized = config.generalized_sum_type_support

    def schema(self, document: Document, version: int | None = None) -> Schema | None:
        """The schema of data that was written with `document`; None where it says nothing. `version` is the registry's,
        for schemas that carry none. DataError for what Connect cannot say, by its place."""
        self._union_numbers = count()
        try:
            if part_of(document.node).kind == "anything":
                return None
            return self._schema(document.node, "", [], version=version)
        except RecursionError:
            raise DataError("the JSON Schema is nested too deeply") from None

    def _schema(
        self, node: Node, path: str, outer: list[Any], *, version: int | None = None, optional: bool = False
    ) -> Schema:
        """`outer` are the schemas that this one is in."""
        if any(each is node.value for each in outer):
            raise DataError(f"{_place(path)}: the JSON Schema contains itself: Connect's schemas cannot say that here")
        outer = [*outer, node.value]
        part = part_of(node)
        if part.kind == "$ref":
            target = node.document.resolve(str(node.get("$ref")))
            return self._schema(target, path, outer, version=version, optional=optional)
        if part.kind == "allOf":
            return self._all_of(part, path, outer, version, optional)
        if part.kind in ("oneOf", "anyOf"):
            if len(part.held) == 1 and self._config.flatten_singleton_unions:
                return self._schema(part.held[0], path, outer)
            held = [each for each in part.held if not _is_null(each)]
            if len(held) == 1 and len(part.held) == 2:
                return self._schema(held[0], path, outer, version=version, optional=True)
        attributes = self._shape(part, path, outer)
        return self._described(node, attributes, path, version, optional)

    def _described(
        self, node: Node, attributes: dict[str, Any], path: str, version: int | None, optional: bool
    ) -> Schema:
        """With what a schema says besides its type."""
        if attributes.get("name") is None:
            attributes["name"] = _text(node, "title")
        own_version = node.get(names.CONNECT_VERSION)
        attributes["version"] = version if own_version is None else int(own_version)
        attributes["doc"] = _text(node, "description")
        given = node.get(names.CONNECT_PARAMETERS)
        if given is not None and not isinstance(given, dict):
            raise DataError(f"{_place(path)}: {names.CONNECT_PARAMETERS} is an object of texts, not {given!r:.60}")
        parameters = attributes.pop("parameters", {}) | {str(k): str(v) for k, v in (given or {}).items()}
        made = Schema(**attributes, parameters=parameters or None)
        attributes["optional"] = attributes.get("optional", False) or optional
        default = node.get("default")
        if default is not None:
            try:
                attributes["default"] = self._reader.value(made, default)
                return Schema(**attributes, parameters=parameters or None)
            except DataError:
                attributes["default"] = None  # JSON Schema lets a default be anything: a wrong one is none
        return Schema(**attributes, parameters=parameters or None)

    def _shape(self, part: Part, path: str, outer: list[Any]) -> dict[str, Any]:
        """The attributes of the Connect schema that the type itself decides."""
        match part.kind:
            case "boolean":
                return {"type": Type.BOOLEAN}
            case "integer" | "number":
                return {"type": _number(part.node, part.kind, path)}
            case "string":
                return {"type": Type.BYTES if part.node.get(names.CONNECT_TYPE) == "bytes" else Type.STRING}
            case "enum":
                return self._enum(part.node.value["enum"])
            case "const":
                return self._enum([part.node.value["const"]])
            case "array":
                return self._array(part.node, path, outer)
            case "object":
                return self._object(part.node, path, outer)
            case "oneOf" | "anyOf":
                return self._union(part, path, outer)
        said = {"anything": "says nothing of its type", "nothing": "allows nothing", "null": "is null alone"}
        raise DataError(
            f"{_place(path)}: the JSON Schema {said.get(part.kind, f'has type {part.kind!r}')}, "
            "which Connect has no schema for"
        )

    def _enum(self, symbols: Any) -> dict[str, Any]:
        parameter = names.GENERALIZED_ENUM if self._generalized else names.ENUM
        parameters = {parameter: ""}  # an enum of JSON has no name
        for index, symbol in enumerate(symbols if isinstance(symbols, list) else [symbols]):
            shown = _symbol(symbol)
            parameters[f"{parameter}.{shown}"] = str(index) if self._generalized else shown
        return {"type": Type.STRING, "parameters": parameters}

    def _array(self, node: Node, path: str, outer: list[Any]) -> dict[str, Any]:
        items = node.get("items")
        if not isinstance(items, dict | bool):
            raise DataError(f"{_place(path)}: an array of the JSON Schema does not say what all its items are")
        held = node.child(items)
        properties = held.get("properties")
        if node.get(names.CONNECT_TYPE) == "map" and isinstance(properties, dict):
            if not {names.KEY, names.VALUE} <= properties.keys():
                raise DataError(f"{_place(path)}: a map's entries have the properties key and value")
            key = self._held(node.child(properties[names.KEY]), f"{path}[].key", outer)
            value = self._held(node.child(properties[names.VALUE]), f"{path}[].value", outer)
            return {"type": Type.MAP, "key_schema": key, "value_schema": value}
        return {"type": Type.ARRAY, "value_schema": self._held(held, f"{path}[]", outer)}

    def _held(self, node: Node, path: str, outer: list[Any]) -> Schema | None:
        """What an array or map holds may be without a schema."""
        return None if part_of(node).kind == "anything" else self._schema(node, path, outer)

    def _object(self, node: Node, path: str, outer: list[Any]) -> dict[str, Any]:
        if node.get(names.CONNECT_TYPE) == "map":
            others = node.get("additionalProperties")
            held = node.child(True if others is None else others)
            return {"type": Type.MAP, "key_schema": STRING_SCHEMA, "value_schema": self._held(held, f"{path}[]", outer)}
        ordered: dict[int, tuple[str, Node]] = {}
        for name, each in _properties(node, path):
            index = each.get(names.CONNECT_INDEX)
            ordered[int(index) if isinstance(index, int) else _free(ordered)] = name, each
        required = _required(node)
        fields = {}
        for _, (name, each) in sorted(ordered.items()):
            fields[name] = self._property(each, name, path, outer, name in required)
        return {"type": Type.STRUCT, "fields": fields}

    def _property(self, node: Node, name: str, path: str, outer: list[Any], required: bool) -> Schema:
        optional = self._config.use_optional_for_nonrequired and not required
        return self._schema(node, f"{path}.{name}", outer, optional=optional)

    def _union(self, part: Part, path: str, outer: list[Any]) -> dict[str, Any]:
        shape: dict[str, Any] = {"type": Type.STRUCT, "name": names.UNION}
        prefix = f"{names.UNION}.field."
        if self._generalized:
            name = f"{names.GENERALIZED_PREFIX}{next(self._union_numbers)}"
            shape |= {"name": name, "parameters": {names.GENERALIZED_UNION: name}}
            prefix = f"{names.GENERALIZED_PREFIX}field_"
        branches = [each for each in part.held if not _is_null(each)]
        shape["optional"] = len(branches) < len(part.held)
        shape["fields"] = {
            f"{prefix}{index}": self._schema(branch, f"{path}|{index}", outer, optional=True)
            for index, branch in enumerate(branches)
        }
        return shape

    def _all_of(self, part: Part, path: str, outer: list[Any], version: int | None, optional: bool) -> Schema:
        """A struct of the properties of all; where there are none, the part that says most of what it is."""
        properties: dict[str, tuple[Node, bool]] = {}
        for each in part.held:
            _gather(each, path, properties, [])
        if properties:
            fields = {
                name: self._property(each, name, path, outer, required) for name, (each, required) in properties.items()
            }
            return Schema(Type.STRUCT, optional=optional, fields=fields)
        found = {part_of(each).kind: each for each in part.held}
        number = found.get("integer") or found.get("number")
        combined = next((found[kind] for kind in ("oneOf", "anyOf", "allOf") if kind in found), None)
        simple = next((found[kind] for kind in _SIMPLE if kind in found), None)
        chosen = combined
        if chosen is None and "enum" in found and number is None:
            chosen = found["enum"]
        chosen = chosen or simple or found.get("$ref") or found.get("enum") or found.get("const")
        if chosen is None:
            raise DataError(f"{_place(path)}: allOf of {', '.join(found)} is nothing that Connect has a schema for")
        return self._schema(chosen, path, outer, version=version, optional=optional)


def _gather(node: Node, path: str, properties: dict[str, tuple[Node, bool]], seen: list[Any]) -> None:
    """Add the properties that `node` has by itself, by what it refers to, and by what it combines."""
    if any(each is node.value for each in seen):
        return
    seen.append(node.value)
    part = part_of(node)
    if part.kind == "$ref":
        _gather(node.document.resolve(str(node.get("$ref"))), path, properties, seen)
    elif part.kind == "allOf":
        for each in part.held:
            _gather(each, path, properties, seen)
    elif part.kind == "object":
        required = _required(node)
        for name, each in _properties(node, path):
            properties[name] = each, name in required


def _properties(node: Node, path: str) -> list[tuple[str, Node]]:
    found = node.get("properties")
    if found is None:
        return []
    if not isinstance(found, dict):
        raise DataError(f"{_place(path)}: properties of a JSON Schema are an object, not {found!r:.60}")
    return [(name, node.child(each)) for name, each in found.items()]


def _required(node: Node) -> frozenset[str]:
    found = node.get("required")
    return frozenset(map(str, found)) if isinstance(found, list) else frozenset()


def _free(ordered: dict[int, tuple[str, Node]]) -> int:
    """The place of a property that has none of its own."""
    place = len(ordered)
    while place in ordered:
        place += 1
    return place


def _is_null(node: Node) -> bool:
    return part_of(node).kind == "null"


def _number(node: Node, kind: str, path: str) -> Type:
    said = node.get(names.CONNECT_TYPE)
    if said is None:
        return Type.INT64 if kind == "integer" else Type.FLOAT64
    if said not in names.NUMBERS:
        raise DataError(
            f"{_place(path)}: {names.CONNECT_TYPE}={said!r}: a number is one of {', '.join(names.NUMBERS)} there"
        )
    return names.NUMBERS[said]


def _symbol(value: Any) -> str:
    if value is None:
        return names.NULL_SYMBOL
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(node: Node, keyword: str) -> str | None:
    found = node.get(keyword)
    return found if isinstance(found, str) else None


def _place(path: str) -> str:
    return path.lstrip(".") or "the root"
