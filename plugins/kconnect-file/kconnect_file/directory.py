"""Directory source: every file that a glob pattern matches, as JSON lines or CSV; new files are found by themselves."""

from __future__ import annotations

import glob
import logging
import threading
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from kconnect.config import HIGH, LOW, MEDIUM, Config, NonEmptyString, Range, key
from kconnect.errors import ConnectError
from kconnect.record import SourceOffset, SourceRecord
from kconnect.schema import Schema
from kconnect.source import SourceConnector, SourcePartitionKey, SourceTask
from kconnect_file.formats import CsvRows, JsonLines, RowFormat
from kconnect_file.lines import LineReader

PATH = "path"
POSITION = "position"

log = logging.getLogger(__name__)


class DirectorySourceConfig(Config):
    files: Annotated[str, NonEmptyString()] = key(
        importance=HIGH, doc="A glob pattern of the files to read, such as /data/in/**/*.csv."
    )
    topic: Annotated[str, NonEmptyString()] = key(importance=HIGH, doc="The topic that the rows go to.")
    format: Literal["jsonl", "csv"] = key(
        default="jsonl",
        importance=HIGH,
        doc="`jsonl`: a JSON document per line, without a schema. `csv`: a header line, then rows of text.",
    )
    csv_delimiter: str = key(
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


class DirectorySourceTask(SourceTask[DirectorySourceConfig]):
    """Reads its share of the files (by a checksum of the path), each from its stored position on.

    Offsets: `{"path": …}` → `{"position": bytes}`. Within a file records keep their order.
    """

    disposable_values = True

    def start(self, config: DirectorySourceConfig) -> None:
        self._config = config
        self._stopping = threading.Event()
        self._files: dict[str, RowFormat] = {}
        self._failed: set[str] = set()
        self._next_scan = 0.0

    def poll(self) -> list[SourceRecord] | None:
        if time.monotonic() >= self._next_scan:
            self._scan()
        for path, rows in self._files.items():
            if records := self._read(path, rows):
                self._files[path] = self._files.pop(path)  # the next poll begins with another file
                return records
        self._stopping.wait(self._config.poll_interval_ms / 1000)
        return None

    def stop(self) -> None:
        if hasattr(self, "_stopping"):
            self._stopping.set()

    def _scan(self) -> None:
        self._next_scan = time.monotonic() + self._config.poll_interval_ms / 1000
        count, number = self._config.task_count, self._config.task_number
        for path in sorted(glob.glob(self._config.files, recursive=True)):  # noqa: PTH207 - an absolute pattern
            mine = zlib.crc32(path.encode()) % count == number
            if mine and path not in self._files and Path(path).is_file():
                self._files[path] = self._open(path)

    def _open(self, path: str) -> RowFormat:
        offset = self.context.offset_storage_reader.offset({PATH: path})
        position = int((offset or {}).get(POSITION, 0))
        try:
            stream = Path(path).open("rb")  # noqa: SIM115 - the file is followed as long as the task lives
        except OSError as error:
            raise ConnectError(f"{path} cannot be read: {error.strerror}") from error
        lines = LineReader(stream, name=path)
        if self._config.format == "csv":
            rows: RowFormat = CsvRows(path, lines, self._config.csv_delimiter)
        else:
            rows = JsonLines(path, lines)
        rows.begin_at(stream, position)
        return rows

    def _read(self, path: str, rows: RowFormat) -> list[SourceRecord]:
        partition, topic, now = {PATH: path}, self._config.topic, int(time.time() * 1000)
        schema: Schema | None = rows.schema
        values, positions = rows.read(self._config.batch_size)
        schema = rows.schema
        return [
            SourceRecord(partition, {POSITION: position}, topic, None, None, None, schema, value, now)
            for value, position in zip(values, positions, strict=True)
        ]


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
