"""What the leader of a group does in a rebalance: assigns to all, from what all have told."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kconnect_workers.group.assignment import Assignment, AssignmentError, WorkerState
from kconnect_workers.group.assignor import IncrementalCooperativeAssignor
from kconnect_workers.group.eager_assignor import assign_eagerly
from kconnect_workers.group.protocol import ConnectProtocol
from kconnect_workers.group.work import NOTHING, ConnectorsAndTasks
from kconnect_workers.states import TaskId

_logger = logging.getLogger(__name__)


class ConfigSnapshot(Protocol):
    """What the config topic says at one offset; a leader assigns from it."""

    @property
    def offset(self) -> int:
        """The offset after the last record read of the config topic; -1 before the first."""
        ...

    def connectors(self) -> Iterable[str]: ...

    def tasks(self, connector: str) -> Sequence[TaskId]: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """A round of a leader's: what each member is told, and the REST URL of the owner of each connector and task."""

    assignments: Mapping[str, Assignment]
    urls: Mapping[str | TaskId, str] = field(default_factory=dict)


class Leader:
    """Keeps what a worker knows of the rounds in which it led."""

    def __init__(self, max_delay_ms: int) -> None:
        self._assignor = IncrementalCooperativeAssignor(max_delay_ms)

    def plan(
        self,
        leader: str,
        states: Mapping[str, WorkerState],
        configs: ConfigSnapshot,
        protocol: ConnectProtocol,
        *,
        generation: int,
        last_completed_generation: int,
        now_ms: int,
    ) -> Plan:
        """Assign to the members of `states`, of whom `leader` is one, what `configs` say.

        Nobody is given anything while another member has read more of the config topic than `configs` hold."""
        offset = max(state.config_offset for state in states.values())
        url = states[leader].url
        if configs.offset < offset:
            _logger.info(
                "This worker leads the group, and has read the config topic to %s, another one to %s: all are to read "
                "on and to join again.",
                configs.offset,
                offset,
            )
            return Plan(dict.fromkeys(states, Assignment(AssignmentError.CONFIG_MISMATCH, leader, url, offset)))
        connectors = list(configs.connectors())
        configured = ConnectorsAndTasks.of(connectors, (task for name in connectors for task in configs.tasks(name)))
        if protocol is ConnectProtocol.EAGER:
            assigned = owned = assign_eagerly(configured, states)
            revoked: Mapping[str, ConnectorsAndTasks] = dict.fromkeys(states, NOTHING)
            delay_ms = 0
        else:
            cluster = self._assignor.assign(
                configured,
                {member: _held(states[member]) for member in sorted(states)},
                generation=generation,
                last_completed_generation=last_completed_generation,
                now_ms=now_ms,
            )
            assigned, revoked, owned, delay_ms = cluster.assigned, cluster.revoked, cluster.owned, cluster.delay_ms
        assignments = {
            member: Assignment(
                AssignmentError.NONE,
                leader,
                url,
                configs.offset,
                assigned[member].connectors,
                assigned[member].tasks,
                revoked[member].connectors,
                revoked[member].tasks,
                delay_ms,
            )
            for member in states
        }
        return Plan(assignments, _urls(owned, states))


def _held(state: WorkerState) -> ConnectorsAndTasks:
    held = state.held
    return NOTHING if held is None else ConnectorsAndTasks.of(held.connectors, held.tasks)


def _urls(owned: Mapping[str, ConnectorsAndTasks], states: Mapping[str, WorkerState]) -> Mapping[str | TaskId, str]:
    urls: dict[str | TaskId, str] = {}
    for member, work in owned.items():
        urls.update(dict.fromkeys(work.connectors, states[member].url))
        urls.update(dict.fromkeys(work.tasks, states[member].url))
    return urls
