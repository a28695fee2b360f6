"""The row formats of the directory source: JSON lines and CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol

import msgspec

from kconnect.errors import ConnectError, DataError
from kconnect.schema import OPTIONAL_STRING_SCHEMA, Schema
from kconnect.schema_builder import SchemaBuilder
from kconnect_file.lines import LineNumbers, LineReader


class RowFormat(Protocol):
    """Rows of one file. `schema` is known once the first row was read; None for schemaless rows."""

    schema: Schema | None

    def begin_at(self, stream: BinaryIO, position: int) -> None:
        """Go on after `position` bytes."""
        ...

    def read(self, limit: int) -> tuple[list[Any], list[int]]:
        """At most `limit` rows and the byte position after each; none at the end of what is written so far. Raises
        DataError that names file, line and byte for a row that cannot be read, once the rows before it are given; the
        next call goes on behind it."""
        ...


class JsonLines:
    """A JSON document per line; empty lines are passed over."""

    schema: Schema | None = None

    def __init__(self, path: str, lines: LineReader, numbers: LineNumbers) -> None:
        self._path = path
        self._lines = lines
        self._numbers = numbers
        self._decode = msgspec.json.Decoder().decode
        self._pending: Iterator[tuple[str, int]] = iter(())
        self._begin = 0
        """Where the next of the pending lines begins."""
        self._bad = _BadRow()

    def begin_at(self, stream: BinaryIO, position: int) -> None:
        stream.seek(position)
        self._lines.position = self._begin = position

    def read(self, limit: int) -> tuple[list[Any], list[int]]:
        self._bad.tell()
        values: list[Any] = []
        ends: list[int] = []
        while True:
            begin = self._begin
            for text, end in self._pending:
                if text and not text.isspace():
                    try:
                        values.append(self._decode(text))
                    except msgspec.DecodeError as error:
                        self._begin = end
                        self._bad.error = _unreadable(self._path, self._numbers, begin, f"is not JSON: {error}")
                        if not values:
                            self._bad.tell()
                        return values, ends
                    ends.append(end)
                begin = end
            self._begin = begin
            if values:
                return values, ends
            texts, positions = self._lines.read(limit)
            if not texts:
                return values, ends
            self._pending = zip(texts, positions, strict=True)


class CsvRows:
    """CSV with a header line; every column is optional text, and an empty unquoted one is empty text."""

    schema: Schema | None = None

    def __init__(self, path: str, lines: LineReader, numbers: LineNumbers, delimiter: str) -> None:
        self._path = path
        self._lines = lines
        self._numbers = numbers
        self._delimiter = delimiter
        self._columns: list[str] = []
        self._feed = _Feed(lines)
        self._bad = _BadRow()

    def begin_at(self, stream: BinaryIO, position: int) -> None:
        header = stream.readline()
        if not header.endswith(b"\n"):
            stream.seek(0)
            return
        self._take_header(header.decode("utf-8-sig", errors="replace"))
        begin = max(position, len(header))
        stream.seek(begin)
        self._lines.position = self._feed.position = begin

    def read(self, limit: int) -> tuple[list[Any], list[int]]:
        self._bad.tell()
        if not self._columns:
            texts, _ = self._lines.read(1)
            if not texts:
                return [], []
            self._take_header(texts[0].removeprefix("\ufeff"))
            self._feed.position = self._lines.position
        values: list[Any] = []
        ends: list[int] = []
        feed = self._feed
        rows = csv.reader(feed, delimiter=self._delimiter, strict=True)
        while len(values) < limit:
            begin = feed.begin_row()
            try:
                row = next(rows, None)
                if row is None:
                    break
                if row:
                    values.append(self._struct(row, begin))
                    ends.append(feed.position)
            except csv.Error as error:
                if feed.at_end:  # a quoted field whose end is not written yet
                    feed.unread_row()
                    break
                self._bad.error = _unreadable(self._path, self._numbers, begin, f"is not CSV: {error}")
                break
            except DataError as error:
                self._bad.error = error
                break
        if not values:
            self._bad.tell()
        return values, ends

    def _take_header(self, line: str) -> None:
        self._columns = next(csv.reader([line], delimiter=self._delimiter), [])
        for number, column in enumerate(self._columns):
            if not column:
                raise ConnectError(f"{self._path}: the header has a column without a name, the one at {number + 1}")
            if column in self._columns[:number]:
                raise ConnectError(f"{self._path}: the header names the column {column} twice")
        builder = SchemaBuilder.struct()
        for column in self._columns:
            builder.field(column, OPTIONAL_STRING_SCHEMA)
        self.schema = builder.build()

    def _struct(self, row: list[str], begin: int) -> dict[str, str]:
        if len(row) != len(self._columns):
            problem = f"has {len(row)} columns, the header has {len(self._columns)}"
            raise _unreadable(self._path, self._numbers, begin, problem)
        return dict(zip(self._columns, row, strict=True))


class _BadRow:
    """The error of a row that cannot be read, kept until the rows before it are given."""

    error: DataError | None = None

    def tell(self) -> None:
        """Raises it, once."""
        error, self.error = self.error, None
        if error is not None:
            raise error


def _unreadable(path: str, numbers: LineNumbers, begin: int, problem: str) -> DataError:
    """Of the row that begins at that byte."""
    return DataError(f"{path}: line {numbers.at(begin)} (byte {begin}) {problem}")


class _Feed(Iterator[str]):
    """Single lines for csv.reader, which takes several for a row whose quoted field spans lines. The lines of a row
    that turns out incomplete can be put back."""

    def __init__(self, lines: LineReader) -> None:
        self._lines = lines
        self._row: list[tuple[str, int]] = []
        self._unread: list[tuple[str, int]] = []
        self.position = 0
        self.at_end = False

    def begin_row(self) -> int:
        """Forget the lines of the row before; the position where the next row begins."""
        self._row = []
        self.at_end = False
        return self.position

    def unread_row(self) -> None:
        self._unread = self._row + self._unread
        self._row = []

    def __next__(self) -> str:
        if self._unread:
            text, self.position = self._unread.pop(0)
        else:
            texts, positions = self._lines.read(1)
            if not texts:
                self.at_end = True
                raise StopIteration
            text, self.position = texts[0], positions[0]
        self._row.append((text, self.position))
        return text + "\n"
