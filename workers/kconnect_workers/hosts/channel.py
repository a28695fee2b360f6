"""Channels: typed, size-limited messages over a socket pair between the worker and its processes.

On the wire a message is its length in four bytes, big-endian, and MessagePack. `Channel` is the blocking end, for
threads in zygotes and hosts; `AsyncChannel` the worker's end, on its event loop.
"""

from __future__ import annotations

import asyncio
import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from kconnect.errors import ConnectError
from kconnect_workers.hosts.messages import Message

M = TypeVar("M", bound=Message)

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_CHUNK = 64 * 1024
_MAX_FDS = 16
CLOSED = "closed by the other end"
"""The reason for an orderly end."""

_encode = msgspec.msgpack.Encoder().encode


class ChannelClosedError(ConnectError):
    """The other end is gone."""


class ChannelBusyError(ConnectError):
    """Nothing was sent: the other end has not read enough of what was sent before."""


class ChannelProtocolError(ConnectError):
    """The other end sent what is no message of this channel; the channel is of no use any more."""


def encode_frame(message: Message) -> bytes:
    """The bytes of one message on the wire. ConnectError when it is larger than a channel carries."""
    body = _encode(message)
    if len(body) > MAX_MESSAGE_BYTES:
        raise ConnectError(
            f"a {type(message).__name__} of {len(body)} bytes is larger than the {MAX_MESSAGE_BYTES} that a channel "
            "between a worker and its processes carries"
        )
    return len(body).to_bytes(4, "big") + body


class FrameDecoder(Generic[M]):
    """Cuts a byte stream into messages of `types`."""

    def __init__(self, types: Any) -> None:
        self._buffer = bytearray()
        self._decode: Callable[[bytes], M] = msgspec.msgpack.Decoder(types).decode

    def feed(self, data: bytes) -> Iterator[M]:
        """The messages that `data` completes. ChannelProtocolError for nonsense."""
        buffer = self._buffer
        buffer += data
        while len(buffer) >= 4:
            size = int.from_bytes(buffer[:4], "big")
            if size > MAX_MESSAGE_BYTES:
                raise ChannelProtocolError(f"a message of {size} bytes is over the limit of {MAX_MESSAGE_BYTES}")
            if len(buffer) < 4 + size:
                return
            body = bytes(buffer[4 : 4 + size])
            del buffer[: 4 + size]
            try:
                yield self._decode(body)
            except msgspec.MsgspecError as e:
                raise ChannelProtocolError(f"a message cannot be read: {e}") from e


class Channel(Generic[M]):
    """The blocking end. `send` may be called by any thread, `receive` by one."""

    def __init__(self, sock: socket.socket, receives: Any) -> None:
        sock.setblocking(True)
        self._sock = sock
        self._decoder: FrameDecoder[M] = FrameDecoder(receives)
        self._received: deque[M] = deque()
        self._fds: list[int] = []
        self._send_lock = threading.Lock()
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def fileno(self) -> int:
        return self._sock.fileno()

    def send(self, message: Message) -> None:
        """ChannelClosedError when nobody is at the other end."""
        frame = encode_frame(message)
        try:
            with self._send_lock:
                self._sock.sendall(frame)
        except OSError as e:
            raise ChannelClosedError("the worker is gone") from e

    def receive(self, timeout: float | None = None) -> M | None:
        """The next message; None when `timeout` seconds pass first. ChannelClosedError at the end."""
        while not self._received:
            if timeout is not None and not self._poll.poll(max(0, int(timeout * 1000))):
                return None
            try:
                data, fds, _flags, _address = socket.recv_fds(self._sock, _CHUNK, _MAX_FDS)
            except OSError as e:
                raise ChannelClosedError("the worker is gone") from e
            if not data:
                raise ChannelClosedError("the worker is gone")
            self._fds += fds
            self._received.extend(self._decoder.feed(data))
        return self._received.popleft()

    def take_fds(self, count: int) -> list[int]:
        """The next `count` descriptors that came along with messages, in the order sent."""
        if len(self._fds) < count:
            raise ChannelProtocolError(f"{count} descriptors were announced, {len(self._fds)} came")
        taken, self._fds = self._fds[:count], self._fds[count:]
        return taken

    def close(self) -> None:
        self._sock.close()


class AsyncChannel(Generic[M]):
    """The worker's end: hands messages to `on_message` and the end, once, to `on_closed`, both on the loop.

    What cannot be sent at once is kept, up to the size limit of one message; a host that does not read that much is
    taken for dead, and the channel is closed.
    """

    def __init__(
        self,
        sock: socket.socket,
        receives: Any,
        *,
        on_message: Callable[[M], None],
        on_closed: Callable[[str], None],
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._decoder: FrameDecoder[M] = FrameDecoder(receives)
        self._on_message = on_message
        self._on_closed = on_closed
        self._unsent = bytearray()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock, self._readable)
        self.closed = False

    def send(self, message: Message, fds: Sequence[int] = ()) -> None:
        """Queue `message`; with descriptors it must find room at once, or ChannelBusyError. Nothing happens on a
        closed channel: `on_closed` has said so."""
        if self.closed:
            return
        frame = encode_frame(message)
        if fds:
            if self._unsent:
                raise ChannelBusyError("the channel is busy")
            try:
                sent = socket.send_fds(self._sock, [frame], list(fds))
            except BlockingIOError as e:
                raise ChannelBusyError("the channel is busy") from e
            except OSError as e:
                self._end(str(e))
                return
            frame = frame[sent:]
        self._unsent += frame
        if len(self._unsent) > MAX_MESSAGE_BYTES + _CHUNK:
            self._end("the other end does not read")
            return
        self._flush()

    def _flush(self) -> None:
        while self._unsent:
            try:
                sent = self._sock.send(self._unsent)
            except BlockingIOError:
                self._loop.add_writer(self._sock, self._flush)
                return
            except (BrokenPipeError, ConnectionResetError):
                self._unsent.clear()  # what it said last may still be there to be read, and then the end
                break
            except OSError as e:
                self._end(str(e))
                return
            del self._unsent[:sent]
        self._loop.remove_writer(self._sock)

    def _readable(self) -> None:
        try:
            data = self._sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        except OSError as e:
            self._end(str(e))
            return
        if not data:
            self._end(CLOSED)
            return
        try:
            for message in self._decoder.feed(data):
                self._on_message(message)
        except ChannelProtocolError as e:
            self._end(str(e))

    def _end(self, reason: str) -> None:
        if not self.closed:
            self.close()
            self._on_closed(reason)

    def close(self) -> None:
        """Close without a call of `on_closed`. May be called twice."""
        if not self.closed:
            self.closed = True
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
            self._sock.close()
