from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kconnect.errors import DataError
from kconnect_workers.states import TargetState, TaskId
from kconnect_workers.stores import config_records as records
from kconnect_workers.stores.config_records import ConfigRecord, ConnectorConfig, TaskConfig, TasksCommit
from kconnect_workers.stores.config_state import ConfigState
from kconnect_workers.stores.entry_log import Entry


def state_of(*applied: ConfigRecord) -> ConfigState:
    state = ConfigState()
    for record in applied:
        state.apply(record)
    return state


def task(number: int, value: str = "1") -> TaskConfig:
    return TaskConfig(TaskId("c", number), {"v": value})


CREATED = ConnectorConfig("c", {"name": "c"})


@pytest.mark.parametrize(
    ("entry", "key", "value"),
    [
        (records.connector_entry("c", {"a": "1"}), b"connector-c", b'{"properties":{"a":"1"}}'),
        (records.connector_entry("ü/ x", None), "connector-ü/ x".encode(), None),
        (records.task_entry(TaskId("c-1", 7), {"a": "ü"}), b"task-c-1-7", '{"properties":{"a":"ü"}}'.encode()),
        (records.commit_entry("c", 2), b"commit-c", b'{"tasks":2}'),
        (
            records.target_state_entry("c", TargetState.STARTED),
            b"target-state-c",
            b'{"state":"STARTED","state.v2":"STARTED"}',
        ),
        (
            records.target_state_entry("c", TargetState.STOPPED),
            b"target-state-c",
            b'{"state":"PAUSED","state.v2":"STOPPED"}',
        ),
        (records.target_state_entry("c", None), b"target-state-c", None),
    ],
)
def test_records_are_those_of_kafka_connect(entry: Entry, key: bytes, value: bytes | None) -> None:
    assert entry == (key, value)


@pytest.mark.parametrize(
    ("key", "value", "record"),
    [
        (b"connector-a-b", b'{"properties":{"x":"1"}}', ConnectorConfig("a-b", {"x": "1"})),
        (b"task-a-b-12", b'{"properties":{"x":"1"}}', TaskConfig(TaskId("a-b", 12), {"x": "1"})),
        (b"target-state-c", b'{"state":"PAUSED"}', records.TargetStateChange("c", TargetState.PAUSED)),
        (
            b"target-state-c",
            b'{"state":"PAUSED","state.v2":"STOPPED"}',
            records.TargetStateChange("c", TargetState.STOPPED),
        ),
        (
            b"restart-connector-c",
            b'{"include-tasks":true,"only-failed":false}',
            records.RestartRequest("c", True, False),
        ),
        (
            b"session-key",
            b'{"key":"eA==","algorithm":"HmacSHA256","creation-timestamp":1}',
            records.SessionKey(b"x", "HmacSHA256", 1),
        ),
        (b"tasks-fencing-c", b'{"task-count":3}', records.TaskCount("c", 3)),
        (b"logger-cluster-root", b'{"level":"INFO"}', records.LoggerLevel("root", "INFO")),
        (b"task-c-0", None, None),
        (b"of-a-later-kafka", b"{}", None),
    ],
)
def test_reads_records_of_kafka_connect(key: bytes, value: bytes | None, record: ConfigRecord | None) -> None:
    assert records.read(key, value) == record


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"connector-c", b"{"),
        (b"connector-c", b"[]"),
        (b"task-c", b'{"properties":{}}'),
        (b"\xff", b"{}"),
        (b"session-key", b'{"key":"?","algorithm":"y","creation-timestamp":1}'),
    ],
)
def test_a_broken_record_is_a_data_error_that_names_its_key(key: bytes, value: bytes) -> None:
    with pytest.raises(DataError) as caught:
        records.read(key, value)
    assert repr(key) in str(caught.value)


def test_tasks_count_once_they_are_committed() -> None:
    assert state_of(CREATED, task(0), task(1)).tasks("c") == []
    assert state_of(CREATED, task(0), task(1), TasksCommit("c", 2)).tasks("c") == [{"v": "1"}, {"v": "1"}]


def test_fewer_tasks_replace_more() -> None:
    state = state_of(CREATED, task(0), task(1), TasksCommit("c", 2), task(0, "2"), TasksCommit("c", 1))
    assert state.tasks("c") == [{"v": "2"}]


def test_a_set_that_compaction_made_incomplete_is_inconsistent_until_the_next() -> None:
    state = state_of(CREATED, task(1), TasksCommit("c", 2))
    assert state.tasks("c") == []
    assert state.inconsistent("c")
    for record in (task(0), task(1), TasksCommit("c", 2)):
        state.apply(record)
    assert len(state.tasks("c")) == 2
    assert not state.inconsistent("c")


def test_tasks_of_a_connector_whose_deletion_was_compacted_away_do_not_come_back() -> None:
    state = state_of(task(0), TasksCommit("c", 1), CREATED)
    assert state.connectors() == ["c"]
    assert state.tasks("c") == []


def test_a_deleted_connector_leaves_nothing() -> None:
    state = state_of(
        CREATED,
        records.TargetStateChange("c", TargetState.PAUSED),
        task(0),
        TasksCommit("c", 1),
        ConnectorConfig("c", None),
        records.TargetStateChange("c", None),
        CREATED,
    )
    assert state.tasks("c") == []
    assert state.target_state("c") is TargetState.STARTED


def test_new_tasks_wait_for_the_fencing_of_earlier_ones_even_of_a_deleted_connector() -> None:
    state = state_of(CREATED, task(0), TasksCommit("c", 1))
    assert (state.pending_fencing("c"), state.task_count("c")) == (True, None)
    state.apply(records.TaskCount("c", 1))
    assert (state.pending_fencing("c"), state.task_count("c")) == (False, 1)
    state.apply(ConnectorConfig("c", None))
    state.apply(CREATED)
    assert (state.pending_fencing("c"), state.task_count("c")) == (False, 1)
    state.apply(TasksCommit("c", 0))
    assert state.pending_fencing("c")


def test_a_set_of_tasks_has_a_generation_and_the_config_that_it_was_made_of() -> None:
    state = state_of(CREATED)
    assert (state.task_generation("c"), state.applied_config("c")) == (None, None)
    for record in (task(0), TasksCommit("c", 1), ConnectorConfig("c", {"name": "c", "a": "1"}), TasksCommit("c", 0)):
        state.apply(record)
    assert (state.task_generation("c"), state.applied_config("c")) == (0, {"name": "c", "a": "1"})
    state.apply(task(0))
    state.apply(ConnectorConfig("c", {"name": "c", "a": "2"}))
    assert state.applied_config("c") == {"name": "c", "a": "1"}
    state.apply(TasksCommit("c", 1))
    assert (state.task_generation("c"), state.applied_config("c")) == (1, {"name": "c", "a": "2"})


def test_a_session_key_is_shown_to_nobody() -> None:
    key = records.SessionKey(b"secret", "HmacSHA256", 1)
    assert state_of(key).session_key == key
    assert "secret" not in repr(key)


changes = st.one_of(
    st.builds(ConnectorConfig, st.just("c"), st.none() | st.just({"name": "c"})),
    st.builds(lambda number, value: task(number, value), st.integers(0, 3), st.sampled_from("12")),
    st.builds(TasksCommit, st.just("c"), st.integers(0, 4)),
)


@given(st.lists(changes, max_size=30))
def test_tasks_are_always_one_committed_generation(history: list[ConfigRecord]) -> None:
    state = state_of(*history)
    commits = [at for at, record in enumerate(history) if isinstance(record, TasksCommit)]
    if not state.tasks("c"):
        return
    last = commits[-1]
    before = commits[-2] if len(commits) > 1 else -1
    written = [record for record in history[before + 1 : last] if isinstance(record, TaskConfig)]
    newest = {record.id.task: record.props for record in written}
    assert state.tasks("c") == [newest[number] for number in range(len(state.tasks("c")))]
