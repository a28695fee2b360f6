"""Avro schemas: parsed from JSON, checked, and printed as Avro's own libraries print them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from kconnect.errors import DataError

PRIMITIVES: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NAMED: Final = frozenset({"record", "enum", "fixed"})
_RESERVED: Final = frozenset(
    {"type", "name", "namespace", "doc", "aliases", "fields", "items", "values", "size", "symbols"}
)
_FIELD_RESERVED: Final = frozenset({"type", "name", "doc", "aliases", "default", "order"})
_MAX_DEPTH: Final = 200

UNSET: Final[Any] = object()
"""A field without a default; None is the default null."""


@dataclass(slots=True, eq=False)
class AvroField:
    """A field of a record; `default` is JSON as the schema has it, or UNSET."""

    name: str
    schema: AvroSchema
    doc: str | None = None
    default: Any = UNSET
    aliases: tuple[str, ...] = ()
    props: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class AvroSchema:
    """One schema. Compared by identity: a record that contains itself is a cycle of objects.

    `name` is the full name of a record, enum or fixed; `element` is what an array or map holds; `props` are the
    attributes that Avro itself does not know, `logicalType` among them.
    """

    type: str
    name: str = ""
    doc: str | None = None
    aliases: tuple[str, ...] = ()
    fields: tuple[AvroField, ...] = ()
    symbols: tuple[str, ...] = ()
    enum_default: str | None = None
    size: int = 0
    element: AvroSchema | None = None
    branches: tuple[AvroSchema, ...] = ()
    props: dict[str, Any] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def simple_name(self) -> str:
        return self.name.rpartition(".")[2]

    def field(self, name: str) -> AvroField | None:
        return next((each for each in self.fields if each.name == name), None)

    def held(self) -> AvroSchema:
        """What an array or map holds."""
        assert self.element is not None
        return self.element

    @property
    def nullable(self) -> AvroSchema | None:
        """The other branch of a union of two, one of which is null; None for everything else."""
        if self.type == "union" and len(self.branches) == 2:
            first, second = self.branches
            if first.type == "null" and second.type != "null":
                return second
            if second.type == "null" and first.type != "null":
                return first
        return None

    def to_json(self) -> Any:
        """The schema as JSON values: a named schema in full where it comes first, by its name from then on."""
        return _Printer().schema(self, "")

    def __str__(self) -> str:
        return json.dumps(self.to_json(), separators=(",", ":"), ensure_ascii=False)

    def __repr__(self) -> str:
        return f"AvroSchema({self.type}{f' {self.name}' if self.name else ''})"


def parse_schema(text: str, named: dict[str, AvroSchema] | None = None) -> AvroSchema:
    """The schema that `text` describes. `named` are schemas that it may refer to by their full names; those that it
    defines are added. Raises DataError that says what is wrong with it."""
    try:
        described = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"an Avro schema is JSON, and this is none ({error}): {text[:80]!r}") from None
    return schema_of(described, named)


def schema_of(described: Any, named: dict[str, AvroSchema] | None = None) -> AvroSchema:
    """`parse_schema` for JSON that is parsed already."""
    return _Parser({} if named is None else named).schema(described, "", 0)


def check_name(name: str, what: str) -> str:
    """`name` itself; DataError unless it is a letter or _, then letters, digits and _."""
    if not name or not name.replace("_", "a").isalnum() or not (name[0].isalpha() or name[0] == "_"):
        raise DataError(
            f"{what} {name!r} is no Avro name (a letter or _, then letters, digits and _); "
            "scrub.invalid.names=true replaces what does not fit"
        )
    return name


def check_full_name(name: str, what: str) -> str:
    """As `check_name`, for names with a namespace."""
    for part in name.removeprefix(".").split("."):
        check_name(part, what)
    if name in PRIMITIVES:
        raise DataError(f"{what} {name!r} is the name of a primitive type")
    return name.removeprefix(".")


def check_branches(branches: tuple[AvroSchema, ...]) -> tuple[AvroSchema, ...]:
    """DataError for a union in the union, or two branches that data cannot tell apart."""
    seen: set[str] = set()
    for branch in branches:
        kind = branch.name or branch.type
        if kind == "union":
            raise DataError("a union cannot hold another one")
        if kind in seen:
            raise DataError(f"a union holds {kind} twice: what is read could not be told apart")
        seen.add(kind)
    return branches


class _Parser:
    def __init__(self, named: dict[str, AvroSchema]) -> None:
        self._named = named

    def schema(self, described: Any, namespace: str, depth: int) -> AvroSchema:
        if depth > _MAX_DEPTH:
            raise DataError(f"an Avro schema nested deeper than {_MAX_DEPTH} levels")
        if isinstance(described, str):
            return self._by_name(described, namespace)
        if isinstance(described, list):
            branches = tuple(self.schema(branch, namespace, depth + 1) for branch in described)
            return AvroSchema("union", branches=check_branches(branches))
        if not isinstance(described, dict) or "type" not in described:
            raise DataError(f"an Avro schema is a name, a list or an object with a type, not {described!r:.80}")
        kind = described["type"]
        if isinstance(kind, dict | list):
            return self.schema(kind, namespace, depth + 1)
        reserved = _RESERVED | {"default"} if kind == "enum" else _RESERVED
        props = {key: value for key, value in described.items() if key not in reserved}
        if kind in PRIMITIVES:
            return AvroSchema(kind, props=props)
        if kind in ("record", "error", "enum", "fixed"):
            return self._named_schema(kind, described, props, namespace, depth)
        if kind in ("array", "map"):
            inner = "items" if kind == "array" else "values"
            if inner not in described:
                raise DataError(f"an Avro {kind} needs {inner}: {described!r:.80}")
            return AvroSchema(kind, element=self.schema(described[inner], namespace, depth + 1), props=props)
        if not isinstance(kind, str):
            raise DataError(f"{kind!r:.80} is no type of Avro")
        return self._by_name(kind, namespace)

    def _by_name(self, name: str, namespace: str) -> AvroSchema:
        if name in PRIMITIVES:
            return AvroSchema(name)
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        found = self._named.get(full.removeprefix(".")) or self._named.get(name)
        if found is None:
            raise DataError(f"the Avro schema names {full}, which is neither a type nor defined before")
        return found

    def _named_schema(
        self, kind: str, described: dict[str, Any], props: dict[str, Any], outer: str, depth: int
    ) -> AvroSchema:
        full = self._full_name(kind, described, outer)
        if full in self._named:
            raise DataError(f"the Avro schema defines {full} twice")
        aliases = tuple(described.get("aliases") or ())
        schema = AvroSchema(kind, full, described.get("doc"), aliases, props=props)
        self._named[full] = schema
        if kind == "fixed":
            if not isinstance(described.get("size"), int) or described["size"] < 0:
                raise DataError(f"fixed {full} needs a size of 0 or more, not {described.get('size')!r}")
            schema.size = described["size"]
        elif kind == "enum":
            schema.symbols = self._symbols(full, described.get("symbols"))
            schema.enum_default = described.get("default")
        else:
            schema.type = "record"
            schema.fields = self._fields(schema, described.get("fields"), depth)
        return schema

    def _full_name(self, kind: str, described: dict[str, Any], outer: str) -> str:
        name = described.get("name")
        if not isinstance(name, str) or not name:
            raise DataError(f"an Avro {kind} needs a name: {described!r:.80}")
        if "." not in name:
            given = described.get("namespace")
            namespace = outer if given is None else given
            name = f"{namespace}.{name}" if namespace else name
        return check_full_name(name, kind)

    def _symbols(self, full: str, symbols: Any) -> tuple[str, ...]:
        if not isinstance(symbols, list) or not all(isinstance(each, str) for each in symbols):
            raise DataError(f"enum {full} needs a list of symbols, not {symbols!r:.80}")
        if len(set(symbols)) != len(symbols):
            raise DataError(f"enum {full} has a symbol twice")
        return tuple(check_name(each, f"enum {full}: symbol") for each in symbols)

    def _fields(self, record: AvroSchema, described: Any, depth: int) -> tuple[AvroField, ...]:
        if not isinstance(described, list):
            raise DataError(f"record {record.name} needs a list of fields")
        fields: dict[str, AvroField] = {}
        for each in described:
            name = each.get("name") if isinstance(each, dict) else None
            if not isinstance(name, str) or "type" not in each:
                raise DataError(f"record {record.name}: a field has a name and a type, not {each!r:.80}")
            if check_name(name, f"record {record.name}: field") in fields:
                raise DataError(f"record {record.name} has field {name} twice")
            fields[name] = AvroField(
                name,
                self.schema(each["type"], record.namespace, depth + 1),
                each.get("doc"),
                each.get("default", UNSET),
                tuple(each.get("aliases") or ()),
                {key: value for key, value in each.items() if key not in _FIELD_RESERVED},
            )
        return tuple(fields.values())


class _Printer:
    def __init__(self) -> None:
        self._printed: set[str] = set()

    def schema(self, schema: AvroSchema, namespace: str) -> Any:
        if schema.type == "union":
            return [self.schema(branch, namespace) for branch in schema.branches]
        if schema.type in NAMED:
            return self._named(schema, namespace)
        if schema.type in PRIMITIVES:
            return {"type": schema.type, **schema.props} if schema.props else schema.type
        inner = "items" if schema.type == "array" else "values"
        return {"type": schema.type, inner: self.schema(schema.held(), namespace), **schema.props}

    def _named(self, schema: AvroSchema, namespace: str) -> Any:
        name, own = schema.simple_name, schema.namespace
        if schema.name in self._printed:
            return name if own == namespace and name not in PRIMITIVES else schema.name
        self._printed.add(schema.name)
        printed: dict[str, Any] = {"type": schema.type, "name": name}
        if own != namespace:
            printed["namespace"] = own
        if schema.doc is not None:
            printed["doc"] = schema.doc
        if schema.type == "record":
            printed["fields"] = [self._field(each, own) for each in schema.fields]
        elif schema.type == "enum":
            printed["symbols"] = list(schema.symbols)
            if schema.enum_default is not None:
                printed["default"] = schema.enum_default
        else:
            printed["size"] = schema.size
        printed |= schema.props
        if schema.aliases:
            printed["aliases"] = list(schema.aliases)
        return printed

    def _field(self, each: AvroField, namespace: str) -> dict[str, Any]:
        printed: dict[str, Any] = {"name": each.name, "type": self.schema(each.schema, namespace)}
        if each.doc is not None:
            printed["doc"] = each.doc
        if each.default is not UNSET:
            printed["default"] = each.default
        if each.aliases:
            printed["aliases"] = list(each.aliases)
        return printed | each.props
