"""What a host process prints and logs, as the worker keeps it: the last lines of stderr, and log lines passed on."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import deque
from collections.abc import Callable

from kconnect.redaction import process_redactor
from kconnect_workers.hosts.channel import ChannelProtocolError, FrameDecoder
from kconnect_workers.hosts.messages import LogLine

_TAIL_LINES = 30
_LINE_LIMIT = 2000
_CHUNK = 64 * 1024
_own_log = logging.getLogger(__name__)


class StderrTail:
    """Reads a pipe to its end and keeps the last lines; passes each on to `hear`, or else to the log, with `context`
    before it.

    What the process said on its control channel before it wrote a line has been read before that line is: the secrets
    that it has learned are hidden in it.
    """

    def __init__(self, fd: int, context: str, hear: Callable[[str], None] | None = None) -> None:
        self._fd = fd
        self._hear = hear or (lambda line: _own_log.info("%s%s", context, line))
        self._lines: deque[str] = deque(maxlen=_TAIL_LINES)
        self._partial = b""
        self._loop = asyncio.get_running_loop()
        self._open = True
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._loop.call_soon, self._readable)

    @property
    def text(self) -> str:
        """The last lines, oldest first."""
        rest = [self._partial.decode(errors="replace")] if self._partial else []
        return process_redactor.redact("\n".join([*self._lines, *rest]))

    def drain(self) -> None:
        """Read what is in the pipe now, and close it. May be called twice."""
        while self._open and self._readable():
            pass
        self._close()

    def _readable(self) -> bool:
        """Whether there may be more."""
        if not self._open:
            return False
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._close()
            return False
        *lines, self._partial = (self._partial + data).split(b"\n")
        self._partial = self._partial[:_LINE_LIMIT]
        for line in lines:
            text = process_redactor.redact(line.decode(errors="replace").rstrip())[:_LINE_LIMIT]
            self._lines.append(text)
            if text:
                self._hear(text)
        return True

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._fd)
            os.close(self._fd)


class LogReader:
    """Hands a host's log lines to the worker's logging, under their own logger, with `context` before them."""

    def __init__(self, sock: socket.socket, context: str) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._context = context
        self._decoder: FrameDecoder[LogLine] = FrameDecoder(LogLine)
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._loop.add_reader(sock, self._readable)

    def drain(self) -> None:
        """Read what is there now, and close. May be called twice."""
        while self._open and self._readable():
            pass
        self._close()

    def _readable(self) -> bool:
        try:
            data = self._sock.recv(_CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        try:
            lines = list(self._decoder.feed(data))
        except ChannelProtocolError as e:
            _own_log.warning("%sIts log lines cannot be read any more: %s", self._context, e)
            data = b""
            lines = []
        for line in lines:
            self._pass_on(line)
        if not data:
            self._close()
        return bool(data)

    def _pass_on(self, line: LogLine) -> None:
        logger = logging.getLogger(line.logger)
        if line.dropped:
            logger.warning("%s%d log lines were dropped here.", self._context, line.dropped)
        if logger.isEnabledFor(line.level):
            record = logger.makeRecord(line.logger, line.level, "", 0, "%s%s", (self._context, line.message), None)
            record.created = line.created
            record.msecs = (line.created % 1) * 1000
            logger.handle(record)

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._sock)
            self._sock.close()
