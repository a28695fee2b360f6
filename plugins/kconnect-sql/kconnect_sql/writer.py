"""What the sink needs of a database, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from kconnect.errors import ConnectError
from kconnect.schema import Schema
from kconnect_sql.identifiers import Identifiers
from kconnect_sql.shape import Shape, TargetColumn
from kconnect_sql.table import Row, Table


class Writer(Protocol):
    """An open connection that a sink task writes by. For one thread. Methods raise RetriableError when the database is
    away or busy, DataError when it refuses the rows, ConnectError when it refuses the statement."""

    quote: Identifiers

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing: what is written inside stays if the block ends well."""
        ...

    def savepoint(self) -> AbstractContextManager[None]:
        """Inside a transaction: what is written in the block is taken back if it ends by an error."""
        ...

    def column_names(self, table: Table) -> set[str] | None:
        """The table's columns as they are now; None if there is no such table."""
        ...

    def create(self, table: Table, columns: Sequence[TargetColumn]) -> None: ...

    def add_columns(self, table: Table, columns: Sequence[TargetColumn]) -> None: ...

    def insert(self, table: Table, shape: Shape, rows: list[Row]) -> None: ...

    def upsert(self, table: Table, shape: Shape, rows: list[Row]) -> None:
        """No two of the rows have the same key."""
        ...

    def update(self, table: Table, shape: Shape, rows: list[Row]) -> None: ...

    def delete(self, table: Table, shape: Shape, keys: list[Row]) -> None: ...

    def close(self) -> None: ...


def unstorable(name: str, schema: Schema) -> ConnectError:
    """What a writer says of a field that no column of its database holds."""
    return ConnectError(
        f"the field {name} is of type {schema.type.value}, which no column holds: flatten it, or leave it out by "
        "fields.whitelist"
    )
