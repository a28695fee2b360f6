"""Recipes: how new records are made of old ones of one shape, said in Python expressions and compiled.

A shape is what the records of a run have in common: their class, their schemas, and whether key and value are null,
dicts or something else. For each shape, once, every transform in turn says on a `Recipe` how the parts of the
new record come from the old one, in Python expressions; the code that comes of it goes over whole batches.

Expressions must be plain reads (of a field, a constant, a local): what may fail or takes time goes into a local,
so that it happens once, in the order of the transforms, whatever becomes of its result.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeAlias

from kconnect.errors import DataError
from kconnect.schema import Schema, Type

Side: TypeAlias = Literal["key", "value"]


class DependsOnRecordError(Exception):
    """What the transform meets depends on the single record; the run is cut before it."""


class Kind(enum.Enum):
    """What a key or value is, as far as the shape tells."""

    NULL = "null"
    STRUCT = "a struct"
    MAP = "a map"
    OTHER = "neither a struct nor a map"
    UNKNOWN = "unknown"


class Column(NamedTuple):
    """One field of a struct: the expression for its value, and its schema."""

    expression: str
    schema: Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A record's key or value. `schema_expression` and `expression` compute it; `schema` is what the former gives.

    `columns` are a struct's fields where transforms have said what each is; `owned` marks a map that may be written
    to, being a copy already. `python_class` is the class of an OTHER value."""

    kind: Kind
    expression: str
    schema: Schema | None
    schema_expression: str
    columns: Mapping[str, Column] | None = None
    owned: bool = False
    python_class: type = object


class Shape(NamedTuple):
    """What the code for a run of records relies on."""

    record_class: type
    key_schema: Schema | None
    key_class: type
    value_schema: Schema | None
    value_class: type


Run: TypeAlias = Callable[[Sequence[Any], int, Callable[[Any], None]], int]
"""Records, where to start, where new records go → where it stopped: the end, or a record of another shape."""


class Recipe:
    """How the parts of the new record come from the old one, `record`.

    Attributes are expressions, or Parts; transforms change them one after another. They raise DataError when
    no record of this shape fits them, DependsOnRecordError when that depends on the record."""

    def __init__(self, shape: Shape) -> None:
        self.record_class = shape.record_class
        self.topic = "record.topic"
        self.partition = "record.partition"
        self.timestamp = "record.timestamp"
        self.headers = "record.headers"
        self._parts: dict[Side, Part] = {
            "key": _part("key", shape.key_schema, shape.key_class),
            "value": _part("value", shape.value_schema, shape.value_class),
        }
        self._shape = shape
        self._read: set[Side] = set()
        self._lines: list[str] = []
        self._names: dict[str, Any] = {"new_record": shape.record_class}

    def part(self, side: Side) -> Part:
        """The key or value as it is so far."""
        self._read.add(side)
        return self._parts[side]

    def set_part(self, side: Side, part: Part) -> None:
        self._parts[side] = part

    def constant(self, value: object) -> str:
        """The name of a value (a function too) in the code."""
        name = f"c{len(self._names)}"
        self._names[name] = value
        return name

    def local(self, expression: str) -> str:
        """Evaluate now, once per record; the name of the result."""
        name = f"t{len(self._lines)}"
        self.line(f"{name} = {expression}")
        return name

    def line(self, statement: str) -> None:
        """Run a statement now, for each record."""
        self._lines.append(statement)

    def columns(self, side: Side, *, replace_null: bool) -> dict[str, Column]:
        """The fields of the struct on `side`; with `replace_null`, nulls give way to the fields' defaults."""
        part = self.part(side)
        assert part.schema is not None
        columns: dict[str, Column] = {}
        getter = None
        for field in part.schema.fields:
            if part.columns is not None:
                expression = part.columns[field.name].expression
            else:
                getter = getter or self._getter(part.expression)
                expression = f"{getter}({field.name!r})"
            if replace_null and field.schema.default is not None:
                expression = self.or_default(expression, field.schema)
            columns[field.name] = Column(expression, field.schema)
        return columns

    def or_default(self, expression: str, schema: Schema) -> str:
        """The local that holds the value of `expression`, or the schema's default where that is null."""
        name = self.local(expression)
        self.line(f"if {name} is None: {name} = {self.constant(schema.default)}")
        return name

    def set_struct(self, side: Side, schema: Schema, columns: Mapping[str, Column]) -> None:
        """Make the key or value a struct of `columns`, one for each field of `schema`."""
        literal = ", ".join(f"{name!r}: {column.expression}" for name, column in columns.items())
        self.set_part(
            side,
            Part(
                kind=Kind.STRUCT,
                expression=f"{{{literal}}}",
                schema=schema,
                schema_expression=self.constant(schema),
                columns=dict(columns),
            ),
        )

    def writable_map(self, side: Side) -> str:
        """The local that holds a copy of the map on `side`, made once, to be written to by statements."""
        part = self.part(side)
        if not part.owned:
            part = replace(part, expression=self.local(f"{part.expression}.copy()"), owned=True)
            self.set_part(side, part)
        return part.expression

    def set_map(self, side: Side, expression: str) -> None:
        """Make the key or value the map of its own that `expression` gives, without a schema."""
        self.set_part(
            side, Part(kind=Kind.MAP, expression=expression, schema=None, schema_expression="None", owned=True)
        )

    def set_value(self, side: Side, schema: Schema | None, expression: str) -> None:
        """Make the key or value what `expression` gives: anything that `schema` allows, so that transforms after
        this one must look at each record."""
        schema_expression = "None" if schema is None else self.constant(schema)
        self.set_part(
            side,
            Part(kind=Kind.UNKNOWN, expression=expression, schema=schema, schema_expression=schema_expression),
        )

    def set_schema(self, side: Side, schema: Schema) -> None:
        """Keep the value, and say something else of it."""
        part = self.part(side)
        self.set_part(side, replace(part, schema=schema, schema_expression=self.constant(schema)))

    def compile(self) -> Any:
        """The function that goes over a batch: a Run."""
        source = "\n".join(self._source())
        namespace = dict(self._names)
        exec(compile(source, "<transforms>", "exec"), namespace)  # noqa: S102 - our own source, names quoted by repr
        return namespace["run"]

    def _getter(self, expression: str) -> str:
        return self.local(f"{expression}.get")

    def _source(self) -> Iterable[str]:
        yield "def run(records, start, append):"
        yield "    for at in range(start, len(records)):"
        yield "        record = records[at]"
        yield "        value, key = record.value, record.key"
        yield f"        if {self._guard()}: return at"
        for line in self._lines:
            yield f"        {line}"
        yield f"        append(new_record({self._arguments()}))"
        yield "    return len(records)"

    def _guard(self) -> str:
        """Whether a record is of another shape. What no transform reads may be anything."""
        checks = [f"record.__class__ is not {self.constant(self._shape.record_class)}"]
        for side, schema, python_class in (
            ("value", self._shape.value_schema, self._shape.value_class),
            ("key", self._shape.key_schema, self._shape.key_class),
        ):
            if side in self._read:
                checks.append(f"record.{side}_schema is not {self.constant(schema)}")
                checks.append(f"{side}.__class__ is not {self.constant(python_class)}")
        return " or ".join(checks)

    def _arguments(self) -> str:
        key, value = self._parts["key"], self._parts["value"]
        made = {
            "topic": self.topic,
            "partition": self.partition,
            "timestamp": self.timestamp,
            "headers": self.headers,
            "key_schema": key.schema_expression,
            "key": key.expression,
            "value_schema": value.schema_expression,
            "value": value.expression,
        }
        fields: tuple[str, ...] = self.record_class.__struct_fields__  # type: ignore[attr-defined]
        return ", ".join(made.get(name) or self._unchanged(name) for name in fields)

    def _unchanged(self, name: str) -> str:
        """The expression for an attribute of the record that transforms cannot change."""
        return f"record.{name}"


def _part(side: Side, schema: Schema | None, python_class: type) -> Part:
    if python_class is type(None):
        kind = Kind.NULL
    elif schema is not None:
        kind = Kind.STRUCT if schema.type is Type.STRUCT and issubclass(python_class, dict) else Kind.OTHER
    else:
        kind = Kind.MAP if issubclass(python_class, dict) else Kind.OTHER
    return Part(
        kind=kind,
        expression=side,
        schema=schema,
        schema_expression=f"record.{side}_schema",
        python_class=python_class,
    )


def require_fields(part: Part, purpose: str) -> None:
    """Raise DataError unless the part has fields: a struct, or a map without a schema."""
    if part.kind is Kind.UNKNOWN:
        raise DependsOnRecordError
    if part.kind not in (Kind.STRUCT, Kind.MAP):
        wanted = "a map" if part.schema is None else "a struct"
        found = "null" if part.kind is Kind.NULL else part.python_class.__name__
        raise DataError(f"{purpose} needs {wanted}, not {found}")
