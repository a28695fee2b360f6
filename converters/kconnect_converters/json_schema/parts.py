"""What a JSON Schema says, told apart: `{type, enum, oneOf …}` may be several schemas that hold together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from kconnect.errors import DataError
from kconnect_converters.json_schema.document import Node

_BY_KEYWORD: Final = {
    "object": (
        *("properties", "additionalProperties", "required", "minProperties", "maxProperties"),
        *("patternProperties", "dependencies", "propertyNames"),
    ),
    "array": ("items", "minItems", "maxItems", "uniqueItems", "contains", "additionalItems"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
"""The types that keywords are of, where no `type` is said."""
_COMBINED: Final = ("oneOf", "anyOf", "allOf")


@dataclass(frozen=True, slots=True)
class Part:
    """`kind` is a JSON type, or `$ref`, `enum`, `const`, `oneOf`, `anyOf`, `allOf`, `nothing`, `anything`; `held` are
    the schemas that the last three combine, `node` where it is said."""

    kind: str
    node: Node
    held: tuple[Node, ...] = ()


def part_of(node: Node) -> Part:
    """What `node` says as a whole; several parts are an `allOf` of them. DataError for what is no schema."""
    parts = _parts(node)
    if len(parts) == 1:
        return parts[0]
    return Part("allOf" if parts else "anything", node, tuple(_only(node, part) for part in parts))


def _only(node: Node, part: Part) -> Node:
    """A schema that says no more than one part of `node`."""
    if part.kind in ("enum", "const", *_COMBINED):
        kept = ("anyOf", "type") if "type" in part.node.value and part.kind == "anyOf" else (part.kind,)
        return node.child({name: part.node.value[name] for name in kept if name in part.node.value})
    others = {"enum", "const", *_COMBINED}
    return node.child({name: value for name, value in part.node.value.items() if name not in others})


def _parts(node: Node) -> list[Part]:
    described = node.value
    if described is True:
        return []
    if described is False:
        return [Part("nothing", node)]
    if not isinstance(described, dict):
        raise DataError(f"a JSON Schema is an object, not {described!r:.60}")
    if "$ref" in described:
        return [Part("$ref", node)]
    parts = [Part(kind, node) for kind in ("enum", "const") if kind in described]
    for kind in _COMBINED:
        if kind in described:
            if not isinstance(described[kind], list) or not described[kind]:
                raise DataError(f"{kind} of a JSON Schema is a list of schemas, not {described[kind]!r:.60}")
            parts.append(Part(kind, node, tuple(map(node.child, described[kind]))))
    typed = _typed(node, described)
    return parts if typed is None else [*parts, typed]


def _typed(node: Node, described: dict[str, Any]) -> Part | None:
    kind = described.get("type")
    if isinstance(kind, list):
        if len(kind) == 1:
            return Part(str(kind[0]), node)
        return Part("anyOf", node, tuple(node.child(described | {"type": each}) for each in kind))
    if kind is not None:
        return Part(str(kind), node)
    return next((Part(name, node) for name, keys in _BY_KEYWORD.items() if any(k in described for k in keys)), None)
