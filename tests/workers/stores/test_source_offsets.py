"""What a log of source offsets says, whoever wrote it."""

from __future__ import annotations

import pytest

from kconnect_workers.stores.source_offsets import SourceOffsets, partition_key


def test_partitions_are_compared_as_json_and_an_update_reuses_the_key_that_was_read() -> None:
    """Members of a JSON object have no order: another key would leave the old one to compaction for ever."""
    known = SourceOffsets()
    known.apply(b'["c", {"b": 2, "a": 1}]', b'{"position":1}')
    assert known.offset("c", {"a": 1, "b": 2}) == {"position": 1}
    assert known.entry("c", {"a": 1, "b": 2}, {"position": 7}) == (b'["c", {"b": 2, "a": 1}]', b'{"position":7}')
    assert known.entry("c", {"a": 1, "b": 2}, None) == (b'["c", {"b": 2, "a": 1}]', None)
    assert known.entry("c", {"a": 9}, {"position": 0}) == (b'["c",{"a":9}]', b'{"position":0}')
    assert known.entry("d", {"b": 2, "a": 1}, {}) == (b'["d",{"b":2,"a":1}]', b"{}")


def test_the_last_value_counts_in_the_order_of_first_commits() -> None:
    known = SourceOffsets()
    for key, value in ((b"1", b"10"), (b"2", b"20"), (b"1", b"11"), (b"3", b"30"), (b"2", None)):
        known.apply(b'["c",{"n":%s}]' % key, value and b'{"at":%s}' % value)
    assert known.offsets("c") == [({"n": 1}, {"at": 11}), ({"n": 3}, {"at": 30})]
    assert known.entries("c") == [(b'["c",{"n":1}]', b'{"at":11}'), (b'["c",{"n":3}]', b'{"at":30}')]
    assert (known.offset("c", {"n": 2}), known.offsets("d")) == (None, [])


def test_a_task_keeps_the_offsets_of_its_connector_alone() -> None:
    known = SourceOffsets(only="c")
    known.apply(b'["c",{"n":1}]', b'{"at":1}')
    known.apply(b'["d",{"n":1}]', b'{"at":2}')
    assert (known.offset("c", {"n": 1}), known.entries("d")) == ({"at": 1}, [])


@pytest.mark.parametrize(
    ("key", "value", "is_told"),
    [
        pytest.param(b"\xff", b'{"at":2}', True, id="a key that is no JSON"),
        pytest.param(b'{"c":1}', b'{"at":2}', True, id="a key of another shape"),
        pytest.param(b'["c",{"n":1}]', b"[2]", True, id="an offset that is no object"),
        pytest.param(b'["c",{"n":1}]', b"{", True, id="an offset that is no JSON"),
        pytest.param(b'["c",null]', b'{"at":2}', False, id="no partition"),
    ],
)
def test_what_is_no_offset_is_passed_over(
    key: bytes, value: bytes, is_told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    known = SourceOffsets()
    known.apply(b'["c",{"n":1}]', b'{"at":1}')
    known.apply(key, value)
    assert known.offsets("c") == [({"n": 1}, {"at": 1})]
    assert bool(caplog.records) is is_told


def test_a_partition_has_one_key_whatever_the_order_of_its_members() -> None:
    assert partition_key({"a": 1, "b": {"c": 2, "d": 3}}) == partition_key({"b": {"d": 3, "c": 2}, "a": 1})
    assert partition_key({"a": 1}) != partition_key({"a": "1"})
