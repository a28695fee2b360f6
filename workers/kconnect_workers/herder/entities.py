"""What the herder answers with, in the shapes of Kafka Connect's REST API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class ConnectorTaskId(msgspec.Struct, frozen=True):
    connector: str
    task: int


class ConnectorInfo(msgspec.Struct, frozen=True):
    name: str
    config: Mapping[str, str]
    tasks: list[ConnectorTaskId]
    type: str
    """`source`, `sink`, or `unknown` while its class is not installed."""


class TaskInfo(msgspec.Struct, frozen=True):
    id: ConnectorTaskId
    config: Mapping[str, str]


class ConnectorState(msgspec.Struct, frozen=True, omit_defaults=True):
    state: str
    worker_id: str
    version: str | None = None
    trace: str | None = None


class TaskState(msgspec.Struct, frozen=True, omit_defaults=True):
    id: int
    state: str
    worker_id: str
    version: str | None = None
    trace: str | None = None


class ConnectorStateInfo(msgspec.Struct, frozen=True):
    name: str
    connector: ConnectorState
    tasks: list[TaskState]
    type: str


class ConnectorOffset(msgspec.Struct, frozen=True):
    """A source partition and its offset; for sinks `kafka_topic` and `kafka_partition`, and `kafka_offset`."""

    partition: Mapping[str, Any]
    offset: Mapping[str, Any] | None


class ConnectorOffsets(msgspec.Struct, frozen=True):
    offsets: list[ConnectorOffset]
