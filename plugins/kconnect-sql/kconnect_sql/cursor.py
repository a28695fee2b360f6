"""Reading one table, or the query, on and on: which rows are new, and what the offset of each is."""

from __future__ import annotations

import datetime
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from typing import Any

from kconnect.errors import ConnectError
from kconnect.record import RowBatch, SourceOffset
from kconnect.schema import TIMESTAMP_NAME, Schema
from kconnect.schema_builder import SchemaBuilder
from kconnect_sql.config import SqlSourceConfig
from kconnect_sql.horizon import Bound
from kconnect_sql.position import EPOCH, INCREMENTING, Place, Position, moment_offset, whole_number
from kconnect_sql.reader import Reader
from kconnect_sql.table import Column, Row


class TableCursor:
    """Gives the new rows of one table, batch by batch, one `round` per poll interval.

    Offsets are such that going on after any row loses none: of rows with equal timestamps, only the last one's offset
    has that timestamp. `place.position` is where the rows handed over so far end.
    """

    def __init__(self, config: SqlSourceConfig, reader: Reader, place: Place) -> None:
        self._config = config
        self._reader = reader
        self.place = place
        self.table = table = place.table
        self._topic = config.topic_prefix + (table.name if table is not None else "")
        self._look_at_columns()
        if place.position is None:
            place.position = self._initial()
        elif place.position.number is None:  # read by timestamps alone so far
            place.position = replace(place.position, number=config.incrementing_initial)
        self._horizon = reader.horizon(self._rows_sql(), table, self._number if not self._moments else None)

    @property
    def waiting(self) -> bool:
        """Whether rows are held back for a transaction that is still open."""
        return self._horizon.waiting

    def round(self) -> Generator[RowBatch, None, None]:
        """One look at the table: the rows that are new now. Ends when there are no more."""
        bound = self._horizon.look() if self._config.mode != "bulk" else Bound()
        if bound is None:
            return
        if self.table is not None:
            self._look_at_columns()
        sql, parameters = self._select(bound)
        with closing(self._reader.stream(sql, parameters, self._columns, self._config.batch_max_rows)) as batches:
            rows = next(batches, None)
            while rows:
                following = next(batches, None)
                partition = self.place.partition
                yield RowBatch(self._topic, self._schema, rows, partition, self._offsets(rows, following))
                rows = following

    def _look_at_columns(self) -> None:
        """Learn the columns, also those that were added or dropped since the last round."""
        table, reader = self.table, self._reader
        columns = reader.columns(table) if table is not None else reader.query_columns(self._config.query)
        self._columns = columns
        self._schema = self._struct_schema()
        self._number = self._incrementing_column() if "incrementing" in self._config.mode else None
        self._moments = self._timestamp_columns() if "timestamp" in self._config.mode else []
        self._number_index = self._index(self._number) if self._number is not None else -1
        self._moment_indexes = [self._index(name) for name in self._moments]

    def _struct_schema(self) -> Schema:
        builder = SchemaBuilder.struct()
        if self.table is not None:
            builder.name(self.table.name)
        names = set()
        for column in self._columns:
            if column.name in names:
                raise ConnectError(f"{self._what()} gives two columns {column.name}: give one of them another name")
            names.add(column.name)
            builder.field(column.name, column.schema)
        return builder.build()

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
        column = self._column(name)
        self._refuse_null([column])
        return column.name

    def _timestamp_columns(self) -> list[str]:
        names = self._config.timestamp_column_name
        if not names:
            raise ConnectError(f"mode={self._config.mode} needs timestamp.column.name for {self._what()}")
        columns = [self._column(name) for name in names]
        for column in columns:
            if column.schema.name != TIMESTAMP_NAME:
                raise ConnectError(
                    f"{self._what()}: timestamp.column.name={column.name} is {column.schema!r}, not a timestamp"
                )
        self._refuse_null(columns)
        return [column.name for column in columns]

    def _column(self, name: str) -> Column:
        same = self._reader.quote.same
        column = next((column for column in self._columns if same(column.name) == same(name)), None)
        if column is None:
            there = ", ".join(column.name for column in self._columns)
            raise ConnectError(f"{self._what()} has no column {name}; it has {there}")
        return column

    def _refuse_null(self, columns: list[Column]) -> None:
        """One of them must hold a value in every row."""
        if self._config.validate_non_null and self.table is not None and all(column.nullable for column in columns):
            names = ", ".join(column.name for column in columns)
            raise ConnectError(
                f"{self._what()}: {names} may be null, and rows where it is would never be read; make it NOT NULL, or "
                "set validate.non.null=false to accept that"
            )

    def _what(self) -> str:
        return f"the table {self.table}" if self.table is not None else "the query"

    def _select(self, bound: Bound) -> tuple[str, list[Any]]:
        quote, config = self._reader.quote, self._config
        names = ", ".join(
            f"{column.expression} AS {quote(column.name)}" if column.expression else quote(column.name)
            for column in self._columns
        )
        sql = f"SELECT {names} FROM {self._rows_sql()}"  # noqa: S608 - names are quoted, the query is the user's own
        conditions, parameters = self._conditions(bound)
        order = [self._moment_sql()] if self._moments else []
        if self._number is not None:
            order.append(quote(self._number))
        if conditions:
            sql += f" WHERE {conditions}"
        if order:
            sql += f" ORDER BY {', '.join(order)}"
        return f"{sql} {config.query_suffix}".rstrip(), parameters

    def _rows_sql(self) -> str:
        table = self.table
        return f"({self._config.query}) q" if table is None else self._reader.quote(table.schema, table.name)

    def _conditions(self, bound: Bound) -> tuple[str, list[Any]]:
        """What makes a row new."""
        position, p = self.place.position, self._reader.parameter
        assert position is not None
        number = self._reader.quote(self._number) if self._number is not None else ""
        if self._moments:
            moment = self._moment_sql()
            end = self._reader.moment_parameter(self._end(bound))
            since = self._reader.moment_parameter(position.moment or EPOCH)
            if not number:
                return f"{moment} < {p(1)} AND {moment} > {p(2)}", [end, since]
            newer = f"({moment} = {p(2)} AND {number} > {p(3)}) OR {moment} > {p(4)}"
            return f"{moment} < {p(1)} AND ({newer})", [end, since, position.number, since]
        if not number:
            return "", []
        if bound.number is None:
            return f"{number} > {p(1)}", [position.number]
        return f"{number} > {p(1)} AND {number} <= {p(2)}", [position.number, bound.number]

    def _end(self, bound: Bound) -> datetime.datetime:
        latest = self._reader.now() - datetime.timedelta(milliseconds=self._config.timestamp_delay_interval_ms)
        return latest if bound.moment is None else min(latest, bound.moment)

    def _moment_sql(self) -> str:
        moments = [self._reader.moment_sql(name) for name in self._moments]
        return moments[0] if len(moments) == 1 else f"COALESCE({', '.join(moments)})"

    def _offsets(self, rows: list[Row], following: list[Row] | None) -> list[SourceOffset] | None:
        """The offset of each row; moves the place behind the last one."""
        if self._moments:
            return self._timestamp_offsets(rows, following)
        if self._number is None:
            return None
        index = self._number_index
        if type(rows[0][index]) is not int or type(rows[-1][index]) is not int:
            numbers = [whole_number(row[index], self._number) for row in rows]
        else:
            numbers = [row[index] for row in rows]
        self.place.position = Position(number=numbers[-1])
        return [{INCREMENTING: number} for number in numbers]

    def _index(self, name: str) -> int:
        return next(index for index, column in enumerate(self._columns) if column.name == name)

    def _timestamp_offsets(self, rows: list[Row], following: list[Row] | None) -> list[SourceOffset]:
        indexes = self._moment_indexes
        moments = [_first(row, indexes) for row in rows]
        if self._number is not None:
            numbers = [whole_number(row[self._number_index], self._number) for row in rows]
            self.place.position = Position(number=numbers[-1], moment=moments[-1])
            return [
                {INCREMENTING: number, **moment_offset(moment)} for number, moment in zip(numbers, moments, strict=True)
            ]
        position = self.place.position
        assert position is not None
        offset = position.to_offset()
        next_moment = _first(following[0], indexes) if following else None
        offsets: list[SourceOffset] = []
        for moment, later in zip(moments, [*moments[1:], next_moment], strict=True):
            if later != moment:
                self.place.position = Position(moment=moment)
                offset = moment_offset(moment)
            offsets.append(offset)
        return offsets


def _first(row: Row, indexes: list[int]) -> Any:
    return next(row[i] for i in indexes if row[i] is not None)
