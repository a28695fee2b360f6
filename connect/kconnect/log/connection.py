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
    from collections.abc import Callable

    from kconnect.log.limits import RequestMemory
    from kconnect.log.listener import Endpoint
    from kconnect.log.loop import Loop
    from kconnect.log.protocol.message import Buffer
    from kconnect.log.transport import Transport

_LOG = logging.getLogger(__name__)

_SIZE = struct.Struct(">i")
_API_KEY = struct.Struct(">h")
_PRODUCE = int(ApiKey.PRODUCE)
_BUFFER_SIZE = 256 << 10
_LARGEST_KEPT_BUFFER = 4 << 20
_UNSENT_LIMIT = 1 << 20
_PIPELINED_LIMIT = 1000
_TLS_HANDSHAKE = b"\x16\x03"


class Exchange:
    """One request and, once it is known, its answer.

    `on_abandoned`, where it is set, is called if the client goes before it has its answer, `on_answered` when it is
    given one.
    """

    __slots__ = ("answer", "connection", "is_produce", "on_abandoned", "on_answered")

    def __init__(self, connection: Connection, *, is_produce: bool) -> None:
        self.connection = connection
        self.is_produce = is_produce
        self.answer: list[Buffer] | None = None
        self.on_abandoned: Callable[[], None] | None = None
        self.on_answered: Callable[[], None] | None = None

    def send(self, answer: list[Buffer]) -> None:
        """Give the answer, now or later, from the loop's thread; an empty one sends nothing."""
        self.answer = answer
        if self.on_answered is not None:
            self.on_answered()
        self.connection.answered()


class Connection:
    """Frames come in, are handled one after another, and are answered in their order.

    A request is handled when its predecessors are answered, as Kafka does; Produce requests alone may
    follow one another unanswered, so that several share a sync. Nothing more is handled while the client
    does not take what it was sent, and nothing more is read while the buffer is full. A frame is handled in
    place: it must not be kept beyond the call.

    `handle` and `max_request_size` may be changed between two requests.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        loop: Loop,
        local: Endpoint,
        peer_host: str,
        handle: Callable[[memoryview, Exchange], None],
        max_request_size: int,
        memory: RequestMemory,
        on_close: Callable[[Connection], None],
    ) -> None:
        self.local = local
        self.peer_host = peer_host
        self.active_at = time.monotonic()
        self.is_open = True
        self.handle = handle
        self.max_request_size = max_request_size
        self._transport = transport
        self._sock = transport.sock
        self._loop = loop
        self._memory = memory
        self._memory_taken = 0
        self._waits_for_memory = False
        self._largest_kept_buffer = _BUFFER_SIZE if memory.is_limited else _LARGEST_KEPT_BUFFER
        self._on_close = on_close
        self._new_buffer(_BUFFER_SIZE, b"")
        self._exchanges: deque[Exchange] = deque()
        self._unsent: deque[Buffer] = deque()
        self._unsent_size = 0
        self._handling = False
        self._is_ending = False
        self._reads_on = False
        self._watched = READ
        loop.watch(self._sock, READ, self._on_ready)
        if transport.encrypts:  # the first request may have come together with the end of the handshake
            self._read_on_soon()

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
            received = self._transport.receive_into(self._view[self._end :])
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
        if self._unsent or self._is_ending:
            self._flush()

    def _handle_next_frame(self) -> bool:
        """Handle the next frame, if it is complete and its time has come."""
        available = self._end - self._start
        if available < 4 or self._unsent_size >= _UNSENT_LIMIT or self._is_ending:
            return False
        (size,) = _SIZE.unpack_from(self._buffer, self._start)
        if not 0 < size <= self.max_request_size:
            self._refuse_frame(size)
            return False
        if available < size + 4:
            if self._start + size + 4 > len(self._buffer) and self._take_memory(size + 4):
                self._make_room(size + 4)
            return False
        begin = self._start + 4
        is_produce = size > 2 and _API_KEY.unpack_from(self._buffer, begin)[0] == _PRODUCE
        if self._exchanges and not self._may_pipeline(is_produce):
            return False
        self._start = begin + size
        exchange = Exchange(self, is_produce=is_produce)
        self._exchanges.append(exchange)
        self.handle(self._view[begin : begin + size], exchange)
        return True

    def _refuse_frame(self, size: int) -> None:
        if self._buffer.startswith(_TLS_HANDSHAKE, self._start):
            _LOG.warning("dropped the client at %s: it speaks TLS, and this listener does not", self.peer_host)
        else:
            _LOG.warning("%s sent a frame of %d bytes: not Kafka's protocol, or too large", self.peer_host, size)
        self.close()

    def _take_memory(self, frame_size: int) -> bool:
        """Whether a frame of this size may be received now; otherwise `_memory_is_free` comes."""
        more = frame_size - _BUFFER_SIZE - self._memory_taken
        if more <= 0 or self._waits_for_memory:
            return not self._waits_for_memory
        if self._memory_taken:  # to wait for others while it holds some could be for ever
            self._memory.take_more(more)
        elif not self._memory.take(more, self._memory_is_free):
            self._waits_for_memory = True
            return False
        self._memory_taken += more
        return True

    def _memory_is_free(self) -> None:
        self._waits_for_memory = False
        self._handle_frames()
        if self.is_open:
            self._watch()

    def _give_memory_back(self) -> None:
        taken, self._memory_taken = self._memory_taken, 0
        self._memory.give_back(taken)

    def _may_pipeline(self, is_produce: bool) -> bool:
        exchanges = self._exchanges
        return is_produce and exchanges[-1].is_produce and exchanges[0].is_produce and len(exchanges) < _PIPELINED_LIMIT

    def _recycle_buffer(self) -> None:
        if self._start == self._end:
            if len(self._buffer) > self._largest_kept_buffer:
                self._new_buffer(_BUFFER_SIZE, b"")
            self._start = self._end = 0
            if self._memory_taken:
                self._give_memory_back()

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
                sent = self._transport.send(unsent)
                self._unsent_size -= sent
                while unsent and sent >= len(unsent[0]):
                    sent -= len(unsent.popleft())
                if sent:
                    unsent[0] = memoryview(unsent[0])[sent:]
        except BlockingIOError:
            pass  # the rest goes when the client has taken this
        except OSError:
            self.close()
        if self._is_ending and not unsent:
            self.close()

    def end(self) -> None:
        """Close once everything that was answered has been taken; nothing more is handled."""
        self._is_ending = True
        if not self._handling:
            self._flush()

    def _read_on_soon(self) -> None:
        if not self._reads_on:
            self._reads_on = True
            self._loop.defer(self._read_on)

    def _read_on(self) -> None:
        self._reads_on = False
        if self.is_open:
            self._on_ready(READ)

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
        if events & READ and self._transport.encrypts and self._transport.has_received():
            self._read_on_soon()

    def close(self) -> None:
        """Drop the client; what waits for an answer is told. May be called twice."""
        if not self.is_open:
            return
        self.is_open = False
        if self._watched:
            self._loop.unwatch(self._sock)
        self._transport.close()
        self._unsent.clear()
        if self._waits_for_memory:
            self._memory.stop_waiting(self._memory_is_free)
        self._give_memory_back()
        for exchange in self._exchanges:
            if exchange.answer is None and exchange.on_abandoned is not None:
                exchange.on_abandoned()
        self._exchanges.clear()
        self._on_close(self)
