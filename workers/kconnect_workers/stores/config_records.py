"""The records of the config topic: Kafka Connect's keys, and its JSON values without schemas."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from kconnect.errors import DataError
from kconnect_workers.states import TargetState, TaskId
from kconnect_workers.stores.entry_log import Entry
from kconnect_workers.stores.java_json import encode

SESSION_KEY = "session-key"


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


@dataclass(frozen=True, slots=True)
class SessionKey:
    """What the workers of a pool sign their requests to each other with (KIP-507)."""

    key: bytes = field(repr=False)
    algorithm: str
    """By Java's name, `HmacSHA256`."""
    creation_timestamp: int
    """Milliseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class TaskCount:
    """As many tasks of the connector may have used transactional ids since its last fencing (KIP-618): that is done,
    and tasks of its newest configs may start."""

    connector: str
    tasks: int


@dataclass(frozen=True, slots=True)
class LoggerLevel:
    """The level of a logger on every worker of the pool (KIP-976)."""

    logger: str
    level: str


ConfigRecord: TypeAlias = (
    ConnectorConfig
    | TaskConfig
    | TasksCommit
    | TargetStateChange
    | RestartRequest
    | SessionKey
    | TaskCount
    | LoggerLevel
)


def connector_entry(name: str, props: Mapping[str, str] | None) -> Entry:
    return f"connector-{name}".encode(), None if props is None else encode({"properties": props})


def task_entry(id: TaskId, props: Mapping[str, str]) -> Entry:
    return f"task-{id}".encode(), encode({"properties": props})


def commit_entry(name: str, tasks: int) -> Entry:
    return f"commit-{name}".encode(), encode({"tasks": tasks})


def target_state_entry(name: str, state: TargetState | None) -> Entry:
    key = f"target-state-{name}".encode()
    if state is None:
        return key, None
    # Workers older than the STOPPED state read the first field alone.
    older = TargetState.PAUSED if state is TargetState.STOPPED else state
    return key, encode({"state": older.value, "state.v2": state.value})


def restart_entry(request: RestartRequest) -> Entry:
    value = {"include-tasks": request.include_tasks, "only-failed": request.only_failed}
    return f"restart-connector-{request.connector}".encode(), encode(value)


def session_key_entry(session_key: SessionKey) -> Entry:
    return SESSION_KEY.encode(), encode(
        {
            "key": base64.b64encode(session_key.key).decode(),
            "algorithm": session_key.algorithm,
            "creation-timestamp": session_key.creation_timestamp,
        }
    )


def task_count_entry(name: str, tasks: int) -> Entry:
    return f"tasks-fencing-{name}".encode(), encode({"task-count": tasks})


def logger_level_entry(logger: str, level: str) -> Entry:
    return f"logger-cluster-{logger}".encode(), encode({"level": level})


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


class _SessionKey(msgspec.Struct, rename="kebab"):
    key: str
    algorithm: str
    creation_timestamp: int


class _TaskCount(msgspec.Struct, rename="kebab"):
    task_count: int


class _LoggerLevel(msgspec.Struct):
    level: str


def read(key: bytes, value: bytes | None) -> ConfigRecord | None:
    """The record; None for one that says nothing. DataError for one that cannot be read."""
    try:
        return _read(key.decode(), value)
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error, ValueError) as e:
        raise DataError(f"config record {key!r} cannot be read: {e}") from e


def _read(key: str, value: bytes | None) -> ConfigRecord | None:
    if key.startswith("connector-"):
        return ConnectorConfig(key[10:], None if value is None else _properties(value))
    if key.startswith("target-state-"):
        return TargetStateChange(key[13:], None if value is None else _target_state(value))
    return None if value is None else _read_present(key, value)


def _read_present(key: str, value: bytes) -> ConfigRecord | None:
    """Of the kinds that are never deleted."""
    if key.startswith("task-"):
        name, _, number = key[5:].rpartition("-")
        return TaskConfig(TaskId(name, int(number)), _properties(value))
    if key.startswith("commit-"):
        return TasksCommit(key[7:], msgspec.json.decode(value, type=_Tasks).tasks)
    if key.startswith("restart-connector-"):
        request = msgspec.json.decode(value, type=_Restart)
        return RestartRequest(key[18:], request.include_tasks, request.only_failed)
    if key.startswith("tasks-fencing-"):
        return TaskCount(key[14:], msgspec.json.decode(value, type=_TaskCount).task_count)
    if key.startswith("logger-cluster-"):
        return LoggerLevel(key[15:], msgspec.json.decode(value, type=_LoggerLevel).level)
    if key == SESSION_KEY:
        stored = msgspec.json.decode(value, type=_SessionKey)
        return SessionKey(base64.b64decode(stored.key, validate=True), stored.algorithm, stored.creation_timestamp)
    return None


def _properties(value: bytes) -> dict[str, str]:
    properties: dict[str, Any] = msgspec.json.decode(value, type=_Properties).properties
    return {key: text for key, text in properties.items() if text is not None}


def _target_state(value: bytes) -> TargetState:
    stored = msgspec.json.decode(value, type=_TargetState)
    return TargetState(stored.state_v2 or stored.state)
