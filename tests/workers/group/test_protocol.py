"""Connect's embedded group protocols, byte for byte."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect.log.protocol import ProtocolError
from kconnect_workers.group.assignment import Assignment, AssignmentError, WorkerState
from kconnect_workers.group.protocol import (
    ConnectProtocol,
    read_assignment,
    read_metadata,
    write_assignment,
    write_metadata,
)
from kconnect_workers.states import TaskId

EAGER, COMPATIBLE, SESSIONED = ConnectProtocol
ASSIGNMENT = Assignment(
    AssignmentError.NONE,
    "m1",
    "http://w",
    7,
    ("a",),
    (TaskId("a", 0), TaskId("b", 2)),
    ("c",),
    (TaskId("c", 1),),
    300_000,
)
HEAD = b"\0\0" + b"\0\2m1" + b"\0\x08http://w" + b"\0\0\0\0\0\0\0\7"  # error, leader, its URL, config offset
ASSIGNED = b"\0\0\0\2" + b"\0\1a\0\0\0\2\xff\xff\xff\xff\0\0\0\0" + b"\0\1b\0\0\0\1\0\0\0\2"
REVOKED = b"\0\0\0\1" + b"\0\1c\0\0\0\2\xff\xff\xff\xff\0\0\0\1"
DELAY = b"\0\4\x93\xe0"

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
works = st.tuples(
    st.lists(names, unique=True, max_size=4).map(tuple),
    st.lists(st.builds(TaskId, names, st.integers(0, 2**31 - 1)), unique=True, max_size=8).map(tuple),
)
assignments = st.builds(
    lambda given, revoked, **rest: Assignment(
        connectors=given[0], tasks=given[1], revoked_connectors=revoked[0], revoked_tasks=revoked[1], **rest
    ),
    works,
    works,
    error=st.sampled_from(AssignmentError),
    leader=names,
    leader_url=names,
    config_offset=st.integers(-1, 2**63 - 1),
    delay_ms=st.integers(0, 2**31 - 1),
)


def same(assignment: Assignment) -> Assignment:
    """Its tasks by connector, as they come back."""
    return replace(
        assignment,
        connectors=tuple(sorted(assignment.connectors)),
        tasks=tuple(sorted(assignment.tasks)),
        revoked_connectors=tuple(sorted(assignment.revoked_connectors)),
        revoked_tasks=tuple(sorted(assignment.revoked_tasks)),
    )


@pytest.mark.parametrize(
    ("protocol", "blob"),
    [
        (EAGER, b"\0\0" + HEAD + ASSIGNED),
        (COMPATIBLE, b"\0\1" + HEAD + ASSIGNED + REVOKED + DELAY),
        (SESSIONED, b"\0\2" + HEAD + ASSIGNED + REVOKED + DELAY),
    ],
)
def test_an_assignment_is_written_as_kafka_connect_does(protocol: ConnectProtocol, blob: bytes) -> None:
    assert write_assignment(ASSIGNMENT, protocol) == blob


@pytest.mark.parametrize(
    ("protocol", "blob"),
    [
        (EAGER, b"\0\0" + b"\0\x08http://w" + b"\0\0\0\0\0\0\0\x09"),
        (COMPATIBLE, b"\0\1" + b"\0\x08http://w" + b"\0\0\0\0\0\0\0\x09" + b"\xff\xff\xff\xff"),
        (SESSIONED, b"\0\2" + b"\0\x08http://w" + b"\0\0\0\0\0\0\0\x09" + b"\xff\xff\xff\xff"),
    ],
)
def test_a_member_that_holds_nothing_tells_its_url_and_offset(protocol: ConnectProtocol, blob: bytes) -> None:
    state = WorkerState("http://w", 9)

    assert write_metadata(state, protocol) == blob
    assert read_metadata(blob) == state


def test_what_a_member_holds_is_an_assignment_within_its_metadata() -> None:
    blob = write_metadata(WorkerState("u", 9, ASSIGNMENT), SESSIONED)
    held = b"\0\2" + HEAD + ASSIGNED + REVOKED + DELAY

    assert blob == b"\0\2\0\1u\0\0\0\0\0\0\0\x09" + struct.pack(">i", len(held)) + held
    assert write_metadata(WorkerState("u", 9, ASSIGNMENT), EAGER) == b"\0\0\0\1u\0\0\0\0\0\0\0\x09"


@given(assignments, st.sampled_from([COMPATIBLE, SESSIONED]))
def test_what_was_written_is_read(assignment: Assignment, protocol: ConnectProtocol) -> None:
    assert same(read_assignment(write_assignment(assignment, protocol))) == same(assignment)

    state = read_metadata(write_metadata(WorkerState("http://w", 3, assignment), protocol))
    assert state.held is not None
    assert same(state.held) == same(assignment)


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (b"", Assignment(AssignmentError.NONE, "m1", "http://w", 7)),
        (b"\xff\xff\xff\xff" * 2, Assignment(AssignmentError.NONE, "m1", "http://w", 7)),
        (ASSIGNED, replace(ASSIGNMENT, revoked_connectors=(), revoked_tasks=(), delay_ms=0)),
        (ASSIGNED + REVOKED, replace(ASSIGNMENT, delay_ms=0)),
        (ASSIGNED + REVOKED + DELAY + b"what a later version may add", ASSIGNMENT),
    ],
    ids=["nothing", "nulls", "eager", "no delay", "more"],
)
@pytest.mark.parametrize("version", [b"\0\0", b"\0\2", b"\0\x09"])
def test_fields_may_be_missing_at_the_end_and_versions_be_any(
    tail: bytes, expected: Assignment, version: bytes
) -> None:
    assert read_assignment(version + HEAD + tail) == expected


def test_an_error_that_is_not_known_is_one_nevertheless() -> None:
    assert read_assignment(b"\0\2\0\7" + HEAD[2:]).error is AssignmentError.CONFIG_MISMATCH


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\0",
        b"\xff\xff" + HEAD,
        b"\0\2" + HEAD[:-1],
        b"\0\2" + HEAD.replace(b"m1", b"\xff1"),
        b"\0\2\0\0\xff\xff",
        b"\0\2" + HEAD + b"\x7f\xff\xff\xff",
        b"\0\2" + HEAD + ASSIGNED[:-1],
        b"\0\2" + HEAD + ASSIGNED + REVOKED + DELAY[:2],
    ],
    ids=["empty", "half a version", "version -1", "cut", "not UTF-8", "null", "huge count", "cut list", "cut delay"],
)
def test_what_is_no_assignment_is_refused(blob: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_assignment(blob)


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(blob: bytes) -> None:
    for read in (read_assignment, read_metadata):
        try:
            read(blob)
        except ProtocolError:
            continue


@pytest.mark.parametrize(
    ("configured", "offered"),
    [
        (EAGER, ["default"]),
        (COMPATIBLE, ["compatible", "default"]),
        (SESSIONED, ["sessioned", "compatible", "default"]),
    ],
)
def test_a_worker_offers_what_it_is_configured_with_and_what_is_older(
    configured: ConnectProtocol, offered: list[str]
) -> None:
    assert [protocol.value for protocol in configured.offered] == offered
