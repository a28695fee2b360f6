"""What one restart request restarts: a pure choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kconnect_workers.states import State, Status, TaskId


@dataclass(frozen=True, slots=True)
class RestartPlan:
    connector: bool
    tasks: tuple[int, ...]

    @classmethod
    def of(cls, connector: Status, tasks: Sequence[Status], *, include_tasks: bool, only_failed: bool) -> RestartPlan:
        """The connector, and its tasks if `include_tasks`; with `only_failed` those of them that FAILED."""

        def meant(status: Status) -> bool:
            return not only_failed or status.state is State.FAILED

        numbers = [status.id.task for status in tasks if isinstance(status.id, TaskId) and meant(status)]
        return cls(meant(connector), tuple(numbers) if include_tasks else ())

    def restarts(self, task: Status) -> bool:
        return isinstance(task.id, TaskId) and task.id.task in self.tasks
