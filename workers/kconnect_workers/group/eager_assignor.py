"""The assignor of the eager protocol: everything is dealt anew in every round."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import cycle

from kconnect_workers.group.work import ConnectorsAndTasks
from kconnect_workers.states import TaskId


def assign_eagerly(configured: ConnectorsAndTasks, members: Iterable[str]) -> Mapping[str, ConnectorsAndTasks]:
    """One after another to the members in turn, by name: all connectors, then all tasks, which go on where the
    connectors end. (Dealt connector by connector, those of one task each would put all tasks on half of the workers.)
    """
    connectors: dict[str, list[str]] = {member: [] for member in sorted(members)}
    tasks: dict[str, list[TaskId]] = {member: [] for member in connectors}
    turns = cycle(connectors)
    in_order = configured.sorted()
    for connector in in_order.connectors:
        connectors[next(turns)].append(connector)
    for task in in_order.tasks:
        tasks[next(turns)].append(task)
    return {member: ConnectorsAndTasks.of(connectors[member], tasks[member]) for member in connectors}
