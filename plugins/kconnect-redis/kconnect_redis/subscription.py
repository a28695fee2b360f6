"""Listening to channels: messages as Redis publishes them, to whoever listens at that moment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from kconnect_redis.config import ConnectionConfig
from kconnect_redis.link import Command, Link

_QUIET_S = 15.0
"""After so long without a message the server is asked whether it is still there."""


class Message(NamedTuple):
    channel: bytes
    data: bytes


class Subscription:
    """One server's messages, on a connection of their own, subscribed to from the time it is made. Belongs to one
    thread. When Redis closes the connection, as it does with those who read too slowly, RetriableError is raised, and
    messages may be lost: make a new one."""

    def __init__(self, config: ConnectionConfig, near: Link, channels: Sequence[str], patterns: Sequence[str]) -> None:
        """`near` is a link to the server."""
        self._link = Link(config, near.address)
        commands: list[Command] = []
        if channels:
            commands.append(("SUBSCRIBE", *channels))
        if patterns:
            commands.append(("PSUBSCRIBE", *patterns))
        self._link.write(commands)
        self._raise_errors(self._link.read(len(channels) + len(patterns)))
        self._heard_at = time.monotonic()
        self._asked = False
        self._patience_s = config.timeout

    def read(self, limit: int, timeout_s: float) -> list[Message]:
        """At most `limit` messages, after waiting for the first."""
        messages: list[Message] = []
        while len(messages) < limit and self._link.waits(0 if messages else timeout_s):
            [answer] = self._link.read(1)
            self._raise_errors([answer])
            self._heard_at, self._asked = time.monotonic(), False
            if answer[0] in (b"message", b"pmessage"):
                messages.append(Message(answer[-2], answer[-1]))
        if not messages:
            self._look_after()
        return messages

    def close(self) -> None:
        self._link.close()

    def _look_after(self) -> None:
        """A server that is gone without a word says nothing either."""
        quiet_s = time.monotonic() - self._heard_at
        if not self._asked and quiet_s > _QUIET_S:
            self._asked = True
            self._link.write([("PING",)])
        elif quiet_s > _QUIET_S + self._patience_s:
            raise self._link.silent()

    def _raise_errors(self, answers: Sequence[object]) -> None:
        for answer in answers:
            if isinstance(answer, Exception):
                self._link.close()
                raise self._link.failure(answer)
