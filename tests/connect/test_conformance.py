"""The conformance suites find what they are for: connectors with one bug each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from kconnect import (
    Config,
    DataError,
    SinkConnector,
    SinkRecord,
    SinkTask,
    SourceConnector,
    SourceRecord,
    SourceTask,
    key,
)
from kconnect.testing import conformance
from kconnect.testing.sinks import SinkTaskHarness

# Not by name: pytest would collect them here.
SOURCE, SINK = conformance.SourceConformance, conformance.ReportingSinkConformance


class BuggyConfig(Config):
    bug: str = key(default="", doc="Which.")


class CountingTask(SourceTask[BuggyConfig]):
    """Five numbers, two at a time."""

    def start(self, config: BuggyConfig) -> None:
        self._bug = config.bug
        offset = self.context.offset_storage_reader.offset({"s": 0})
        self._next = 0 if offset is None else offset["n"] + (2 if self._bug == "skips" else 1)

    def poll(self) -> list[SourceRecord] | None:
        numbers = range(self._next, min(self._next + 2, 5))
        self._next = numbers.stop
        offset: Callable[[int], Any] = (lambda n: {"n": {n}}) if self._bug == "odd offsets" else (lambda n: {"n": n})
        return [SourceRecord({"s": 0}, offset(n), "t", value=n) for n in numbers]

    def commit(self) -> None:
        if self._bug == "commits":
            assert self._next


class CountingSource(SourceConnector[BuggyConfig]):
    task = CountingTask

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        count = max_tasks + 1 if self.props.get("bug") == "too many tasks" else 1
        return [dict(self.props)] * count


class Suite(SOURCE):
    __test__ = False
    connector_class = CountingSource


SOURCE_BUGS = {
    "skips": "test_goes_on_after_any_committed_record_without_a_gap",
    "odd offsets": "test_partitions_and_offsets_are_plain_json",
    "too many tasks": "test_task_configs_are_no_more_than_asked_for",
    "commits": "test_commits_with_nothing_new_do_nothing",
}


@pytest.mark.parametrize(("bug", "test"), SOURCE_BUGS.items())
def test_a_source_with_a_bug_is_found(bug: str, test: str) -> None:
    getattr(Suite(), test)({})
    with pytest.raises((AssertionError, TypeError)):
        getattr(Suite(), test)({"bug": bug})


SYSTEM: list[Any] = []
"""What the sinks write to."""


class ListTask(SinkTask[BuggyConfig]):
    def start(self, config: BuggyConfig) -> None:
        self._bug = config.bug
        self._open: set[Any] = set()

    def open(self, partitions: Sequence[Any]) -> None:
        if self._bug != "opens once" or not hasattr(self, "_opened"):
            self._open.update(partitions)
            self._opened = True

    def put(self, records: Sequence[SinkRecord]) -> None:
        if self._bug == "empty puts":
            SYSTEM.append("x" if not records else None)
        for record in records:
            if not isinstance(record.value, int):
                self._report(record, DataError(f"{record.topic}-{record.partition}@{record.offset} is no number"))
            elif self._open:
                SYSTEM.append(record.value)

    def close(self, partitions: Sequence[Any]) -> None:
        self._open.difference_update(partitions)

    def _report(self, record: SinkRecord, error: DataError) -> None:
        reporter = self.context.errant_record_reporter
        if self._bug == "swallows":
            return
        if reporter is None or self._bug == "never reports":
            raise error
        reporter.report(record, DataError("bad") if self._bug == "names nothing" else error)


class ListSink(SinkConnector[BuggyConfig]):
    task = ListTask


class SinkSuite(SINK):
    __test__ = False
    connector_class = ListSink

    def records(self, run: SinkTaskHarness) -> list[SinkRecord]:
        return [run.record(n) for n in range(3)]

    def bad_record(self, run: SinkTaskHarness) -> SinkRecord:
        return run.record("text")

    def written(self, props: dict[str, str]) -> int:
        return len(SYSTEM)

    def writes_once(self, props: dict[str, str]) -> bool:
        return "once" in props


SINK_BUGS: list[tuple[str, str]] = [
    ("empty puts", "test_an_empty_put_writes_nothing"),
    ("opens once", "test_partitions_may_go_and_come_back"),
    ("swallows", "test_a_bad_record_that_nobody_wants_to_hear_of_fails_the_task"),
    ("never reports", "test_a_bad_record_is_reported_alone_and_named"),
    ("names nothing", "test_a_bad_record_is_reported_alone_and_named"),
]


@pytest.fixture(autouse=True)
def empty_system() -> None:
    SYSTEM.clear()


@pytest.mark.parametrize(("bug", "test"), SINK_BUGS)
def test_a_sink_with_a_bug_is_found(bug: str, test: str) -> None:
    getattr(SinkSuite(), test)({})
    SYSTEM.clear()
    with pytest.raises((AssertionError, DataError, pytest.fail.Exception)):
        getattr(SinkSuite(), test)({"bug": bug})


def test_a_sink_that_says_that_it_writes_once_is_held_to_it() -> None:
    test = SinkSuite().test_what_was_put_and_not_committed_may_be_put_again
    test({})
    SYSTEM.clear()
    with pytest.raises(AssertionError):
        test({"once": "yes"})
