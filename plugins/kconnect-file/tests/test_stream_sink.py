from __future__ import annotations

import datetime
import json
import resource
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kconnect.errors import ConnectError, DataError, RetriableError
from kconnect.record import SinkRecord
from kconnect.schema import INT32_SCHEMA, OPTIONAL_STRING_SCHEMA, STRING_SCHEMA, Schema, decimal_schema
from kconnect.schema_builder import SchemaBuilder
from kconnect.testing.conformance import SinkConformance
from kconnect.testing.sinks import SinkTaskHarness
from kconnect_file.stream_sink import FileStreamSink

ORDER = SchemaBuilder.struct().field("id", INT32_SCHEMA).field("total", decimal_schema(2)).build()
OPEN_ORDER = SchemaBuilder.struct().field("id", INT32_SCHEMA).field("note", OPTIONAL_STRING_SCHEMA).build()


class TestFileStreamSink(SinkConformance):
    connector_class = FileStreamSink

    @pytest.fixture
    def props(self, tmp_path: Path) -> dict[str, str]:
        return {"file": str(tmp_path / "out.txt")}

    def records(self, run: SinkTaskHarness) -> Sequence[SinkRecord]:
        return [run.record(f"line {n}", STRING_SCHEMA) for n in range(3)]

    def written(self, props: dict[str, str]) -> int:
        return Path(props["file"]).read_text().count("\n")


def lines(tmp_path: Path, schema: Schema | None, *values: Any, **props: str) -> list[str]:
    path = tmp_path / "out.txt"
    with SinkTaskHarness(FileStreamSink, {"file": str(path), **props}) as run:
        run.put([run.record(value, schema) for value in values])
    return path.read_text().splitlines()


@pytest.mark.parametrize(
    ("schema", "value", "line"),
    [
        (None, "text", "text"),
        (None, None, "null"),
        (None, True, "true"),
        (None, 1.0, "1.0"),
        (None, 1e10, "1.0E10"),
        (None, 1e-4, "1.0E-4"),
        (None, float("nan"), "NaN"),
        (None, float("inf"), "Infinity"),
        (None, {"a": 1, "b": [True, None]}, "{a=1, b=[true, null]}"),
        (ORDER, {"id": 1, "total": Decimal("9.90")}, "Struct{id=1,total=9.90}"),
        (OPEN_ORDER, {"id": 1, "note": None}, "Struct{id=1}"),
        (
            None,
            datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
            "Fri Jan 02 03:04:05 UTC 2026",
        ),
    ],
)
def test_text_is_what_kafkas_sink_writes(tmp_path: Path, schema: Schema | None, value: Any, line: str) -> None:
    assert lines(tmp_path, schema, value) == [line]


def test_json_is_one_document_per_line(tmp_path: Path) -> None:
    found = lines(
        tmp_path, ORDER, {"id": 1, "total": Decimal("9.90")}, {"id": 2, "total": Decimal("0.50")}, format="json"
    )
    assert [json.loads(line)["id"] for line in found] == [1, 2]


def test_json_escapes_what_would_break_a_line(tmp_path: Path) -> None:
    assert lines(tmp_path, STRING_SCHEMA, "a\nb", format="json") == ['"a\\nb"']


def test_appends_to_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("before\n")
    assert lines(tmp_path, STRING_SCHEMA, "after") == ["before", "after"]


def test_a_file_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ConnectError, match="cannot be written: No such file"),
        SinkTaskHarness(FileStreamSink, {"file": str(tmp_path / "missing" / "out.txt")}),
    ):
        pass


@pytest.fixture
def disk_of() -> Iterator[Callable[[int], None]]:
    """Limits how large files may grow, so that a write fails half way, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_tried_again_without_a_torn_or_doubled_line(
    tmp_path: Path, disk_of: Callable[[int], None]
) -> None:
    path = tmp_path / "out.txt"
    with SinkTaskHarness(FileStreamSink, {"file": str(path)}) as run:
        run.put([run.record("first")])
        batch = [run.record("x" * 100_000), run.record("y" * 100_000)]
        disk_of(150_000)
        with pytest.raises(RetriableError, match="File too large"):
            run.put(batch)
        assert path.read_text() == "first\n"
        disk_of(1_000_000)
        run.put(batch)
    assert path.read_text().splitlines() == ["first", "x" * 100_000, "y" * 100_000]


def test_a_device_that_is_full_fails_the_task() -> None:
    with (
        SinkTaskHarness(FileStreamSink, {"file": "/dev/full"}) as run,
        pytest.raises(ConnectError, match="No space left"),
    ):
        run.put([run.record("line")])


def test_what_json_cannot_hold_is_named(tmp_path: Path) -> None:
    with (
        SinkTaskHarness(FileStreamSink, {"file": str(tmp_path / "out.txt"), "format": "json"}) as run,
        pytest.raises(DataError, match="orders-0@0 cannot be written as JSON"),
    ):
        run.put([run.record({(1, 2): "a tuple is no name"})])


@pytest.mark.parametrize(
    ("format", "bad"), [("text", "\ud800"), ("json", "\ud800"), ("json", {(1, 2): "a tuple is no name"})]
)
def test_records_that_cannot_be_written_are_reported_and_the_others_written(
    tmp_path: Path, format: str, bad: Any
) -> None:
    path = tmp_path / "out.txt"
    with SinkTaskHarness(FileStreamSink, {"file": str(path), "format": format}, reporting=True) as run:
        run.put([run.record(1), run.record(bad), run.record(3)])
        run.put([run.record(bad)])
        run.put([run.record(4)])
        assert [record.offset for record, _ in run.context.reports] == [1, 3]
        assert all(isinstance(error, DataError) for _, error in run.context.reports)
        assert str(run.context.reports[0][1]).startswith("orders-0@1 cannot be written")
    assert path.read_text() == "1\n3\n4\n"


def test_a_record_that_cannot_be_written_fails_the_task_with_nothing_of_its_batch_written(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    with (
        SinkTaskHarness(FileStreamSink, {"file": str(path)}) as run,
        pytest.raises(DataError, match="orders-0@1 cannot be written as UTF-8"),
    ):
        run.put([run.record("a"), run.record("\ud800")])
    assert path.read_text() == ""


def test_a_line_that_a_kill_has_torn_does_not_swallow_the_next(tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("whole\ntor")
    assert lines(tmp_path, None, "torn", "next") == ["whole", "tor", "torn", "next"]
