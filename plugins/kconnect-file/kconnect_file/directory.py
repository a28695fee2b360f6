"""Directory source: every file that a glob pattern matches, as JSON lines or CSV; new files are found by themselves."""

from __future__ import annotations

import glob
import logging
import os
import stat
import threading
import time
import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

from kconnect.bounds import allow_path, allowed_pattern
from kconnect.config import HIGH, LOW, MEDIUM, Config, NonEmptyString, Range, TopicName, key
from kconnect.errors import ConfigError, ConnectError, DataError
from kconnect.record import SourceOffset, SourceRecord
from kconnect.source import SourceConnector, SourcePartitionKey, SourceTask
from kconnect_file.formats import CsvRows, JsonLines, RowFormat
from kconnect_file.lines import LineNumbers, LineReader, check_not_cut

PATH = "path"
POSITION = "position"

MAX_OPEN_FILES = 64
_WAIT_SECONDS = 1.0

_REMEDIES = (
    "Mend it, set errors.tolerance=all to pass over such rows, or move the position of this file past it by altering "
    "the connector's offsets."
)

log = logging.getLogger(__name__)


def one_character(name: str, value: object) -> None:
    """A validator."""
    if not isinstance(value, str) or len(value) != 1 or value in '\r\n"':
        raise ConfigError("must be one character, and no quote or end of line", key=name, value=value)


class DirectorySourceConfig(Config):
    files: Annotated[str, NonEmptyString(), allowed_pattern] = key(
        importance=HIGH, doc="A glob pattern of the files to read, such as /data/in/**/*.csv."
    )
    topic: Annotated[str, TopicName()] = key(importance=HIGH, doc="The topic that the rows go to.")
    format: Literal["jsonl", "csv"] = key(
        default="jsonl",
        importance=HIGH,
        doc="`jsonl`: a JSON document per line, without a schema. `csv`: a header line, then rows of text.",
    )
    csv_delimiter: Annotated[str, one_character] = key(
        name="csv.delimiter", default=",", importance=MEDIUM, doc="The character between two CSV columns."
    )
    poll_interval_ms: Annotated[int, Range(1)] = key(
        name="poll.interval.ms",
        default=1000,
        importance=LOW,
        doc="How often to look for new files and lines, in ms.",
    )
    batch_size: Annotated[int, Range(1)] = key(
        name="batch.size", default=2000, importance=LOW, doc="The most rows that one poll hands over."
    )
    task_number: int = key(
        name="task.number",
        default=0,
        importance=LOW,
        internal=True,
        doc="Set by the connector: which task this is.",
    )
    task_count: int = key(
        name="task.count",
        default=1,
        importance=LOW,
        internal=True,
        doc="Set by the connector: how many tasks there are.",
    )


@dataclass(slots=True)
class _File:
    """`position`: the byte after the last row handed over. `rows` is None while the file is closed, because everything
    was read when it had `drained_size` bytes, or because too many others are open."""

    path: str
    position: int
    drained_size: int = -1
    stream: BinaryIO | None = None
    rows: RowFormat | None = None

    def close(self) -> None:
        if self.stream is not None:
            self.stream.close()
        self.stream = self.rows = None


class DirectorySourceTask(SourceTask[DirectorySourceConfig]):
    """Reads its share of the files (by a checksum of the path), each from its stored position on, in turn.

    Offsets: `{"path": …}` → `{"position": bytes}`. Within a file records keep their order. A link that leads
    out of what the worker allows is passed over, with a warning.
    """

    disposable_values = True

    def start(self, config: DirectorySourceConfig) -> None:
        self._config = config
        self._stopping = threading.Event()
        self._tolerant = self.context.configs.get("errors.tolerance", "").lower() == "all"
        self._files: dict[str, _File] = {}
        self._open: deque[_File] = deque()
        self._refused: set[str] = set()
        self._next_scan = 0.0
        self._in_vain = False
        """Whether the last look found nothing."""

    def poll(self) -> list[SourceRecord] | None:
        if time.monotonic() >= self._next_scan:
            self._scan()
        while self._open:
            file = self._open[0]
            if records := self._read(file):
                self._open.rotate(-1)  # the next poll begins with another file
                return records
            self._open.popleft().close()
        if not self._stopping.is_set() and not self._in_vain:
            self._scan()  # more than may be open are there, or what was read has grown
        if self._in_vain:
            self._stopping.wait(min(_WAIT_SECONDS, max(0.0, self._next_scan - time.monotonic())))
        return None

    def stop(self) -> None:
        if hasattr(self, "_stopping"):
            if self._stopping.is_set():
                for file in self._open:
                    file.close()
            self._stopping.set()

    def _scan(self) -> None:
        """Open files that are new or have changed, as many as may be open."""
        self._next_scan = time.monotonic() + self._config.poll_interval_ms / 1000
        self._in_vain = True
        for path in sorted(glob.glob(self._config.files, recursive=True)):  # noqa: PTH207 - an absolute pattern
            if len(self._open) >= MAX_OPEN_FILES:
                break
            if zlib.crc32(path.encode()) % self._config.task_count == self._config.task_number:
                self._in_vain = not self._look_at(path) and self._in_vain

    def _look_at(self, path: str) -> bool:
        """Open it if there may be something to read in it."""
        file = self._files.get(path)
        real = self._allowed(path)
        if real is None:
            return False
        try:
            status = real.stat()
            if not stat.S_ISREG(status.st_mode) or (file and (file.rows or file.drained_size == status.st_size)):
                return False
            if file is None:
                file = self._files[path] = _File(path, self._stored_position(path))
            check_not_cut(path, status.st_size, file.position)
            file.stream = real.open("rb")
        except FileNotFoundError:
            return False  # taken away since the pattern found it
        except OSError as error:
            raise ConnectError(f"{path} cannot be read: {error.strerror}") from error
        lines = LineReader(file.stream, name=path)
        numbers = LineNumbers(file.stream)
        csv = self._config.format == "csv"
        file.rows = (
            CsvRows(path, lines, numbers, self._config.csv_delimiter) if csv else JsonLines(path, lines, numbers)
        )
        self._open.append(file)
        file.rows.begin_at(file.stream, file.position)
        return True

    def _allowed(self, path: str) -> Path | None:
        """What to open for `path`; None where the worker's bounds do not allow it, which is told once."""
        try:
            return allow_path("files", path)
        except ConfigError as error:
            if path not in self._refused:
                self._refused.add(path)
                log.warning("%s is passed over: %s", path, error)
            return None

    def _stored_position(self, path: str) -> int:
        offset = self.context.offset_storage_reader.offset({PATH: path})
        if offset is None:
            return 0
        _check({PATH: path}, offset)
        return int(offset[POSITION])

    def _read(self, file: _File) -> list[SourceRecord]:
        assert file.rows is not None
        assert file.stream is not None
        size = os.fstat(file.stream.fileno()).st_size  # before reading: what comes later is looked at again
        values, positions = self._readable(file.rows)
        if not values:
            file.drained_size = size
            return []
        file.position = positions[-1]
        partition, topic, now = {PATH: file.path}, self._config.topic, int(time.time() * 1000)
        schema = file.rows.schema
        return [
            SourceRecord(partition, {POSITION: position}, topic, None, None, None, schema, value, now)
            for value, position in zip(values, positions, strict=True)
        ]

    def _readable(self, rows: RowFormat) -> tuple[list[Any], list[int]]:
        """What `rows` gives next, behind bad rows if these are tolerated: they are told, for they go nowhere else."""
        read: tuple[list[Any], list[int]] = [], []
        first, count = None, 0
        while not self._stopping.is_set():
            try:
                read = rows.read(self._config.batch_size)
                break
            except DataError as error:
                if not self._tolerant:
                    raise DataError(f"{error}. {_REMEDIES}") from error
                first, count = first or error, count + 1
        if first is not None:
            log.warning("passed over %d row(s) that cannot be read, the first: %s", count, first)
        return read


class DirectorySource(SourceConnector[DirectorySourceConfig]):
    task = DirectorySourceTask

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [{**self.props, "task.number": str(n), "task.count": str(max_tasks)} for n in range(max_tasks)]

    def alter_offsets(
        self, props: Mapping[str, str], offsets: Mapping[SourcePartitionKey, SourceOffset | None]
    ) -> bool:
        for partition, offset in offsets.items():
            _check(dict(partition), offset)
        return True


def _check(partition: dict[str, Any], offset: SourceOffset | None) -> None:
    if set(partition) != {PATH}:
        raise ConnectError(f'the partition {partition} must be {{"{PATH}": "a file"}}')
    if offset is None:
        return
    position = offset.get(POSITION)
    if isinstance(position, bool) or not isinstance(position, int) or position < 0:
        raise ConnectError(f'the offset of {partition} must be {{"{POSITION}": bytes}}, not {dict(offset)}')
