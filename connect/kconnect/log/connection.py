"""One client connection: requests out of a receive buffer, answers in the order of the requests."""

from __future__ import annotations

import logging
import struct
import time
from collections import deque
from typing import TYPE_CHECKING

from kconnect.log.loop import READ, WRITE
from kconnect.log.protocol.api_key import ApiKey

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from kconnect.log.listener import Endpoint
    from kconnect.log.loop import Loop
    from kconnect.log.protocol.message import Buffer

_LOG = logging.getLogger(__name__)

_SIZE = struct.Struct(">i")
_API_KEY = struct.Struct(">h")
_PRODUCE = int(ApiKey.PRODUCE)
_BUFFER_SIZE = 256 << 10
_LARGEST_KEPT_BUFFER = 4 << 20
_UNSENT_LIMIT = 1 << 20
_PARTS_PER_SEND = 512
_PIPELINED_LIMIT = 1000


class Exchange:
    """One request and, once it is known, its answer.

    `on_abandoned`, where it is set, is called if the client goes before it has its answer.
    """

    __slots__ = ("answer", "connection", "is_produce", "on_abandoned")

    def __init__(self, connection: Connection, *, is_produce: bool) -> None:
        self.connection = connection
        self.is_produce = is_produce
        self.answer: list[Buffer] | None = None
        self.on_abandoned: Callable[[], None] | None = None

    def send(self, answer: list[Buffer]) -> None:
        """Give the answer, now or later, from the loop's thread; an empty one sends nothing."""
        self.answer = answer
        self.connection.answered()


class Connection:
    """Frames come in, are handled one after another, and are answered in their order.

    A request is handled when its predecessors are answered, as Kafka does; Produce requests alone may
    follow one another unanswered, so that several share a sync. Nothing more is handled while the client
    does not take what it was sent, and nothing more is read while the buffer is full. A frame is handled in
    place: it must not be kept beyond the call.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        loop: Loop,
        local: Endpoint,
        peer_host: str,
        handle: Callable[[memoryview, Exchange], None],
        max_request_size: int,
        on_close: Callable[[Connection], None],
    ) -> None:
        self.local = local
        self.peer_host = peer_host
        self.active_at = time.monotonic()
        self.is_open = True
        self._sock = sock
        self._loop = loop
        self._handle = handle
        self._max_request_size = max_request_size
        self._on_close = on_close
        self._new_buffer(_BUFFER_SIZE, b"")
        self._exchanges: deque[Exchange] = deque()
        self._unsent: deque[Buffer] = deque()
        self._unsent_size = 0
        self._handling = False
        self._watched = READ
        loop.watch(sock, READ, self._on_ready)

    def _on_ready(self, events: int) -> None:
        if events & WRITE:
            self.active_at = time.monotonic()
            self._flush()
        if events & READ and self.is_open:
            self._receive()
        if self.is_open:
            self._handle_frames()
            self._watch()

    # Receiving

    def _new_buffer(self, size: int, content: Buffer) -> None:
        self._buffer = bytearray(size)
        self._buffer[: len(content)] = content
        self._view = memoryview(self._buffer)
        self._start, self._end = 0, len(content)

    def _receive(self) -> None:
        if self._end == len(self._buffer):
            self._make_room(0)
            if self._end == len(self._buffer):
                return
        try:
            received = self._sock.recv_into(self._view[self._end :])
        except BlockingIOError:
            return
        except OSError:
            received = 0
        if received == 0:
            self.close()
            return
        self._end += received
        self.active_at = time.monotonic()

    def _make_room(self, frame_size: int) -> None:
        """Let a frame of `frame_size` bytes, of which the buffer has the beginning, fit."""
        content = bytes(self._view[self._start : self._end])
        if frame_size <= len(self._buffer):
            self._buffer[: len(content)] = content
            self._start, self._end = 0, len(content)
        else:
            # Doubling, so that a claimed size alone costs no memory.
            self._new_buffer(min(frame_size, 2 * len(self._buffer)), content)

    def _handle_frames(self) -> None:
        """Handle what is there; the answers that come at once leave together."""
        if self._handling:
            return
        self._handling = True
        try:
            while self.is_open and self._handle_next_frame():
                if self._unsent_size >= _UNSENT_LIMIT:
                    self._flush()
            self._recycle_buffer()
        finally:
            self._handling = False
        if self._unsent:
            self._flush()

    def _handle_next_frame(self) -> bool:
        """Handle the next frame, if it is complete and its time has come."""
        available = self._end - self._start
        if available < 4 or self._unsent_size >= _UNSENT_LIMIT:
            return False
        (size,) = _SIZE.unpack_from(self._buffer, self._start)
        if not 0 < size <= self._max_request_size:
            _LOG.warning("%s sent a frame of %d bytes: not Kafka's protocol, or too large", self.peer_host, size)
            self.close()
            return False
        if available < size + 4:
            if self._start + size + 4 > len(self._buffer):
                self._make_room(size + 4)
            return False
        begin = self._start + 4
        is_produce = size > 2 and _API_KEY.unpack_from(self._buffer, begin)[0] == _PRODUCE
        if self._exchanges and not self._may_pipeline(is_produce):
            return False
        self._start = begin + size
        exchange = Exchange(self, is_produce=is_produce)
        self._exchanges.append(exchange)
        self._handle(self._view[begin : begin + size], exchange)
        return True

    def _may_pipeline(self, is_produce: bool) -> bool:
        exchanges = self._exchanges
        return is_produce and exchanges[-1].is_produce and exchanges[0].is_produce and len(exchanges) < _PIPELINED_LIMIT

    def _recycle_buffer(self) -> None:
        if self._start == self._end:
            if len(self._buffer) > _LARGEST_KEPT_BUFFER:
                self._new_buffer(_BUFFER_SIZE, b"")
            self._start = self._end = 0

    # Sending

    def answered(self) -> None:
        """Some exchange has its answer: send what is due, handle what waited for it."""
        exchanges = self._exchanges
        while exchanges and exchanges[0].answer is not None:
            answer = exchanges.popleft().answer
            if answer:
                self._unsent.extend(answer)
                self._unsent_size += sum(map(len, answer))
        if self._handling or not self.is_open:
            return
        self._flush()
        if self.is_open:
            self._handle_frames()
        if self.is_open:
            self._watch()

    def _flush(self) -> None:
        unsent = self._unsent
        try:
            while unsent:
                if len(unsent) == 1:
                    sent = self._sock.send(unsent[0])
                else:
                    parts = [unsent[i] for i in range(min(len(unsent), _PARTS_PER_SEND))]
                    sent = self._sock.sendmsg(parts)
                self._unsent_size -= sent
                while unsent and sent >= len(unsent[0]):
                    sent -= len(unsent.popleft())
                if sent:
                    unsent[0] = memoryview(unsent[0])[sent:]
        except BlockingIOError:
            pass  # the rest goes when the client has taken this
        except OSError:
            self.close()

    def _watch(self) -> None:
        full = self._end == len(self._buffer) and self._start == 0
        events = (0 if full else READ) | (WRITE if self._unsent else 0)
        if events != self._watched:
            if events and self._watched:
                self._loop.rewatch(self._sock, events, self._on_ready)
            elif events:
                self._loop.watch(self._sock, events, self._on_ready)
            else:
                self._loop.unwatch(self._sock)
            self._watched = events

    def close(self) -> None:
        """Drop the client; what waits for an answer is told. May be called twice."""
        if not self.is_open:
            return
        self.is_open = False
        if self._watched:
            self._loop.unwatch(self._sock)
        self._sock.close()
        self._unsent.clear()
        for exchange in self._exchanges:
            if exchange.answer is None and exchange.on_abandoned is not None:
                exchange.on_abandoned()
        self._exchanges.clear()
        self._on_close(self)
