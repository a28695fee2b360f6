"""A host's logging: lines go to the worker over a channel that never blocks the task and counts what it drops."""

from __future__ import annotations

import logging
import socket

from kconnect.redaction import process_redactor
from kconnect_workers.hosts.channel import encode_frame
from kconnect_workers.hosts.messages import LogLine
from kconnect_workers.log_lines import quieten_libraries

_MAX_UNSENT_BYTES = 256 * 1024
_MAX_LINE_CHARS = 16 * 1024


class LogChannelHandler(logging.Handler):
    """Sends log records to the worker, without the secrets that this process knows. Lines that find the channel full
    are dropped and counted (`dropped`)."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        sock.setblocking(False)
        self._sock = sock
        self._unsent = bytearray()
        self._dropped_since = 0
        self.dropped = 0
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._send()
        if len(self._unsent) > _MAX_UNSENT_BYTES:
            self.dropped += 1
            self._dropped_since += 1
            return
        try:
            text = self.format(record)
        except Exception:  # a plugin's log call with the wrong arguments
            text = f"{record.msg!r} % {record.args!r}"
        text = process_redactor.redact(text)
        line = LogLine(
            logger=record.name,
            level=record.levelno,
            message=text[:_MAX_LINE_CHARS],
            created=record.created,
            dropped=self._dropped_since,
        )
        self._dropped_since = 0
        self._unsent += encode_frame(line)
        self._send()

    def _send(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._sock.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()  # the worker is gone, and so will this process be


def log_to(sock: socket.socket, level: int = logging.INFO) -> LogChannelHandler:
    """Have everything logged in this process go to `sock`."""
    handler = LogChannelHandler(sock)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    quieten_libraries()
    logging.captureWarnings(True)
    return handler
