"""Whether what was written with one JSON Schema can be read with another.

A property that is new in an open object counts as compatible, as in Confluent's lenient policy: else no schema that a
converter writes could ever gain a field."""

from __future__ import annotations

from typing import Any, Final

from kconnect_converters.json_schema.document import Document, Node
from kconnect_converters.json_schema.parts import Part, part_of

_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_COMBINED: Final = ("oneOf", "anyOf")


def unreadable(reader: Document, writer: Document) -> list[str]:
    """What `reader` would not take of what `writer` allows, by the place; nothing if it takes all."""
    return _Comparison().compare(reader.node, writer.node, "#")


class _Comparison:
    def __init__(self) -> None:
        self._begun: list[tuple[Any, Any]] = []

    def compare(self, reader: Node, writer: Node, path: str) -> list[str]:
        reader, writer = _followed(reader), _followed(writer)
        if any(r is reader.value and w is writer.value for r, w in self._begun):
            return []  # a schema that contains itself: what is inside is being compared already
        self._begun.append((reader.value, writer.value))
        ours, theirs = part_of(reader), part_of(writer)
        if ours.kind == "anything" or theirs.kind == "nothing" or reader.value == writer.value:
            return []
        if theirs.kind in _COMBINED:
            return [fault for each in theirs.held for fault in self.compare(reader, each, path)]
        if ours.kind in _COMBINED:
            return self._any_of(ours, writer, path)
        if ours.kind == "allOf":
            return [fault for each in ours.held for fault in self.compare(each, writer, path)]
        if theirs.kind == "allOf":
            tries = [self.compare(reader, each, path) for each in theirs.held]
            return min(tries, key=len) if tries else []
        return self._alike(ours, theirs, path)

    def _any_of(self, reader: Part, writer: Node, path: str) -> list[str]:
        tries = [_Comparison().compare(each, writer, path) for each in reader.held]
        return [] if not all(tries) else [f"{path}: fits no branch any more: {min(tries, key=len)[0]}"]

    def _alike(self, ours: Part, theirs: Part, path: str) -> list[str]:
        if ours.kind in ("enum", "const"):
            return _symbols(ours, theirs, path)
        if theirs.kind in ("enum", "const"):
            return (
                [] if all(_is_of(symbol, ours.kind) for symbol in _values(theirs)) else [_changed(ours, theirs, path)]
            )
        if ours.kind != theirs.kind and (ours.kind, theirs.kind) != ("number", "integer"):
            return [_changed(ours, theirs, path)]
        faults = _limits(ours.node, theirs.node, path)
        if ours.kind == "object":
            faults += self._objects(ours.node, theirs.node, path)
        elif ours.kind == "array":
            items = [each.get("items") for each in (ours.node, theirs.node)]
            if items[0] is not None:
                written = theirs.node.child(True if items[1] is None else items[1])
                faults += self.compare(ours.node.child(items[0]), written, f"{path}/items")
        return faults

    def _objects(self, reader: Node, writer: Node, path: str) -> list[str]:
        ours, theirs = (each.get("properties") or {} for each in (reader, writer))
        faults = []
        for name, each in ours.items():
            place = f"{path}/properties/{name}"
            if name in theirs:
                faults += self.compare(reader.child(each), writer.child(theirs[name]), place)
            elif isinstance(writer.get("additionalProperties"), dict):
                faults += self.compare(reader.child(each), writer.child(writer.get("additionalProperties")), place)
        others = reader.get("additionalProperties")
        for name, each in theirs.items():
            if name not in ours and others is False:
                faults.append(f"{path}/properties/{name}: is not allowed any more")
            elif name not in ours and isinstance(others, dict):
                faults += self.compare(reader.child(others), writer.child(each), f"{path}/properties/{name}")
        written = set(writer.get("required") or ())
        for name in reader.get("required") or ():
            has_default = isinstance(ours.get(name), dict) and "default" in ours[name]
            if name not in written and not has_default:
                faults.append(f"{path}/required: {name} is required now, and has no default")
        open_before = writer.get("additionalProperties") is not False
        if others is False and open_before and not isinstance(writer.get("additionalProperties"), dict):
            faults.append(f"{path}/additionalProperties: are not allowed any more")
        elif isinstance(others, dict) and isinstance(writer.get("additionalProperties"), dict):
            held = writer.child(writer.get("additionalProperties"))
            faults += self.compare(reader.child(others), held, f"{path}/additionalProperties")
        return faults


def _followed(node: Node) -> Node:
    """What a reference refers to; references that go in a circle are their own business."""
    for _ in range(100):
        if part_of(node).kind != "$ref":
            break
        node = node.document.resolve(str(node.get("$ref")))
    return node


def _limits(reader: Node, writer: Node, path: str) -> list[str]:
    faults = []
    for name in (*_UPPER, *_LOWER):
        new, old = reader.get(name), writer.get(name)
        if isinstance(new, bool) or new is None:
            continue
        if old is None or (new < old if name in _UPPER else new > old):
            faults.append(f"{path}/{name}: is {new} now, and was {'not set' if old is None else old}")
    if reader.get("pattern") is not None and reader.get("pattern") != writer.get("pattern"):
        faults.append(f"{path}/pattern: has changed")
    return faults


def _values(part: Part) -> list[Any]:
    return list(part.node.value["enum"]) if part.kind == "enum" else [part.node.value["const"]]


def _symbols(ours: Part, theirs: Part, path: str) -> list[str]:
    if theirs.kind not in ("enum", "const"):
        return [_changed(ours, theirs, path)]
    known = _values(ours)
    gone = [symbol for symbol in _values(theirs) if symbol not in known]
    return [f"{path}/enum: {symbol!r} is not among its symbols any more" for symbol in gone]


def _is_of(symbol: Any, kind: str) -> bool:
    classes: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float)}
    return isinstance(symbol, classes.get(kind, ()))


def _changed(ours: Part, theirs: Part, path: str) -> str:
    return f"{path}: is {ours.kind} now, and was {theirs.kind}"
