"""FileStream source: the lines of one growing file, or of standard input, as records of a topic."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Mapping
from typing import Annotated, Any

from kconnect.bounds import allow_path, allowed_path
from kconnect.config import HIGH, LOW, Config, Range, TopicName, key
from kconnect.connector import ExactlyOnceSupport
from kconnect.errors import ConnectError
from kconnect.record import SourceOffset, SourceRecord
from kconnect.schema import STRING_SCHEMA
from kconnect.source import SourceConnector, SourcePartitionKey, SourceTask
from kconnect_file.lines import LineReader, check_not_cut

FILENAME = "filename"
POSITION = "position"
WAIT_SECONDS = 1.0

log = logging.getLogger(__name__)


class FileStreamSourceConfig(Config):
    file: Annotated[str, allowed_path] | None = key(
        default=None, importance=HIGH, doc="The file to read; left out, standard input is read."
    )
    topic: Annotated[str, TopicName()] = key(importance=HIGH, doc="The topic that the lines go to.")
    batch_size: Annotated[int, Range(1)] = key(
        name="batch.size", default=2000, importance=LOW, doc="The most lines that one poll hands over."
    )


class FileStreamSourceTask(SourceTask[FileStreamSourceConfig]):
    """Follows one file. Offsets are byte positions: `{"filename": …}` → `{"position": …}`."""

    disposable_values = True

    def start(self, config: FileStreamSourceConfig) -> None:
        self._config = config
        self._stopping = threading.Event()
        self._reader: LineReader | None = None
        self._missing_logged = False
        self._partition = {FILENAME: config.file} if config.file else {}
        self._open()

    def poll(self) -> list[SourceRecord] | None:
        reader = self._reader or self._open()
        if reader is None:
            self._stopping.wait(WAIT_SECONDS)
            return None
        lines, positions = reader.read(self._config.batch_size)
        if not lines:
            self._stopping.wait(WAIT_SECONDS)
            return None
        topic, partition, now = self._config.topic, self._partition, int(time.time() * 1000)
        return [
            SourceRecord(partition, {POSITION: position}, topic, None, None, None, STRING_SCHEMA, line, now)
            for line, position in zip(lines, positions, strict=True)
        ]

    def stop(self) -> None:
        if hasattr(self, "_stopping"):
            if self._stopping.is_set() and self._reader is not None and self._config.file is not None:
                self._reader.close()
            self._stopping.set()

    def _open(self) -> LineReader | None:
        path = self._config.file
        if path is None:
            self._reader = LineReader(sys.stdin.buffer, name="standard input")
            return self._reader
        try:
            stream = allow_path("file", path).open("rb")
        except FileNotFoundError:
            if not self._missing_logged:
                self._missing_logged = True
                log.warning("%s does not exist yet; waiting for it", path)
            return None
        except OSError as error:
            raise ConnectError(f"file={path}: cannot be read: {error.strerror}") from error
        position = self._stored_position()
        size = stream.seek(0, 2)
        try:
            check_not_cut(f"file={path}", size, position)
        except ConnectError:
            stream.close()
            raise
        stream.seek(position)
        self._reader = LineReader(stream, name=path, position=position)
        return self._reader

    def _stored_position(self) -> int:
        offset = self.context.offset_storage_reader.offset(self._partition)
        position = (offset or {}).get(POSITION, 0)
        if not isinstance(position, int) or position < 0:
            raise ConnectError(f"the stored offset of {self._partition} has {POSITION}={position!r}, not a byte count")
        return position


class FileStreamSource(SourceConnector[FileStreamSourceConfig]):
    task = FileStreamSourceTask

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [dict(self.props)]

    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport:
        supported = bool(props.get("file"))
        return ExactlyOnceSupport.SUPPORTED if supported else ExactlyOnceSupport.UNSUPPORTED

    def alter_offsets(
        self, props: Mapping[str, str], offsets: Mapping[SourcePartitionKey, SourceOffset | None]
    ) -> bool:
        if not props.get("file"):
            raise ConnectError("standard input has no offsets: set `file` to a file's path first")
        for partition, offset in offsets.items():
            _check(dict(partition), offset)
        return True


def _check(partition: dict[str, Any], offset: SourceOffset | None) -> None:
    if offset is None:
        return
    if FILENAME not in partition:
        raise ConnectError(f"the partition {partition} lacks the key {FILENAME!r}")
    if POSITION not in offset:
        raise ConnectError(f"the offset of {partition} lacks the key {POSITION!r}")
    position = offset[POSITION]
    if isinstance(position, bool) or not isinstance(position, int):
        raise ConnectError(f"the offset of {partition} has {POSITION}={position!r}; it must be a whole number of bytes")
    if position < 0:
        raise ConnectError(f"the offset of {partition} has {POSITION}={position}; it must not be negative")
