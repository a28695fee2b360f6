"""What the source needs of a database, whichever it is."""

from __future__ import annotations

import datetime
from collections.abc import Generator, Sequence
from typing import Any, Protocol

from kconnect_sql.horizon import Horizon
from kconnect_sql.identifiers import Identifiers
from kconnect_sql.table import Column, Row, Table


class Reader(Protocol):
    """An open connection that a source task reads by. For one thread. Methods raise RetriableError when the database
    is away, ConnectError when it refuses, DataError for values that no schema can hold."""

    quote: Identifiers

    def parameter(self, number: int) -> str:
        """What stands for a parameter in SQL, the first one being 1."""
        ...

    def tables(self, kinds: Sequence[str]) -> list[Table]:
        """The tables (and views, if `kinds` has VIEW) that this login sees, system tables excepted."""
        ...

    def columns(self, table: Table) -> list[Column]:
        """In the order of the table; ConnectError if it is not there."""
        ...

    def query_columns(self, sql: str) -> list[Column]:
        """The columns that a SELECT gives."""
        ...

    def moment_sql(self, column: str) -> str:
        """An expression of a timestamp column that compares with `moment_parameter`."""
        ...

    def moment_parameter(self, moment: datetime.datetime) -> Any:
        """An instant as a parameter."""
        ...

    def stream(
        self, sql: str, parameters: Sequence[Any], columns: Sequence[Column], size: int
    ) -> Generator[list[Row], None, None]:
        """The rows, at most `size` at a time, with values as the columns' schemas have them. One stream at a time."""
        ...

    def now(self) -> datetime.datetime:
        """The database's clock."""
        ...

    def horizon(self, rows: str, table: Table | None, number: str | None) -> Horizon:
        """For reading `table` (None: a query), which is `rows` in SQL, by the column `number`, or by timestamps if
        that is None."""
        ...

    def close(self) -> None: ...
