"""Kafka Connect's embedded group protocols, byte for byte (KIP-415, KIP-507).

Each blob begins with the protocol's version, an int16. Numbers are big-endian; a string is an int16 length and UTF-8,
an array an int32 count and its items (-1: null). Connectors and tasks are written by connector: its name and an array
of the numbers of its tasks, among which -1 stands for the connector itself.

    metadata     version, url string, config offset int64, and from version 1: held, an assignment as bytes with an
                 int32 length (-1: nothing is held)
    assignment   version, error int16, leader string, leader url string, config offset int64, assigned array, and from
                 version 1: revoked array, delay int32 (milliseconds)

As Kafka's, the readers take any version that is not negative, and what is missing at the end as nothing.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable

from kconnect.log.protocol import Buffer, ProtocolError
from kconnect_workers.group.assignment import Assignment, AssignmentError, WorkerState
from kconnect_workers.states import TaskId

_CONNECTOR = -1


class ConnectProtocol(enum.Enum):
    """How a group shares its work; the value is the subprotocol's name on the wire."""

    EAGER = "default"
    COMPATIBLE = "compatible"
    SESSIONED = "sessioned"

    @property
    def version(self) -> int:
        """What the group's blobs begin with."""
        return _VERSIONS[self]

    @property
    def offered(self) -> tuple[ConnectProtocol, ...]:
        """What a worker offers that is configured with this one: the best first."""
        return tuple(sorted((p for p in ConnectProtocol if p.version <= self.version), key=lambda p: -p.version))


_VERSIONS = {ConnectProtocol.EAGER: 0, ConnectProtocol.COMPATIBLE: 1, ConnectProtocol.SESSIONED: 2}


def write_metadata(state: WorkerState, protocol: ConnectProtocol) -> bytes:
    """What a member tells when it joins."""
    out = struct.pack(">h", protocol.version) + _string(state.url) + struct.pack(">q", state.config_offset)
    if protocol is ConnectProtocol.EAGER:
        return out
    if state.held is None:
        return out + struct.pack(">i", -1)
    held = write_assignment(state.held, protocol)
    return out + struct.pack(">i", len(held)) + held


def read_metadata(blob: Buffer) -> WorkerState:
    """Raises ProtocolError."""
    reader = _Reader(blob)
    reader.version()
    url, config_offset = reader.string(), reader.number(">q")
    size = -1 if reader.at_end else reader.number(">i")
    held = read_assignment(reader.bytes(size)) if size >= 0 else None
    return WorkerState(url, config_offset, held)


def write_assignment(assignment: Assignment, protocol: ConnectProtocol) -> bytes:
    out = struct.pack(">hh", protocol.version, assignment.error)
    out += _string(assignment.leader) + _string(assignment.leader_url) + struct.pack(">q", assignment.config_offset)
    out += _by_connector(assignment.connectors, assignment.tasks)
    if protocol is ConnectProtocol.EAGER:
        return out
    out += _by_connector(assignment.revoked_connectors, assignment.revoked_tasks)
    return out + struct.pack(">i", assignment.delay_ms)


def read_assignment(blob: Buffer) -> Assignment:
    """Raises ProtocolError."""
    reader = _Reader(blob)
    reader.version()
    error, leader, leader_url = reader.number(">h"), reader.string(), reader.string()
    config_offset = reader.number(">q")
    connectors, tasks = reader.by_connector()
    revoked_connectors, revoked_tasks = reader.by_connector()
    return Assignment(
        # Any error means what the one does that is known: nothing is assigned, read the configs and join again.
        AssignmentError.NONE if error == 0 else AssignmentError.CONFIG_MISMATCH,
        leader,
        leader_url,
        config_offset,
        connectors,
        tasks,
        revoked_connectors,
        revoked_tasks,
        delay_ms=0 if reader.at_end else reader.number(">i"),
    )


def _string(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > 0x7FFF:
        raise ProtocolError(f"a string of {len(encoded)} bytes: {text[:40]}…")
    return struct.pack(">h", len(encoded)) + encoded


def _by_connector(connectors: Iterable[str], tasks: Iterable[TaskId]) -> bytes:
    numbers: dict[str, list[int]] = {connector: [_CONNECTOR] for connector in connectors}
    for task in tasks:
        numbers.setdefault(task.connector, []).append(task.task)
    out = bytearray(struct.pack(">i", len(numbers)))
    for connector, ids in numbers.items():
        out += _string(connector) + struct.pack(f">i{len(ids)}i", len(ids), *ids)
    return bytes(out)


class _Reader:
    def __init__(self, blob: Buffer) -> None:
        self._blob = bytes(blob)
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._blob)

    def version(self) -> int:
        version = self.number(">h")
        if version < 0:
            raise ProtocolError(f"version {version} of a Connect protocol")
        return version

    def number(self, format: str) -> int:
        (number,) = struct.unpack(format, self.bytes(struct.calcsize(format)))
        return int(number)

    def string(self) -> str:
        try:
            return self.bytes(self.number(">h")).decode()
        except UnicodeDecodeError as error:
            raise ProtocolError(f"a string that is not UTF-8: {error}") from error

    def bytes(self, size: int) -> bytes:
        end = self._at + size
        if size < 0 or end > len(self._blob):
            raise ProtocolError(f"{size} bytes wanted at {self._at} of {len(self._blob)}")
        part, self._at = self._blob[self._at : end], end
        return part

    def by_connector(self) -> tuple[tuple[str, ...], tuple[TaskId, ...]]:
        connectors: list[str] = []
        tasks: list[TaskId] = []
        for _ in range(0 if self.at_end else self._count(of_size=6)):
            connector = self.string()
            for _ in range(self._count(of_size=4)):
                number = self.number(">i")
                if number == _CONNECTOR:
                    connectors.append(connector)
                else:
                    tasks.append(TaskId(connector, number))
        return tuple(connectors), tuple(tasks)

    def _count(self, *, of_size: int) -> int:
        """How many items follow, each of at least so many bytes; null is none."""
        count = self.number(">i")
        if count > (len(self._blob) - self._at) // of_size:
            raise ProtocolError(f"{count} items claimed at {self._at} of {len(self._blob)}")
        return max(0, count)
