"""Reading one table, or the query, on and on: which rows are new, and what the offset of each is."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from kconnect.errors import ConnectError
from kconnect.record import RowBatch, SourceOffset
from kconnect.schema import Schema, SchemaBuilder
from kconnect_sql.config import SqlSourceConfig
from kconnect_sql.dialect import Reader, Row, Table
from kconnect_sql.position import EPOCH, INCREMENTING, Position, partition_of


class TableCursor:
    """Gives the new rows of one table, batch by batch, one `round` per poll interval.

    Offsets are such that going on after any row loses none: of rows with equal timestamps, only the last one's offset
    has that timestamp.
    """

    def __init__(self, config: SqlSourceConfig, reader: Reader, table: Table | None, position: Position | None) -> None:
        self._config = config
        self._reader = reader
        self.table = table
        self._partition = partition_of(table)
        self._topic = config.topic_prefix + (table.name if table is not None else "")
        self._columns = reader.columns(table) if table is not None else reader.query_columns(config.query)
        self._schema = self._struct_schema()
        self._position = position or self._initial()
        self._number = self._incrementing_column() if "incrementing" in config.mode else None
        self._moments = self._timestamp_columns() if "timestamp" in config.mode else []

    def round(self) -> Iterator[RowBatch]:
        """One look at the table: the rows that are new now. Ends when there are no more."""
        sql, parameters = self._select()
        self._refresh_columns()
        batches = self._reader.stream(sql, parameters, self._columns, self._config.batch_max_rows)
        rows = next(batches, None)
        while rows:
            following = next(batches, None)
            yield RowBatch(self._topic, self._schema, rows, self._partition, self._offsets(rows, following))
            rows = following

    def _struct_schema(self) -> Schema:
        builder = SchemaBuilder.struct()
        if self.table is not None:
            builder.name(self.table.name)
        for column in self._columns:
            builder.field(column.name, column.schema)
        return builder.build()

    def _refresh_columns(self) -> None:
        """Notice columns that were added or dropped since the last round."""
        if self.table is None:
            return
        columns = self._reader.columns(self.table)
        if columns != self._columns:
            self._columns = columns
            self._schema = self._struct_schema()

    def _initial(self) -> Position:
        config = self._config
        begin = config.timestamp_initial_ms
        moment = self._reader.now() if begin == -1 else EPOCH + datetime.timedelta(milliseconds=begin)
        return Position(number=config.incrementing_initial, moment=moment)

    def _incrementing_column(self) -> str:
        name = self._config.incrementing_column_name
        if not name:
            found = [column.name for column in self._columns if column.auto_increment]
            if len(found) != 1:
                raise ConnectError(
                    f"{self._what()} has {len(found)} columns that count up by themselves: set incrementing.column.name"
                )
            name = found[0]
        self._require(name)
        return name

    def _timestamp_columns(self) -> list[str]:
        names = self._config.timestamp_column_name
        if not names:
            raise ConnectError(f"mode={self._config.mode} needs timestamp.column.name for {self._what()}")
        for name in names:
            self._require(name, may_be_null=len(names) > 1)
        return names

    def _require(self, name: str, *, may_be_null: bool = False) -> None:
        column = next((column for column in self._columns if column.name == name), None)
        if column is None:
            there = ", ".join(column.name for column in self._columns)
            raise ConnectError(f"{self._what()} has no column {name}; it has {there}")
        if self._config.validate_non_null and column.nullable and not may_be_null and self.table is not None:
            raise ConnectError(
                f"{self._what()}: the column {name} may be null, and rows where it is would never be read; make it NOT "
                "NULL, or set validate.non.null=false to accept that"
            )

    def _what(self) -> str:
        return f"the table {self.table}" if self.table is not None else "the query"

    def _select(self) -> tuple[str, list[Any]]:
        quote, config = self._reader.quote, self._config
        sql = config.query if self.table is None else f"SELECT * FROM {quote(self.table.schema, self.table.name)}"  # noqa: S608 - quoted
        conditions, parameters = self._conditions()
        order = [self._moment_sql()] if self._moments else []
        if self._number is not None:
            order.append(quote(self._number))
        if conditions:
            sql += f" WHERE {conditions}"
        if order:
            sql += f" ORDER BY {', '.join(order)}"
        return f"{sql} {config.query_suffix}".rstrip(), parameters

    def _conditions(self) -> tuple[str, list[Any]]:
        if self._number is None and not self._moments:
            return "", []
        p = self._reader.parameter
        settled = self._reader.settled(self.table, self._number or "")
        parts: list[str] = []
        parameters: list[Any] = []
        number = self._reader.quote(self._number) if self._number is not None else ""
        if self._moments:
            moment = self._moment_sql()
            since = self._reader.moment_parameter(self._position.moment or EPOCH)
            end = self._reader.moment_parameter(self._end(settled.moment))
            if number:
                parts.append(f"{moment} < {p} AND (({moment} = {p} AND {number} > {p}) OR {moment} > {p})")
                parameters += [end, since, self._position.number, since]
            else:
                parts.append(f"{moment} > {p} AND {moment} < {p}")
                parameters += [since, end]
        else:
            parts.append(f"{number} > {p}")
            parameters.append(self._position.number)
            if settled.number is not None:
                parts.append(f"{number} <= {p}")
                parameters.append(settled.number)
        return " AND ".join(parts), parameters

    def _end(self, settled: datetime.datetime | None) -> datetime.datetime:
        end = self._reader.now() - datetime.timedelta(milliseconds=self._config.timestamp_delay_interval_ms)
        return end if settled is None else min(end, settled)

    def _moment_sql(self) -> str:
        moments = [self._reader.moment_sql(name) for name in self._moments]
        return moments[0] if len(moments) == 1 else f"COALESCE({', '.join(moments)})"

    def _offsets(self, rows: list[Row], following: list[Row] | None) -> list[SourceOffset] | None:
        """The offset of each row, and move on behind the last one."""
        if self._moments:
            return self._timestamp_offsets(rows, following)
        if self._number is None:
            return None
        index = self._index(self._number)
        self._position = Position(number=rows[-1][index])
        return [{INCREMENTING: row[index]} for row in rows]

    def _index(self, name: str) -> int:
        return next(index for index, column in enumerate(self._columns) if column.name == name)

    def _timestamp_offsets(self, rows: list[Row], following: list[Row] | None) -> list[SourceOffset]:
        indexes = [self._index(name) for name in self._moments]
        moments = [_first(row, indexes) for row in rows]
        if self._number is not None:
            number = self._index(self._number)
            positions = [Position(number=row[number], moment=at) for row, at in zip(rows, moments, strict=True)]
            self._position = positions[-1]
            return [position.to_offset() for position in positions]
        next_moment = _first(following[0], indexes) if following else None
        offsets: list[SourceOffset] = []
        for moment, later in zip(moments, [*moments[1:], next_moment], strict=True):
            if later != moment:
                self._position = Position(moment=moment)
            offsets.append(self._position.to_offset())
        return offsets


def _first(row: Row, indexes: list[int]) -> Any:
    return next(row[i] for i in indexes if row[i] is not None)
