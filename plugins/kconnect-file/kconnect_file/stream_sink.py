"""FileStream sink: the values of topics as lines of a file, or of standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from io import FileIO, RawIOBase
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from kconnect.bounds import allow_path, allowed_path
from kconnect.config import HIGH, MEDIUM, Config, key
from kconnect.errors import ConnectError, DataError, RetriableError
from kconnect.java_text import java_text
from kconnect.record import SinkRecord, TopicPartition
from kconnect.sink import Offsets, SinkConnector, SinkTask


class FileStreamSinkConfig(Config):
    file: Annotated[str, allowed_path] | None = key(
        default=None, importance=HIGH, doc="The file to append to; left out, lines go to standard output."
    )
    format: Literal["text", "json"] = key(
        default="text",
        importance=MEDIUM,
        doc="How a value becomes a line: `text` as Kafka's FileStreamSink writes it, `json` as one JSON document.",
    )


class FileStreamSinkTask(SinkTask[FileStreamSinkConfig]):
    """Appends a line per record. Lines are synced to disk before offsets are committed: at least once.

    A write that fails half way (a full disk) is cut back and tried again, so that no line is torn or doubled. A line
    that a kill has torn ends there: the next one, which may be the same again, begins on a line of its own.
    """

    def start(self, config: FileStreamSinkConfig) -> None:
        self._path = config.file
        self._render: Callable[[SinkRecord], str] = _as_json if config.format == "json" else _as_text
        self._begin = b""
        if config.file is None:
            self._stream: RawIOBase = FileIO(sys.stdout.fileno(), "w", closefd=False)
            return
        path = allow_path("file", config.file)
        try:
            self._stream = path.open("ab", buffering=0)
        except OSError as error:
            raise ConnectError(f"file={config.file}: cannot be written: {error.strerror}") from error
        self._begin = b"" if _ends_with_a_line(path) else b"\n"

    def put(self, records: Sequence[SinkRecord]) -> None:
        if not records:
            return
        refused: list[tuple[SinkRecord, DataError]] = []
        try:
            data = ("\n".join(map(self._render, records)) + "\n").encode()
        except (DataError, UnicodeEncodeError):  # which record it was is found one by one
            data = self._writable(records, refused)
        if data:
            self._append(self._begin + data)
            self._begin = b""
        reporter = self.context.errant_record_reporter
        if reporter is not None:
            for record, error in refused:  # after the write, which may be tried again, for once each
                reporter.report(record, error)

    def _writable(self, records: Sequence[SinkRecord], refused: list[tuple[SinkRecord, DataError]]) -> bytes:
        """The lines of the records that have one; the others go to `refused`, each with its error, which is raised if
        errors are not reported."""
        lines = []
        for record in records:
            try:
                lines.append(_line(self._render, record))
            except DataError as error:
                if self.context.errant_record_reporter is None:
                    raise
                refused.append((record, error))
        return b"".join(lines)

    def _append(self, data: bytes) -> None:
        begin = self._stream.seek(0, os.SEEK_END) if self._path is not None else 0
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._stream.write(rest) or 0 :]
        except OSError as error:
            if self._path is None:
                raise ConnectError(f"standard output cannot be written: {error.strerror}") from error
            problem = f"file={self._path}: cannot be written: {error.strerror}"
            try:
                self._stream.truncate(begin)
            except OSError:
                raise ConnectError(f"{problem}, and a line half written could not be taken back") from error
            raise RetriableError(problem) from error

    def flush(self, offsets: Offsets) -> None:
        if self._path is not None:
            os.fsync(self._stream.fileno())

    def stop(self) -> None:
        if getattr(self, "_path", None) is not None and hasattr(self, "_stream"):
            self._stream.close()


class FileStreamSink(SinkConnector[FileStreamSinkConfig]):
    task = FileStreamSinkTask

    def alter_offsets(self, props: Mapping[str, str], offsets: Mapping[TopicPartition, int | None]) -> bool:
        return True


def _ends_with_a_line(path: Path) -> bool:
    """Also when it is empty, or is no file that could be looked into (a pipe)."""
    if not path.is_file() or path.stat().st_size == 0:
        return True
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
    except PermissionError:  # may be written, and not read
        return True


def _line(render: Callable[[SinkRecord], str], record: SinkRecord) -> bytes:
    """Raises DataError that names the record."""
    try:
        return (render(record) + "\n").encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{_where(record)} cannot be written as UTF-8: {error}") from error


def _where(record: SinkRecord) -> str:
    return f"{record.original_topic}-{record.original_partition}@{record.original_offset}"


def _as_text(record: SinkRecord) -> str:
    value = record.value
    if type(value) is str:
        return value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return java_text(record.value_schema, value)


def _as_json(record: SinkRecord) -> str:
    try:
        return msgspec.json.encode(record.value).decode()
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{_where(record)} cannot be written as JSON: {error}") from error
