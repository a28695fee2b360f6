"""Which topics a task was seen to use."""

from __future__ import annotations

from collections.abc import Callable


class UsedTopics:
    """Tells of each topic when it is first used, and again after `forget`. `use` belongs to the task's thread, `forget`
    may be called by another one."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._told: set[str] = set()

    def use(self, topic: str) -> None:
        """Called for each run of records of one topic: to be quick is what it is for."""
        if topic not in self._told:
            self._told.add(topic)
            self._tell(topic)

    def forget(self) -> None:
        self._told = set()
