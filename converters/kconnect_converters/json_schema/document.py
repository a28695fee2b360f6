"""JSON Schema documents, and what `$ref` refers to in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import unquote, urljoin

from kconnect.errors import DataError

_MAX_DEPTH = 200


@dataclass(slots=True, eq=False)
class Document:
    """A document with those that it may refer to, by the names that the registry has for the references."""

    text: str
    root: Any
    named: dict[str, Document] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, named: dict[str, Document] | None = None) -> Document:
        """DataError for what is no JSON Schema."""
        try:
            root = json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError) as error:
            raise DataError(f"a JSON Schema is JSON, and this is none ({error}): {text[:80]!r}") from None
        if not isinstance(root, dict | bool):
            raise DataError(f"a JSON Schema is an object, and this is none: {text[:80]!r}")
        return cls(text, root, {} if named is None else dict(named))

    @property
    def id(self) -> str:
        found = _id_of(self.root)
        return found.partition("#")[0]

    @property
    def node(self) -> Node:
        return Node(self.root, self)

    def resolve(self, reference: str) -> Node:
        """What `reference` refers to; DataError when that is nothing."""
        address, _, fragment = reference.partition("#")
        document = self._document(address) if address else self
        if document is None:
            found = self._with_id(urljoin(self.id, address))
            if found is None or fragment:
                raise DataError(f"$ref {reference!r} is neither in the JSON Schema nor among its references")
            return found
        if fragment and not fragment.startswith("/"):
            found = document._with_id(f"#{fragment}")
            if found is None:
                raise DataError(f"$ref {reference!r} refers to nothing: no such anchor")
            return found
        return Node(_pointed(document.root, unquote(fragment), reference), document)

    def _document(self, address: str) -> Document | None:
        absolute = urljoin(self.id, address)
        if self.id and absolute == self.id:
            return self
        for name in (address, absolute):
            if name in self.named:
                return self.named[name]
        return next((each for each in self.named.values() if each.id == absolute), None)

    def _with_id(self, wanted: str) -> Node | None:
        for value in _objects(self.root, 0):
            own = _id_of(value)
            names = {own, urljoin(self.id, own)} if own else set()
            if isinstance(value.get("$anchor"), str):
                names.add(f"#{value['$anchor']}")
            if wanted in names:
                return Node(value, self)
        return None


@dataclass(frozen=True, slots=True)
class Node:
    """A schema in a document: `value` is what the JSON has there."""

    value: Any
    document: Document

    def child(self, value: Any) -> Node:
        return Node(value, self.document)

    def get(self, name: str) -> Any:
        """A keyword's value, None without it."""
        return self.value.get(name) if isinstance(self.value, dict) else None


def _id_of(value: Any) -> str:
    found = (value.get("$id") or value.get("id")) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def _objects(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    if depth > _MAX_DEPTH:
        raise DataError("a JSON Schema that is nested too deeply")
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from _objects(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from _objects(each, depth + 1)


def _pointed(value: Any, pointer: str, reference: str) -> Any:
    """What a JSON pointer (RFC 6901) points at."""
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            raise DataError(f"$ref {reference!r} refers to nothing: there is no {step!r}")
    return value
