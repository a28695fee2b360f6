"""Webhooks between the listener, which takes them, and the task, which makes records of them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from kconnect.record import Header

_IDLE_S: Final = 5.0
"""A task that has not looked for so long is paused, or its log does not take anything."""

Answered = Callable[[bool], None]


class Draft(NamedTuple):
    """What becomes a record."""

    topic: str
    key: Any
    value: Any
    headers: tuple[Header, ...]


@dataclass(slots=True, eq=False)
class Hook:
    """A request that was taken. `answered` is called once, by whichever thread, with whether its records are kept."""

    drafts: Sequence[Draft]
    size: int
    answered: Answered
    last: int = field(default=-1)
    """The number of its last record."""


class Inbox:
    """Bounded by hooks and by bytes, from when they are read until they are answered. Callable from any thread."""

    def __init__(self, max_hooks: int, max_bytes: int) -> None:
        self._changed = threading.Condition()
        self._max_hooks = max_hooks
        self._max_bytes = max_bytes
        self._bytes = 0
        self._waiting: deque[Hook] = deque()
        self._handed: deque[Hook] = deque()
        self._open = True
        self._looked = time.monotonic()

    def reserve(self, size: int) -> bool:
        """Room for bytes that are about to be read; False where there is none."""
        with self._changed:
            if self._bytes + size > self._max_bytes:
                return False
            self._bytes += size
            return True

    def release(self, size: int) -> None:
        with self._changed:
            self._bytes -= size

    def refusal(self) -> str | None:
        """Why nothing is taken now; None where it is."""
        with self._changed:
            if not self._open:
                return "the listener ends"
            if len(self._waiting) + len(self._handed) >= self._max_hooks:
                return "too many webhooks wait to be stored"
            if time.monotonic() - self._looked > _IDLE_S:
                return "nothing is stored now"
            return None

    def offer(self, hook: Hook) -> bool:
        """False where nothing is taken any more."""
        with self._changed:
            if self._open:
                self._waiting.append(hook)
                self._changed.notify()
            return self._open

    def withdraw(self, hook: Hook) -> None:
        """Its sender waits no more: no record is made of it, unless that is done."""
        with self._changed:
            if hook in self._waiting:
                self._waiting.remove(hook)

    def take(self, most: int, idle_s: float, busy_s: float) -> list[Hook]:
        """For the task: what is there, after `idle_s` at most, `busy_s` where others wait to be answered."""
        with self._changed:
            if not self._waiting and self._open:
                self._changed.wait(busy_s if self._handed else idle_s)
            self._looked = time.monotonic()
            taken: list[Hook] = []
            records = 0
            while self._waiting and (not taken or records + len(self._waiting[0].drafts) <= most):
                hook = self._waiting.popleft()
                records += len(hook.drafts)
                taken.append(hook)
            return taken

    def handed_over(self, hook: Hook) -> None:
        """Its records are on their way, up to the number `last`."""
        with self._changed:
            self._handed.append(hook)

    def kept(self, number: int) -> None:
        """Records up to this one are kept."""
        done = []
        with self._changed:
            while self._handed and self._handed[0].last <= number:
                done.append(self._handed.popleft())
        for hook in done:
            hook.answered(True)

    def close(self) -> None:
        """Take nothing more."""
        with self._changed:
            self._open = False
            self._changed.notify_all()

    def abandon(self) -> None:
        """Whoever still waits is answered that nothing is known to be kept."""
        self.close()
        with self._changed:
            hooks = [*self._handed, *self._waiting]
            self._handed.clear()
            self._waiting.clear()
        for hook in hooks:
            hook.answered(False)
