"""A consumer group of a stream, as one consumer uses it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from redis.exceptions import ResponseError

from kconnect import ConnectError
from kconnect_redis.config import RedisStreamSourceConfig
from kconnect_redis.failures import translated
from kconnect_redis.link import Link

PARTITION: Final[dict[str, Any]] = {}
"""The source partition, as redis-kafka-connect has it."""
OFFSET: Final = "offset"
_ID = re.compile(r"\d+-\d+")


class Entry(NamedTuple):
    """`fields` are names and values in turn; None: it was deleted from the stream after it was delivered."""

    id: str
    fields: Sequence[bytes] | None


class NoGroupError(ConnectError):
    """The stream or the group is not there, or not any more."""


class StreamGroup:
    """All methods raise ConnectError and its kinds. `consumer` need not exist in Redis."""

    def __init__(self, config: RedisStreamSourceConfig, link: Link, consumer: str = "") -> None:
        self._stream = config.stream
        self._group = config.consumer_group
        self._consumer = consumer
        self._link = link
        self._block_ms = config.block_ms
        self._acknowledges = config.delivery == "at-least-once"

    def create(self, begin: str) -> bool:
        """Whether it is new: it then begins behind the id `begin`. The stream is made where there is none."""
        [answer] = self._link.send([("XGROUP", "CREATE", self._stream, self._group, begin, "MKSTREAM")])
        if isinstance(answer, ResponseError):
            if str(answer).startswith("BUSYGROUP"):
                return False
            raise self._error(answer)
        return True

    def move_to(self, begin: str) -> None:
        """Have the group go on behind the id `begin`, with nothing pending."""
        [answer] = self._link.send([("XGROUP", "DESTROY", self._stream, self._group)])
        if isinstance(answer, ResponseError) and "requires the key to exist" not in str(answer):
            raise self._error(answer)
        self.create(begin)

    def new(self, count: int) -> list[Entry]:
        """Entries that no consumer of the group was given before; the first is waited for (`redis.stream.block`)."""
        more = ("BLOCK", self._block_ms, *(() if self._acknowledges else ("NOACK",)))
        return self._read(count, ">", *more)

    def pending(self, count: int, after: str) -> list[Entry]:
        """What this consumer was given before and did not acknowledge, behind an id."""
        return self._read(count, after)

    def claim(self, count: int, idle_ms: int, cursor: str) -> tuple[str, list[Entry]]:
        """Take over what any consumer has not acknowledged for so long; where to go on, 0-0 after the last."""
        answer = self._call("XAUTOCLAIM", self._stream, self._group, self._consumer, idle_ms, cursor, "COUNT", count)
        return answer[0].decode(), _entries(answer[1])

    def acknowledge(self, ids: Sequence[str]) -> None:
        if ids:
            self._call("XACK", self._stream, self._group, *ids)

    def _read(self, count: int, after: str, *more: str | int) -> list[Entry]:
        answer = self._call(
            "XREADGROUP", "GROUP", self._group, self._consumer, "COUNT", count, *more, "STREAMS", self._stream, after
        )
        return _entries(answer[0][1]) if answer else []

    def _call(self, *command: str | int) -> Any:
        [answer] = self._link.send([command])
        if isinstance(answer, ResponseError):
            raise self._error(answer)
        return answer

    def _error(self, answer: ResponseError) -> ConnectError:
        text = str(answer)
        if text.startswith(("NOGROUP", "UNBLOCKED")):
            return NoGroupError(f"the group {self._group} of the stream {self._stream}: {text}")
        if text.startswith("WRONGTYPE"):
            return ConnectError(f"redis.stream.name={self._stream} is no stream, but a key of another type")
        error = translated(answer, self._link.address)
        return type(error)(f"the stream {self._stream}: {error}")


def position(offset: Mapping[str, Any] | None) -> str | None:
    """The id of an offset map. ConnectError where it is none."""
    if offset is None:
        return None
    found = offset.get(OFFSET)
    if not isinstance(found, str) or not _ID.fullmatch(found) or len(offset) > 1:
        raise ConnectError(f'{dict(offset)} must be {{"{OFFSET}": "the id of an entry"}}, such as 1700000000000-0')
    return found


def _entries(answer: Sequence[Any]) -> list[Entry]:
    return [Entry(item[0].decode(), item[1]) for item in answer if item is not None]
