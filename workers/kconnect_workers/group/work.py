"""Connectors and tasks as a set that keeps its order, with the arithmetic of sets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Self

from kconnect_workers.states import TaskId


@dataclass(frozen=True, slots=True)
class ConnectorsAndTasks:
    """Some connectors and some tasks, each once; false when there are none.

    Results of `|`, `&` and `-` are in the order of the left side, and then of the right."""

    connectors: tuple[str, ...] = ()
    tasks: tuple[TaskId, ...] = ()

    @classmethod
    def of(cls, connectors: Iterable[str] = (), tasks: Iterable[TaskId] = ()) -> Self:
        return cls(tuple(dict.fromkeys(connectors)), tuple(dict.fromkeys(tasks)))

    @classmethod
    def union(cls, parts: Iterable[ConnectorsAndTasks]) -> Self:
        """What is in any of `parts`."""
        parts = list(parts)
        return cls.of(
            chain.from_iterable(part.connectors for part in parts), chain.from_iterable(part.tasks for part in parts)
        )

    def sorted(self) -> ConnectorsAndTasks:
        """By name, and the tasks of a connector by number."""
        return ConnectorsAndTasks(tuple(sorted(self.connectors)), tuple(sorted(self.tasks)))

    def __bool__(self) -> bool:
        return bool(self.connectors or self.tasks)

    def __or__(self, other: ConnectorsAndTasks) -> ConnectorsAndTasks:
        return ConnectorsAndTasks.union((self, other))

    def __and__(self, other: ConnectorsAndTasks) -> ConnectorsAndTasks:
        connectors, tasks = set(other.connectors), set(other.tasks)
        return ConnectorsAndTasks(
            tuple(connector for connector in self.connectors if connector in connectors),
            tuple(task for task in self.tasks if task in tasks),
        )

    def __sub__(self, other: ConnectorsAndTasks) -> ConnectorsAndTasks:
        connectors, tasks = set(other.connectors), set(other.tasks)
        return ConnectorsAndTasks(
            tuple(connector for connector in self.connectors if connector not in connectors),
            tuple(task for task in self.tasks if task not in tasks),
        )


NOTHING = ConnectorsAndTasks()
