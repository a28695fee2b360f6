"""Whole lines of a growing file, with the byte position after each."""

from __future__ import annotations

import logging
import os
from typing import BinaryIO

from kconnect.errors import ConnectError

CHUNK_BYTES = 256 * 1024

log = logging.getLogger(__name__)


class LineReader:
    """Reads lines ended by LF or CRLF from a binary stream. A last line without an end stays unread until its end
    is written.

    `position` is the number of bytes before the next line. Only one line is held beyond what was asked for, and
    that up to `max_line_bytes`. `read` raises ConnectError for a longer one, and for a file that has become
    shorter than what was read of it.
    """

    def __init__(
        self, stream: BinaryIO, *, name: str, position: int = 0, max_line_bytes: int = 16 * 1024 * 1024
    ) -> None:
        self._stream = stream
        self._name = name
        self.position = position
        self._max_line_bytes = max_line_bytes
        self._pending: list[bytes] = []
        self._next = 0
        self._tail = b""
        self._warned = False

    def read(self, limit: int) -> tuple[list[str], list[int]]:
        """At most `limit` lines as text, and the position after each. Empty lists at the end of the stream."""
        if self._next >= len(self._pending) and not self._fill():
            return [], []
        raw = self._pending[self._next : self._next + limit]
        self._next += len(raw)
        position = self.position
        texts: list[str] = []
        positions: list[int] = []
        for line in raw:
            position += len(line) + 1
            if line.endswith(b"\r"):
                line = line[:-1]
            try:
                text = line.decode()
            except UnicodeDecodeError:
                text = self._decode_leniently(line, position)
            texts.append(text)
            positions.append(position)
        self.position = position
        return texts, positions

    def _fill(self) -> bool:
        """Read until there is a whole line; False at the end of the stream."""
        while True:
            chunk = self._stream.read(CHUNK_BYTES)
            if not chunk:
                self._check_size()
                return False
            lines = (self._tail + chunk).split(b"\n")
            self._tail = lines.pop()
            if len(self._tail) > self._max_line_bytes:
                raise ConnectError(
                    f"{self._name}: the line at byte {self.position} is longer than {self._max_line_bytes} bytes: is "
                    "this a text file?"
                )
            if lines:
                self._pending, self._next = lines, 0
                return True

    def _check_size(self) -> None:
        if self._stream.seekable():
            check_not_cut(self._name, os.fstat(self._stream.fileno()).st_size, self._stream.tell())

    def _decode_leniently(self, line: bytes, end: int) -> str:
        if not self._warned:
            self._warned = True
            log.warning("%s: the line that ends at byte %d is not UTF-8; such bytes become U+FFFD", self._name, end)
        return line.decode(errors="replace")

    def close(self) -> None:
        self._stream.close()


class LineNumbers:
    """Which line of a regular file begins at a byte; the first is 1. Counts on from where it was asked last, and leaves
    the stream's own position alone."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._position = 0
        self._number = 1

    def at(self, position: int) -> int:
        """Not to be asked for a byte before the last one."""
        while self._position < position:
            chunk = os.pread(self._stream.fileno(), min(CHUNK_BYTES, position - self._position), self._position)
            if not chunk:
                break
            self._position += len(chunk)
            self._number += chunk.count(b"\n")
        return self._number


def check_not_cut(name: str, size: int, position: int) -> None:
    """Raises ConnectError for a file of fewer bytes than were read of it."""
    if size < position:
        raise ConnectError(
            f"{name} has {size} bytes, fewer than the {position} already read: it was truncated or replaced. Reset the "
            "connector's offsets to read it from its start."
        )
