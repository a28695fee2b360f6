"""Statuses of connectors and tasks, and the topics that each connector uses, kept in a log.

Kafka Connect's keys `status-connector-<name>`, `status-task-<name>-<number>` and
`status-topic-<topic>:connector-<name>`; JSON values without schemas.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable

import msgspec

from kconnect_workers.states import State, Status, TaskId
from kconnect_workers.stores.entry_log import Apply, Entry, EntryLog
from kconnect_workers.stores.java_json import encode

_logger = logging.getLogger(__name__)

_LONGEST_TRACE = 64 * 1024


class _StatusValue(msgspec.Struct):
    state: State
    trace: str | None
    worker_id: str
    generation: int
    version: str | None = None


class _TopicUse(msgspec.Struct, rename={"discover_timestamp": "discoverTimestamp"}):
    name: str
    connector: str
    task: int
    discover_timestamp: int


class _TopicValue(msgspec.Struct):
    topic: _TopicUse


class StatusStore:
    """`open_log` makes the log, given the function that it applies entries with. Belongs to the worker's event loop."""

    def __init__(self, open_log: Callable[[Apply], EntryLog]) -> None:
        self._connectors: dict[str, Status] = {}
        self._tasks: dict[str, dict[int, Status]] = defaultdict(dict)
        self._topics: dict[str, dict[str, None]] = defaultdict(dict)
        self.on_topic_forgotten: Callable[[str], None] | None = None
        """Called with the name of a connector that is to find its topics anew, whichever worker was asked for that."""
        self._log = open_log(self._apply)

    async def start(self) -> None:
        await self._log.start()

    async def stop(self) -> None:
        await self._log.stop()

    def connectors(self) -> list[str]:
        return list(self._connectors)

    def connector(self, name: str) -> Status | None:
        return self._connectors.get(name)

    def task(self, id: TaskId) -> Status | None:
        return self._tasks[id.connector].get(id.task)

    def tasks(self, connector: str) -> list[Status]:
        """By task number."""
        return [status for _, status in sorted(self._tasks[connector].items())]

    def topics(self, connector: str) -> list[str]:
        """The topics that tasks of this connector were seen to use."""
        return list(self._topics[connector])

    async def put(self, *statuses: Status) -> None:
        """Of what this worker begins, whoever said something of it before."""
        await self._log.append([_entry(status) for status in statuses])

    async def put_safe(self, *statuses: Status) -> None:
        """Of what this worker ends: left out where another worker has said something in a later generation of the
        group, and so has the connector or task by now."""
        await self._log.append([_entry(status) for status in statuses if self._may_replace(status)])

    async def put_topic(self, connector: str, task: int, topic: str) -> None:
        use = _TopicUse(topic, connector, task, int(time.time() * 1000))
        await self._log.append([(_topic_key(topic, connector), encode(_TopicValue(use)))])

    async def remove_topics(self, connector: str) -> None:
        await self._log.append([(_topic_key(topic, connector), None) for topic in self.topics(connector)])

    async def remove_tasks(self, *ids: TaskId) -> None:
        await self._log.append([(f"status-task-{id}".encode(), None) for id in ids])  # noqa: A001

    async def remove_connector(self, name: str) -> None:
        """Forget the connector, its tasks and its topics."""
        entries: list[Entry] = [(f"status-connector-{name}".encode(), None)]
        entries += [(f"status-task-{status.id}".encode(), None) for status in self.tasks(name)]
        entries += [(_topic_key(topic, name), None) for topic in self.topics(name)]
        await self._log.append(entries)

    def _may_replace(self, status: Status) -> bool:
        current = self.task(status.id) if isinstance(status.id, TaskId) else self.connector(status.id)
        return current is None or current.worker_id == status.worker_id or current.generation <= status.generation

    def _apply(self, key: bytes, value: bytes | None) -> None:
        try:
            self._apply_entry(key.decode(), value)
        except (msgspec.DecodeError, ValueError) as e:
            _logger.error("status record %r cannot be read: %s; it is ignored", key, e)

    def _apply_entry(self, key: str, value: bytes | None) -> None:
        if key.startswith("status-connector-"):
            name = key[17:]
            if value is None:
                self._connectors.pop(name, None)
            else:
                self._connectors[name] = _status(name, value)
        elif key.startswith("status-task-"):
            name, _, number = key[12:].rpartition("-")
            if value is None:
                self._tasks[name].pop(int(number), None)
            else:
                self._tasks[name][int(number)] = _status(TaskId(name, int(number)), value)
        elif key.startswith("status-topic-"):
            topic, _, name = key[13:].partition(":connector-")
            if value is None:
                if self._topics[name].pop(topic, topic) is None and self.on_topic_forgotten is not None:
                    self.on_topic_forgotten(name)
            else:
                self._topics[name][topic] = None


def _entry(status: Status) -> Entry:
    kind = "task" if isinstance(status.id, TaskId) else "connector"
    trace = None if status.trace is None else _shortened(status.trace)
    value = _StatusValue(status.state, trace, status.worker_id, status.generation, status.version)
    return f"status-{kind}-{status.id}".encode(), encode(value)


def _shortened(trace: str) -> str:
    """`trace`, of which what is too long for a record is cut out of the middle: both ends say most."""
    cut = len(trace) - _LONGEST_TRACE
    if cut <= 0:
        return trace
    half = _LONGEST_TRACE // 2
    return f"{trace[:half]}\n... {cut} characters ...\n{trace[-half:]}"


def _status(id: str | TaskId, value: bytes) -> Status:
    stored = msgspec.json.decode(value, type=_StatusValue)
    return Status(
        id=id,
        state=stored.state,
        worker_id=stored.worker_id,
        generation=stored.generation,
        trace=stored.trace,
        version=stored.version,
    )


def _topic_key(topic: str, connector: str) -> bytes:
    return f"status-topic-{topic}:connector-{connector}".encode()
