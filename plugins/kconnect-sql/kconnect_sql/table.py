"""Tables, their columns and rows, whatever the database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kconnect.schema import Schema

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view; `schema` is None where the database has none."""

    name: str
    schema: str | None = None

    @classmethod
    def parse(cls, text: str) -> Table:
        """A name that may be qualified; what comes before the last dot is the schema."""
        schema, _, name = text.rpartition(".")
        return cls(name, schema or None)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


def encode_tables(tables: Sequence[Table]) -> str:
    """Tables as one value of a task's configuration, whatever is in their names."""
    return json.dumps([[table.name, table.schema] for table in tables])


def decode_tables(text: str) -> list[Table]:
    """What `encode_tables` gave."""
    return [Table(name, schema) for name, schema in json.loads(text)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as the source sees it: `schema` is what its values become; `expression` is the SQL that it is selected
    by, None for its bare name."""

    name: str
    schema: Schema
    nullable: bool = True
    auto_increment: bool = False
    expression: str | None = None
