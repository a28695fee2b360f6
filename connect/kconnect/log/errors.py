"""What can go wrong around the log, by consequence.

LogError                   the broker cannot start or must stop: the message names the place and the remedy
├── DataDirError           the data folder is taken, foreign or too new
├── ListenerError          the listener is malformed, or its address cannot be bound
└── CorruptLogError        a log file contradicts what was synced: its partition goes offline
RequestError               one request, topic or partition is refused; carries Kafka's error code
└── RecordsRefusedError    a batch is refused because of single records of it
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from kconnect.log.protocol import ErrorCode


class LogError(Exception):
    """The broker cannot start, or cannot go on."""


class DataDirError(LogError):
    """The data folder cannot be used by this process."""


class ListenerError(LogError):
    """The listener cannot be opened."""


class CorruptLogError(LogError):
    """The bytes of `path` at `position` are not what was once synced there."""

    def __init__(self, path: Path, position: int, reason: str) -> None:
        super().__init__(f"{path} is damaged at byte {position}: {reason}")
        self.path = path
        self.position = position
        self.reason = reason


class RequestError(Exception):
    """A request, or its part for one topic or partition, is refused with `code`."""

    def __init__(self, code: ErrorCode, message: str | None = None) -> None:
        super().__init__(message or code.name)
        self.code = code
        self.message = message


class RecordsRefusedError(RequestError):
    """A batch is refused; `records` are the places in it, from 0 on, of the records that are the reason."""

    def __init__(self, code: ErrorCode, message: str, records: list[int]) -> None:
        super().__init__(code, message)
        self.records = records
