from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest

from kconnect.errors import ConnectError, DataError
from kconnect.testing.conformance import SourceConformance, validation_errors
from kconnect.testing.sources import SourceTaskHarness
from kconnect_file.directory import DirectorySource


def run(folder: Path, pattern: str = "*.csv", **props: str) -> SourceTaskHarness:
    settings = {"poll_interval_ms": "10", "format": "csv"} | props
    settings = {name.replace("_", "."): value for name, value in settings.items()}
    return SourceTaskHarness(DirectorySource, {"files": str(folder / pattern), "topic": "rows", **settings})


def values(harness: SourceTaskHarness, count: int) -> list[Any]:
    return [record.value for record in harness.poll_until(count)]


class TestDirectorySource(SourceConformance):
    connector_class = DirectorySource

    @pytest.fixture
    def props(self, tmp_path: Path) -> dict[str, str]:
        (tmp_path / "a.jsonl").write_text('{"n": 1}\n{"n": 2}\n{"n": 3}\n')
        return {"files": str(tmp_path / "*.jsonl"), "topic": "rows", "poll.interval.ms": "10"}


def test_json_lines_are_schemaless_values(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"n": 1}\n\n  \n[1, "é"]\nnull\n')
    with run(tmp_path, "*.jsonl", format="jsonl") as harness:
        records = harness.poll_until(3)
    assert [record.value for record in records] == [{"n": 1}, [1, "é"], None]
    assert all(record.value_schema is None for record in records)


def test_csv_rows_are_structs_of_the_header(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('\ufeffid,note\r\n1,"a, ""b"""\r\n\r\n2,\r\n')
    with run(tmp_path) as harness:
        records = harness.poll_until(2)
    assert [record.value for record in records] == [{"id": "1", "note": 'a, "b"'}, {"id": "2", "note": ""}]
    schema = records[0].value_schema
    assert schema is not None
    assert [(field.name, field.schema.optional) for field in schema.fields] == [("id", True), ("note", True)]


def test_a_quoted_field_may_span_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,note\n1,"two\nlines"\n2,x\n')
    with run(tmp_path) as harness:
        assert values(harness, 2) == [{"id": "1", "note": "two\nlines"}, {"id": "2", "note": "x"}]


def test_a_row_that_is_half_written_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('id,note\n1,x\n2,"two\n')
    with run(tmp_path) as harness:
        assert values(harness, 1) == [{"id": "1", "note": "x"}]
        assert harness.poll() == []
        with path.open("a") as file:
            file.write('lines"\n3,y\n')
        assert values(harness, 2) == [{"id": "2", "note": "two\nlines"}, {"id": "3", "note": "y"}]


def test_goes_on_in_every_file_where_it_was(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("id\n" + "".join(f"{name}{n}\n" for n in range(5)))
    with run(tmp_path, batch_size="2") as first:
        begun = values(first, 4)
        first.commit()
    with SourceTaskHarness(DirectorySource, first.connector.props, offsets=first.offsets) as second:
        rest = values(second, 6)
    assert sorted(row["id"] for row in begun + rest) == [f"{name}{n}" for name in "ab" for n in range(5)]


def test_positions_after_any_row_are_where_the_next_begins(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,note\n1,"é\n"\n2,x\n3,y\n')
    with run(tmp_path) as harness:
        records = harness.poll_until(3)
    for index, record in enumerate(records[:-1]):
        assert record.source_partition is not None
        harness.offsets.store(record.source_partition, record.source_offset)
        with SourceTaskHarness(DirectorySource, harness.connector.props, offsets=harness.offsets) as again:
            assert values(again, 2 - index) == [later.value for later in records[index + 1 :]]


def test_new_files_are_found(tmp_path: Path) -> None:
    with run(tmp_path) as harness:
        assert harness.poll() == []
        (tmp_path / "late.csv").write_text("id\n1\n")
        assert values(harness, 1) == [{"id": "1"}]


def test_tasks_share_the_files(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}.csv").write_text(f"id\n{number}\n")
    found = []
    for task in range(3):
        props = {"files": str(tmp_path / "*.csv"), "topic": "rows", "format": "csv", "poll.interval.ms": "10"}
        with SourceTaskHarness(DirectorySource, props, task=task, max_tasks=3) as harness:
            mine: list[Any] = []
            while batch := harness.poll():
                mine += batch
        assert mine, "a task got no file"
        found += [record.value["id"] for record in mine]
    assert sorted(found, key=int) == [str(number) for number in range(20)]


@pytest.mark.parametrize(
    ("format", "content", "complaint"),
    [
        ("jsonl", '{"n": 1}\n{"n": \n', r"in\.txt: line 2 \(byte 9\) is not JSON.*errors\.tolerance=all"),
        ("csv", "id,note\n1,x\n2\n", r"in\.txt: line 3 \(byte 12\) has 1 columns, the header has 2"),
        ("csv", 'id,note\n1,"x"y\n2,z\n', r"in\.txt: line 2 \(byte 8\) is not CSV"),
        ("csv", "id,id\n1,2\n", r"in\.txt: the header names the column id twice"),
        ("csv", "id,\n1,2\n", r"in\.txt: the header has a column without a name"),
    ],
)
def test_what_cannot_be_read_is_named_by_file_and_line(
    tmp_path: Path, format: str, content: str, complaint: str
) -> None:
    (tmp_path / "in.txt").write_text(content)
    with run(tmp_path, "*.txt", format=format) as harness, pytest.raises(ConnectError, match=complaint):
        harness.poll_until(3)


BAD_ROWS = [
    ("csv", 'id,note\n1,"two\nlines"\n2\n3,x\n4,"x"y\n5\n6,"z"\n7\n', ["1", "3", "6"], "line 4 (byte 22)"),
    ("jsonl", '{"id": "1"}\n{"id": \n\n{"id": "3"}\nno\nno\n{"id": "6"}\n[', ["1", "3", "6"], "line 2 (byte 12)"),
]


@pytest.mark.parametrize(("format", "content", "good", "first_bad"), BAD_ROWS)
def test_bad_rows_are_passed_over_and_told_where_errors_are_tolerated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, format: str, content: str, good: list[str], first_bad: str
) -> None:
    (tmp_path / "in.txt").write_text(content)
    with run(tmp_path, "*.txt", format=format, errors_tolerance="all") as harness:
        records = harness.poll_until(len(good))
        harness.poll()
    assert [record.value["id"] for record in records] == good
    assert first_bad in caplog.text
    told = [record.args for record in caplog.records if "passed over" in record.msg]
    assert sum(args[0] for args in told if isinstance(args, tuple) and isinstance(args[0], int)) >= 3


@pytest.mark.parametrize(("format", "content", "good", "first_bad"), BAD_ROWS)
def test_the_rows_before_a_bad_one_are_handed_over(
    tmp_path: Path, format: str, content: str, good: list[str], first_bad: str
) -> None:
    (tmp_path / "in.txt").write_text(content)
    with run(tmp_path, "*.txt", format=format) as harness:
        assert values(harness, 1)[0]["id"] == good[0]
        with pytest.raises(DataError, match=re.escape(first_bad)):
            harness.poll()


def test_a_line_is_counted_from_the_start_of_a_file_that_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,note\n1,x\n2,y\n")
    with run(tmp_path) as first:
        first.poll_until(2)
        first.commit()
    with path.open("a") as file:
        file.write("3\n")
    with (
        SourceTaskHarness(DirectorySource, first.connector.props, offsets=first.offsets) as second,
        pytest.raises(DataError, match=r"line 4 \(byte 16\)"),
    ):
        second.poll()


def test_a_file_shorter_than_what_was_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id\n1\n2\n3\n")
    with run(tmp_path) as first:
        first.poll_until(3)
        first.commit()
    path.write_text("id\n9\n")
    with (
        SourceTaskHarness(DirectorySource, first.connector.props, offsets=first.offsets) as second,
        pytest.raises(ConnectError, match="truncated or replaced"),
    ):
        second.poll()


def test_a_delimiter_is_one_character(tmp_path: Path) -> None:
    props = {"files": str(tmp_path / "*.csv"), "topic": "rows"}
    assert validation_errors(DirectorySource, {**props, "csv.delimiter": ";"}) == {}
    assert set(validation_errors(DirectorySource, {**props, "csv.delimiter": "||"})) == {"csv.delimiter"}


@pytest.mark.parametrize("offset", [{"position": -1}, {"position": "1"}, {"line": 1}])
def test_offsets_that_make_no_sense_are_refused(offset: dict[str, object]) -> None:
    with pytest.raises(ConnectError, match="must be"):
        DirectorySource().alter_offsets({}, {frozenset({("path", "f")}): offset})


def test_a_long_interval_keeps_no_poll_from_returning(tmp_path: Path) -> None:
    """A pause waits for it."""
    with run(tmp_path, poll_interval_ms="3600000") as harness:
        polls = threading.Thread(target=lambda: [harness.poll() for _ in range(2)], daemon=True)
        polls.start()
        polls.join(30)
        assert not polls.is_alive()
