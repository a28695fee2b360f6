"""What every connector must hold. A connector's tests inherit a suite and say what it runs on:

    class TestRedisSource(SourceConformance):
        connector_class = RedisSource

        @pytest.fixture
        def props(self, redis_url): ...      # a valid configuration of a system that holds `record_count` records

pytest is needed, and only here: the extra `testing`.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from kconnect.connector import Connector
from kconnect.plugin import CONNECTORS
from kconnect.plugins import Plugins
from kconnect.record import SinkRecord, SourceRecord
from kconnect.schema import validate_value
from kconnect.sink import SinkConnector
from kconnect.source import SourceConnector
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

    def test_goes_on_after_any_committed_record_without_a_gap(self, props: dict[str, str]) -> None:
        with SourceTaskHarness(self.connector_class, props) as run:
            first = run.poll_until(self.record_count)
        stored = first[0]
        if stored.source_partition is None or stored.source_offset is None:
            pytest.skip("this configuration keeps no offsets")
        run.offsets.store(stored.source_partition, stored.source_offset)
        with SourceTaskHarness(self.connector_class, props, offsets=run.offsets) as again:
            rest = _values(again.poll_until(len(first) - 1))
        missing = [value for value in _values(first)[1:] if value not in rest]
        assert not missing, f"lost after {dict(stored.source_offset)}: {missing}"

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

    def test_a_task_may_be_stopped_twice(self, props: dict[str, str]) -> None:
        with SinkTaskHarness(self.connector_class, props) as run:
            run.put(self.records(run))
        run.task.stop()
        self.connector_class.task().stop()


def _values(records: Sequence[SourceRecord]) -> list[Any]:
    return [record.value for record in records]
