"""The records of the config topic: Kafka Connect's keys, and its JSON values without schemas.

`connector-<name>`, `task-<name>-<number>`, `commit-<name>`, `target-state-<name>`, `restart-connector-<name>`.
Session keys, fencing counts and logger levels live there too and mean nothing to a standalone worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from kconnect.errors import DataError
from kconnect_workers.states import TargetState, TaskId
from kconnect_workers.stores.entry_log import Entry

_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class ConnectorConfig:
    connector: str
    props: dict[str, str] | None
    """None: the connector was deleted."""


@dataclass(frozen=True, slots=True)
class TaskConfig:
    id: TaskId
    props: dict[str, str]


@dataclass(frozen=True, slots=True)
class TasksCommit:
    """The task configs before it are complete."""

    connector: str
    tasks: int


@dataclass(frozen=True, slots=True)
class TargetStateChange:
    connector: str
    state: TargetState | None
    """None: the connector was deleted."""


@dataclass(frozen=True, slots=True)
class RestartRequest:
    connector: str
    include_tasks: bool
    only_failed: bool


ConfigRecord: TypeAlias = ConnectorConfig | TaskConfig | TasksCommit | TargetStateChange | RestartRequest


def connector_entry(name: str, props: Mapping[str, str] | None) -> Entry:
    return f"connector-{name}".encode(), None if props is None else _encode({"properties": props})


def task_entry(id: TaskId, props: Mapping[str, str]) -> Entry:
    return f"task-{id}".encode(), _encode({"properties": props})


def commit_entry(name: str, tasks: int) -> Entry:
    return f"commit-{name}".encode(), _encode({"tasks": tasks})


def target_state_entry(name: str, state: TargetState | None) -> Entry:
    key = f"target-state-{name}".encode()
    if state is None:
        return key, None
    # Workers older than the STOPPED state read the first field alone.
    older = TargetState.PAUSED if state is TargetState.STOPPED else state
    return key, _encode({"state": older.value, "state.v2": state.value})


def tasks_entries(name: str, configs: Sequence[Mapping[str, str]]) -> list[Entry]:
    """A complete set of task configs: the configs, then the commit."""
    entries = [task_entry(TaskId(name, number), config) for number, config in enumerate(configs)]
    return [*entries, commit_entry(name, len(configs))]


class _Properties(msgspec.Struct):
    properties: dict[str, str | None]


class _Tasks(msgspec.Struct):
    tasks: int


class _TargetState(msgspec.Struct):
    state: str
    state_v2: str | None = msgspec.field(default=None, name="state.v2")


class _Restart(msgspec.Struct, rename="kebab"):
    include_tasks: bool
    only_failed: bool


def read(key: bytes, value: bytes | None) -> ConfigRecord | None:
    """The record; None for one that a standalone worker has no use for. DataError for one that cannot be read."""
    try:
        return _read(key.decode(), value)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as e:
        raise DataError(f"config record {key!r} cannot be read: {e}") from e


def _read(key: str, value: bytes | None) -> ConfigRecord | None:
    if key.startswith("connector-"):
        return ConnectorConfig(key[10:], None if value is None else _properties(value))
    if key.startswith("target-state-"):
        return TargetStateChange(key[13:], None if value is None else _target_state(value))
    if value is None:
        return None
    if key.startswith("task-"):
        name, _, number = key[5:].rpartition("-")
        return TaskConfig(TaskId(name, int(number)), _properties(value))
    if key.startswith("commit-"):
        return TasksCommit(key[7:], msgspec.json.decode(value, type=_Tasks).tasks)
    if key.startswith("restart-connector-"):
        request = msgspec.json.decode(value, type=_Restart)
        return RestartRequest(key[18:], request.include_tasks, request.only_failed)
    return None


def _properties(value: bytes) -> dict[str, str]:
    properties: dict[str, Any] = msgspec.json.decode(value, type=_Properties).properties
    return {key: text for key, text in properties.items() if text is not None}


def _target_state(value: bytes) -> TargetState:
    stored = msgspec.json.decode(value, type=_TargetState)
    return TargetState(stored.state_v2 or stored.state)
