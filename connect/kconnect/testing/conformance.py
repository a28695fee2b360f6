"""What every connector must hold. A connector's tests inherit a suite and say what it runs on:

    class TestRedisSource(SourceConformance):
        connector_class = RedisSource

        @pytest.fixture
        def props(self, redis_url): ...      # a valid configuration of a system that holds `record_count` records

pytest is needed, and only here: the extra `testing`.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from kconnect.connector import Connector
from kconnect.errors import ConnectError, RetriableError
from kconnect.plugin import CONNECTORS
from kconnect.plugins import Plugins
from kconnect.record import SinkRecord, SourceRecord, TopicPartition
from kconnect.schema import validate_value
from kconnect.sink import SinkConnector
from kconnect.source import SourceConnector
from kconnect.testing.deadline import Deadline
from kconnect.testing.sinks import SinkTaskHarness
from kconnect.testing.sources import SourceTaskHarness

STOP_SECONDS = 10.0


def validation_errors(connector_class: type[Connector[Any]], props: Mapping[str, str]) -> dict[str, list[str]]:
    """The errors of a configuration, by key; keys without any are left out."""
    return {value.name: value.errors for value in connector_class().validate(props) if value.errors}


def undocumented_keys(readme: str, connector_class: type[Connector[Any]]) -> set[str]:
    """The connector's keys, internal ones excepted, that a README does not name in code quotes or tables of them."""
    named = set(re.findall(r"`([^`\n]+)`", readme))
    named |= {name.partition("=")[0] for name in named}
    keys = connector_class.config_def().keys.values()
    return {key.name for key in keys if not key.internal and key.name not in named}


class ConnectorConformance:
    """What sources and sinks have in common."""

    connector_class: ClassVar[type[Connector[Any]]]

    @pytest.fixture
    def props(self) -> dict[str, str]:
        raise NotImplementedError("a suite gives its connector's `props`")

    def test_is_found_by_its_names(self) -> None:
        plugins = Plugins.discover()
        info = plugins.resolve(CONNECTORS, self.connector_class.__name__)
        assert plugins.load(info) is self.connector_class
        for name in info.java_names:
            assert plugins.resolve(CONNECTORS, name).class_name == info.class_name

    def test_every_key_is_documented(self) -> None:
        bare = [key.name for key in self.connector_class.config_def().keys.values() if not key.doc.strip()]
        assert not bare, f"keys without documentation: {bare}"

    def test_its_configuration_is_valid(self, props: dict[str, str]) -> None:
        assert validation_errors(self.connector_class, props) == {}

    def test_a_missing_key_is_refused_by_name(self, props: dict[str, str]) -> None:
        for key in self.connector_class.config_def().keys.values():
            if key.required:
                without = {name: value for name, value in props.items() if name != key.name}
                assert key.name in validation_errors(self.connector_class, without)

    def test_a_key_that_it_does_not_know_harms_nothing(self, props: dict[str, str]) -> None:
        assert validation_errors(self.connector_class, props | {"no.such.key": "x"}) == {}

    def test_values_that_cannot_be_read_are_refused_by_key(self, props: dict[str, str]) -> None:
        for key in self.connector_class.config_def().keys.values():
            if key.type.name in ("BOOLEAN", "INT", "SHORT", "LONG", "DOUBLE"):
                assert key.name in validation_errors(self.connector_class, props | {key.name: "neither"})

    def test_validation_changes_nothing(self, props: dict[str, str]) -> None:
        before = dict(props)
        self.connector_class().validate(props)
        assert props == before

    def test_passwords_are_not_shown(self, props: dict[str, str]) -> None:
        names = [key.name for key in self.connector_class.config_def().keys.values() if key.type.name == "PASSWORD"]
        config = self.connector_class.config_class.parse(props | dict.fromkeys(names, "tops3cret"))
        assert "tops3cret" not in repr(config)

    def test_stop_without_a_start_does_nothing(self) -> None:
        connector = self.connector_class()
        connector.stop()
        connector.stop()


class SourceConformance(ConnectorConformance):
    connector_class: ClassVar[type[SourceConnector[Any]]]
    record_count: ClassVar[int] = 3
    """How many records the first task finds, at least."""
    keeps_offsets: ClassVar[bool] = True
    """Whether it goes on by offsets; all that there is comes anew otherwise."""

    def test_task_configs_are_no_more_than_asked_for(self, props: dict[str, str]) -> None:
        with SourceTaskHarness(self.connector_class, props) as run:
            for count in (1, 2, 5):
                assert len(run.connector.task_configs(count)) <= count

    def test_records_are_what_their_schemas_say(self, props: dict[str, str]) -> None:
        with SourceTaskHarness(self.connector_class, props) as run:
            for record in run.poll_until(self.record_count):
                if record.value_schema is not None:
                    validate_value(record.value_schema, record.value, "value")
                if record.key_schema is not None:
                    validate_value(record.key_schema, record.key, "key")

    def test_partitions_and_offsets_are_plain_json(self, props: dict[str, str]) -> None:
        with SourceTaskHarness(self.connector_class, props) as run:
            for record in run.poll_until(self.record_count):
                for each in (record.source_partition, record.source_offset):
                    assert each is None or json.loads(json.dumps(dict(each))) == dict(each)

    def test_what_was_not_committed_comes_again(self, props: dict[str, str]) -> None:
        with SourceTaskHarness(self.connector_class, props) as run:
            first = run.poll_until(self.record_count)
        with SourceTaskHarness(self.connector_class, props, offsets=run.offsets) as again:
            assert _values(again.poll_until(len(first)))[: self.record_count] == _values(first)[: self.record_count]

    def test_what_a_task_had_that_ended_without_a_word_comes_again(self, props: dict[str, str]) -> None:
        with SourceTaskHarness(self.connector_class, props) as killed:
            first = _values(killed.poll_until(self.record_count))
            with SourceTaskHarness(self.connector_class, props, offsets=killed.offsets) as again:
                found = _values(again.poll_until(len(first)))
        missing = [value for value in first if value not in found]
        assert not missing, f"lost with the task: {missing}"

    def test_goes_on_after_any_committed_record_without_a_gap(self, props: dict[str, str]) -> None:
        with SourceTaskHarness(self.connector_class, props) as run:
            first = run.poll_until(self.record_count)
        stored = first[0]
        if not self.keeps_offsets:
            assert stored.source_offset is None
            return
        assert stored.source_partition is not None
        assert stored.source_offset is not None
        run.offsets.store(stored.source_partition, stored.source_offset)
        with SourceTaskHarness(self.connector_class, props, offsets=run.offsets) as again:
            rest = _values(again.poll_until(len(first) - 1))
        missing = [value for value in _values(first)[1:] if value not in rest]
        assert not missing, f"lost after {dict(stored.source_offset)}: {missing}"

    def test_tasks_together_find_what_one_finds(self, props: dict[str, str]) -> None:
        with SourceTaskHarness(self.connector_class, props, max_tasks=3) as first, contextlib.ExitStack() as stack:
            runs = [first]
            for number in range(1, len(first.task_configs)):
                run = SourceTaskHarness(self.connector_class, props, offsets=first.offsets, task=number, max_tasks=3)
                runs.append(stack.enter_context(run))
            deadline = Deadline(STOP_SECONDS)
            found = 0
            while found < self.record_count:
                deadline.check(f"{found} of {self.record_count} records from {len(runs)} tasks")
                found += sum(len(run.poll()) for run in runs)

    def test_commits_with_nothing_new_do_nothing(self, props: dict[str, str]) -> None:
        with SourceTaskHarness(self.connector_class, props) as run:
            run.commit()
            run.poll_until(self.record_count)
            run.commit()
            run.commit()

    def test_offsets_that_it_stored_itself_may_be_set_and_reset(self, props: dict[str, str]) -> None:
        with SourceTaskHarness(self.connector_class, props) as run:
            records = run.poll_until(self.record_count)
            run.commit()
        for offset in (records[0].source_offset, None):
            offsets = {
                frozenset(record.source_partition.items()): offset
                for record in records[:1]
                if record.source_partition is not None
            }
            self.connector_class().alter_offsets(props, offsets)

    def test_stop_interrupts_a_poll(self, props: dict[str, str]) -> None:
        with SourceTaskHarness(self.connector_class, props) as run:
            run.poll_until(self.record_count)
            stopped = threading.Event()

            def poll_on() -> None:
                while not stopped.is_set():
                    run.task.poll()

            thread = threading.Thread(target=poll_on, daemon=True)
            thread.start()
            stopped.set()
            run.task.stop()
            thread.join(STOP_SECONDS)
            assert not thread.is_alive(), f"a poll goes on {STOP_SECONDS:g} s after stop"

    def test_a_task_that_was_not_started_can_be_stopped(self) -> None:
        self.connector_class.task().stop()


class SinkConformance(ConnectorConformance):
    connector_class: ClassVar[type[SinkConnector[Any]]]

    def records(self, run: SinkTaskHarness) -> Sequence[SinkRecord]:
        """Records that the configuration can take, by `run.record`."""
        raise NotImplementedError("a suite gives its connector's `records`")

    def written(self, props: dict[str, str]) -> int:
        """How many of them the outside system has."""
        raise NotImplementedError("a suite gives its connector's `written`")

    def writes_once(self, props: dict[str, str]) -> bool:
        """Whether records that are put again change nothing."""
        return False

    def test_what_is_put_and_committed_is_there(self, props: dict[str, str]) -> None:
        with SinkTaskHarness(self.connector_class, props) as run:
            records = self.records(run)
            run.put(records)
            run.commit()
            assert self.written(props) == len(records)

    def test_an_empty_put_writes_nothing(self, props: dict[str, str]) -> None:
        with SinkTaskHarness(self.connector_class, props) as run:
            run.put([])
            run.put(self.records(run))
            run.put([])
            run.commit()
            assert self.written(props) == run.next_offset

    def test_no_more_is_committed_than_was_put(self, props: dict[str, str]) -> None:
        with SinkTaskHarness(self.connector_class, props) as run:
            run.put(self.records(run))
            assert all(offset <= run.next_offset for offset in run.commit().values())

    def test_what_was_put_and_not_committed_may_be_put_again(self, props: dict[str, str]) -> None:
        """By another task, after the first ended without a word."""
        with SinkTaskHarness(self.connector_class, props) as killed:
            killed.put(self.records(killed))
            with SinkTaskHarness(self.connector_class, props) as run:
                records = self.records(run)
                run.put(records)
                run.commit()
        written = self.written(props)
        assert written == len(records) if self.writes_once(props) else written >= len(records)

    def test_partitions_may_go_and_come_back(self, props: dict[str, str]) -> None:
        with SinkTaskHarness(self.connector_class, props) as run:
            partitions = sorted(run.context.partitions)
            run.put([])
            run.commit()
            run.task.close(partitions)
            run.task.open(partitions)
            run.put(self.records(run))
            run.commit()
            assert self.written(props) == run.next_offset

    def test_offsets_may_be_set_and_reset(self, props: dict[str, str]) -> None:
        for offset in (0, 1, None):
            self.connector_class().alter_offsets(props, {TopicPartition("orders", 0): offset})

    def test_a_task_may_be_stopped_twice(self, props: dict[str, str]) -> None:
        with SinkTaskHarness(self.connector_class, props) as run:
            run.put(self.records(run))
        run.task.stop()
        self.connector_class.task().stop()


class ReportingSinkConformance(SinkConformance):
    """Of sinks that report single bad records."""

    def bad_record(self, run: SinkTaskHarness) -> SinkRecord:
        """One that the configuration cannot take, by `run.record`."""
        raise NotImplementedError("a suite gives its connector's `bad_record`")

    def test_a_bad_record_is_reported_alone_and_named(self, props: dict[str, str]) -> None:
        with SinkTaskHarness(self.connector_class, props, reporting=True) as run:
            good = list(self.records(run))
            bad = self.bad_record(run)
            run.put([*good[:1], bad, *good[1:]])
            run.commit()
            [(record, error)] = run.context.reports
            assert (record, self.written(props)) == (bad, len(good))
            assert f"{bad.topic}-{bad.partition}@{bad.offset}" in str(error)

    def test_a_bad_record_that_nobody_wants_to_hear_of_fails_the_task(self, props: dict[str, str]) -> None:
        with SinkTaskHarness(self.connector_class, props) as run, pytest.raises(ConnectError) as failed:
            run.put([self.bad_record(run)])
        assert not isinstance(failed.value, RetriableError)


def _values(records: Sequence[SourceRecord]) -> list[Any]:
    return [record.value for record in records]
