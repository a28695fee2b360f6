"""SQLite, by Python's own driver. A declared type says what a column is; SQLite itself lets any value in."""

from __future__ import annotations

import datetime
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from kconnect.errors import ConnectError, DataError, RetriableError
from kconnect.schema import (
    BOOLEAN_SCHEMA,
    BYTES_SCHEMA,
    DATE_NAME,
    DATE_SCHEMA,
    DECIMAL_NAME,
    FLOAT64_SCHEMA,
    INT64_SCHEMA,
    STRING_SCHEMA,
    TIME_NAME,
    TIME_SCHEMA,
    TIMESTAMP_NAME,
    TIMESTAMP_SCHEMA,
    Schema,
    Type,
)
from kconnect_sql.config import ConnectionConfig, SqlSourceConfig
from kconnect_sql.dialect import Column, Reader, Row, Settled, Table
from kconnect_sql.numeric import numeric_mapping, numeric_schema
from kconnect_sql.position import EPOCH
from kconnect_sql.url import DatabaseUrl
from kconnect_sql.writer import Writer

BUSY_SECONDS = 5.0
MICROSECOND = datetime.timedelta(microseconds=1)


class SqliteDialect:
    name = "sqlite"

    def reader(self, url: DatabaseUrl, config: ConnectionConfig) -> Reader:
        return SqliteReader(url, config)

    def writer(self, url: DatabaseUrl, config: ConnectionConfig) -> Writer:
        from kconnect_sql.sqlite_writer import SqliteWriter

        return SqliteWriter(url)

    def table(self, name: str) -> Table:
        return Table(name)


def connect(url: DatabaseUrl, *, create: bool) -> sqlite3.Connection:
    """Open the file; RetriableError while it cannot be opened. `create`: make it if it is not there."""
    mode = "rwc" if create else "rw"
    path = url.database.replace("?", "%3f").replace("#", "%23")
    try:
        return sqlite3.connect(f"file:{path}?mode={mode}", uri=True, timeout=BUSY_SECONDS, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise RetriableError(f"the SQLite database {url.database} cannot be opened: {error}") from error


def quote(*names: str | None) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names if name)


def refuse(error: sqlite3.Error, doing: str, url: DatabaseUrl) -> NoReturn:
    """Raise what `error` means: again later when the file is locked or away, no otherwise."""
    retriable = isinstance(error, sqlite3.OperationalError) and any(
        word in str(error) for word in ("locked", "busy", "unable to open", "disk I/O", "full")
    )
    message = f"{url.database}: {doing}: {error}"
    raise (RetriableError if retriable else ConnectError)(message) from error


class SqliteReader:
    parameter = "?"

    def __init__(self, url: DatabaseUrl, config: ConnectionConfig) -> None:
        self._url = url
        self._mapping = numeric_mapping(config) if isinstance(config, SqlSourceConfig) else "none"
        self._zone = ZoneInfo(config.db_timezone)
        self._connection = connect(url, create=False)
        self._connection.create_function("kconnect_moment", 1, self._micros, deterministic=True)

    def tables(self, kinds: Sequence[str]) -> list[Table]:
        wanted = [kind.lower() for kind in kinds]
        marks = ", ".join("?" * len(wanted))
        sql = f"SELECT name FROM sqlite_master WHERE type IN ({marks}) AND name NOT LIKE 'sqlite_%' ORDER BY name"  # noqa: S608
        return [Table(name) for (name,) in self._execute(sql, wanted)]

    def columns(self, table: Table) -> list[Column]:
        found = self._execute(f"PRAGMA table_xinfo({quote(table.name)})").fetchall()
        if not found:
            raise ConnectError(f"{self._url.database} has no table {table}")
        keys = [row for row in found if row[5]]
        columns = []
        for _, name, declared, not_null, _, key, hidden in found:
            if hidden == 1:
                continue
            row_id = len(keys) == 1 and bool(key) and declared.upper() == "INTEGER"
            columns.append(self._column(name, declared, bool(not_null) or row_id, bool(key), row_id))
        return columns

    def query_columns(self, sql: str) -> list[Column]:
        cursor = self._execute(f"SELECT * FROM ({sql}) LIMIT 1")  # noqa: S608 - the user's own query
        row = cursor.fetchone() or ()
        names = [description[0] for description in cursor.description]
        values = [*row, *[None] * (len(names) - len(row))]
        return [
            Column(name=name, schema=_optional(_schema_of_value(value)))
            for name, value in zip(names, values, strict=True)
        ]

    def quote(self, *names: str | None) -> str:
        return quote(*names)

    def moment_sql(self, column: str) -> str:
        return f"kconnect_moment({quote(column)})"

    def moment_parameter(self, moment: datetime.datetime) -> int:
        return (moment - EPOCH) // MICROSECOND

    def stream(self, sql: str, parameters: Sequence[Any], columns: Sequence[Column], size: int) -> Iterator[list[Row]]:
        cursor = self._execute(sql, parameters)
        converters = {
            index: self._converter(column) for index, column in enumerate(columns) if _needs_conversion(column.schema)
        }
        try:
            while rows := self._fetch(cursor, size):
                yield _converted(rows, converters) if converters else rows
        finally:
            cursor.close()

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    def settled(self, table: Table | None, column: str) -> Settled:
        """There is one writer at a time, so that rows appear in the order in which they were numbered."""
        return Settled()

    def close(self) -> None:
        self._connection.close()

    def _execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.Error as error:
            refuse(error, f"cannot run {sql}", self._url)

    def _fetch(self, cursor: sqlite3.Cursor, size: int) -> list[Row]:
        try:
            return cursor.fetchmany(size)
        except sqlite3.Error as error:
            refuse(error, "cannot read on", self._url)

    def _column(self, name: str, declared: str, not_null: bool, key: bool, row_id: bool) -> Column:
        schema = _schema(declared, self._mapping)
        return Column(
            name=name,
            schema=schema if not_null else _optional(schema),
            nullable=not not_null,
            primary_key=key,
            auto_increment=row_id,
        )

    def _converter(self, column: Column) -> Callable[[Any], Any]:
        convert = self._conversion(column.schema)

        def converter(value: Any) -> Any:
            if value is None:
                return None
            try:
                return convert(value)
            except (ValueError, TypeError, InvalidOperation, OverflowError) as error:
                what = column.schema.name or column.schema.type.value
                raise DataError(f"{self._url.database}: the column {column.name} holds {value!r}, no {what}") from error

        return converter

    def _conversion(self, schema: Schema) -> Callable[[Any], Any]:
        match schema.name:
            case name if name == DECIMAL_NAME:
                return _to_decimal(int((schema.parameters or {})["scale"]))
            case name if name == DATE_NAME:
                return lambda value: self._moment(value).date()
            case name if name == TIME_NAME:
                return datetime.time.fromisoformat
            case name if name == TIMESTAMP_NAME:
                return self._moment
        return bool if schema.type is Type.BOOLEAN else float

    def _moment(self, value: Any) -> datetime.datetime:
        """Text as ISO 8601 (in db.timezone unless it says), or milliseconds since 1970."""
        if isinstance(value, int):
            return EPOCH + datetime.timedelta(milliseconds=value)
        moment = datetime.datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).astimezone(datetime.UTC)

    def _micros(self, value: Any) -> int | None:
        try:
            return None if value is None else (self._moment(value) - EPOCH) // MICROSECOND
        except (ValueError, TypeError):
            return None


def _schema(declared: str, mapping: str) -> Schema:
    """By the declared type, as SQLite's own affinity rules go, and finer where the name says more."""
    name = declared.upper()
    size = re.search(r"\((\d+)(?:\s*,\s*(\d+))?\)", name)
    if "BOOL" in name:
        return BOOLEAN_SCHEMA
    if "INT" in name:
        return INT64_SCHEMA
    if any(word in name for word in ("CHAR", "CLOB", "TEXT", "JSON", "UUID")):
        return STRING_SCHEMA
    if "TIMESTAMP" in name or "DATETIME" in name:
        return TIMESTAMP_SCHEMA
    if name == "DATE":
        return DATE_SCHEMA
    if name == "TIME":
        return TIME_SCHEMA
    if any(word in name for word in ("REAL", "FLOA", "DOUB")):
        return FLOAT64_SCHEMA
    if any(word in name for word in ("DEC", "NUMERIC", "MONEY")):
        if size is None:
            return FLOAT64_SCHEMA
        return numeric_schema(mapping, int(size[1]), int(size[2] or 0))
    return BYTES_SCHEMA if not name or "BLOB" in name else STRING_SCHEMA


def _schema_of_value(value: Any) -> Schema:
    match value:
        case int():
            return INT64_SCHEMA
        case float():
            return FLOAT64_SCHEMA
        case bytes():
            return BYTES_SCHEMA
    return STRING_SCHEMA


def _optional(schema: Schema) -> Schema:
    return Schema(schema.type, optional=True, name=schema.name, version=schema.version, parameters=schema.parameters)


def _needs_conversion(schema: Schema) -> bool:
    return schema.name is not None or schema.type in (Type.BOOLEAN, Type.FLOAT64)


def _to_decimal(scale: int) -> Callable[[Any], Decimal]:
    step = Decimal(1).scaleb(-scale)
    return lambda value: Decimal(str(value)).quantize(step)


def _converted(rows: list[Row], converters: dict[int, Callable[[Any], Any]]) -> list[Row]:
    columns = list(zip(*rows, strict=True))
    for index, convert in converters.items():
        columns[index] = tuple([convert(value) for value in columns[index]])
    return list(zip(*columns, strict=True))
