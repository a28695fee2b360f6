from __future__ import annotations

from pathlib import Path

import pytest

from kconnect.connector import ExactlyOnceSupport
from kconnect.errors import ConnectError
from kconnect.testing.conformance import SourceConformance, validation_errors
from kconnect.testing.sources import SourceTaskHarness
from kconnect_file.directory import DirectorySource
from kconnect_file.stream_source import FileStreamSource


def run(path: Path, **props: str) -> SourceTaskHarness:
    return SourceTaskHarness(FileStreamSource, {"file": str(path), "topic": "lines", **props})


def values(harness: SourceTaskHarness, count: int) -> list[str]:
    return [record.value for record in harness.poll_until(count)]


class TestFileStreamSource(SourceConformance):
    connector_class = FileStreamSource

    @pytest.fixture
    def props(self, tmp_path: Path) -> dict[str, str]:
        path = tmp_path / "in.txt"
        path.write_text("one\ntwo\nthree\n")
        return {"file": str(path), "topic": "lines"}


def test_offsets_are_byte_positions_as_kafka_stores_them(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes("é\r\nzwei\n\nlast".encode())
    with run(path) as harness:
        records = harness.poll_until(3)
    assert [record.value for record in records] == ["é", "zwei", ""]
    assert [record.source_offset for record in records] == [{"position": 4}, {"position": 9}, {"position": 10}]
    assert records[0].source_partition == {"filename": str(path)}


def test_a_line_without_an_end_waits_for_it(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("whole\nha")
    with run(path) as harness:
        assert values(harness, 1) == ["whole"]
        with path.open("a") as file:
            file.write("lf\nnext\n")
        assert values(harness, 2) == ["half", "next"]


def test_an_end_of_line_split_between_two_reads_is_one_end(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(b"whole\nwindows\r")
    with run(path) as harness:
        assert values(harness, 1) == ["whole"]
        with path.open("ab") as file:
            file.write(b"\nnext\n")
        assert values(harness, 2) == ["windows", "next"]


def test_goes_on_at_the_committed_position(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("".join(f"line {n}\n" for n in range(10)))
    props = {"batch.size": "4"}
    with run(path, **props) as first:
        assert values(first, 4) == [f"line {n}" for n in range(4)]
        first.commit()
        first.poll()
    with SourceTaskHarness(FileStreamSource, first.connector.props, offsets=first.offsets) as second:
        assert values(second, 6) == [f"line {n}" for n in range(4, 10)]


def test_a_file_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "late.txt"
    with run(path) as harness:
        assert harness.poll() == []
        path.write_text("here\n")
        assert values(harness, 1) == ["here"]


def test_a_file_shorter_than_what_was_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("a long first line\n")
    with run(path) as first:
        first.poll_until(1)
        first.commit()
    path.write_text("short\n")
    with (
        pytest.raises(ConnectError, match="6 bytes, fewer than the 18 already read"),
        SourceTaskHarness(FileStreamSource, first.connector.props, offsets=first.offsets),
    ):
        pass


def test_a_file_cut_while_it_is_read_is_refused_at_the_next_poll(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_text("a long first line\n")
    with run(path) as harness:
        harness.poll_until(1)
        path.write_text("short\n")
        with pytest.raises(ConnectError, match="truncated or replaced"):
            harness.poll()


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match="cannot be read: Is a directory"), run(tmp_path):
        pass


def test_bytes_that_are_no_utf8_are_replaced_and_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(b"ok\n\xff\n\xfe\n")
    with run(path) as harness:
        assert values(harness, 3) == ["ok", "\ufffd", "\ufffd"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_line_that_is_too_long_fails_the_task_and_says_where(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(b"ok\n" + b"x" * (17 * 1024 * 1024))
    with run(path) as harness:
        harness.poll_until(1)
        with pytest.raises(ConnectError, match=r"the line at byte 3 is longer than"):
            harness.poll_until(1)


@pytest.mark.parametrize(
    ("offset", "complaint"),
    [
        ({"position": -1}, "must not be negative"),
        ({"position": "7"}, "must be a whole number"),
        ({"position": True}, "must be a whole number"),
        ({"line": 1}, "lacks the key 'position'"),
    ],
)
def test_offsets_that_make_no_sense_are_refused(offset: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConnectError, match=complaint):
        FileStreamSource().alter_offsets({"file": "f"}, {frozenset({("filename", "f")}): offset})


def test_offsets_may_be_set_and_reset_for_a_file_but_not_for_standard_input() -> None:
    partition = frozenset({("filename", "f")})
    assert FileStreamSource().alter_offsets({"file": "f"}, {partition: {"position": 3}})
    assert FileStreamSource().alter_offsets({"file": "f"}, {partition: None})
    with pytest.raises(ConnectError, match="standard input"):
        FileStreamSource().alter_offsets({}, {partition: None})


@pytest.mark.parametrize(
    ("props", "support"),
    [({"file": "f"}, ExactlyOnceSupport.SUPPORTED), ({}, ExactlyOnceSupport.UNSUPPORTED)],
)
def test_reads_exactly_once_from_files_alone(props: dict[str, str], support: ExactlyOnceSupport) -> None:
    assert FileStreamSource().exactly_once_support(props) is support


@pytest.mark.parametrize("connector", [FileStreamSource, DirectorySource])
@pytest.mark.parametrize("topic", ["", "my lines", "a/b", "Zürich", ".", "..", "x" * 250])
def test_a_topic_that_cannot_be_is_refused_as_it_is_validated(
    connector: type[FileStreamSource | DirectorySource], topic: str
) -> None:
    props = {"file": "in.txt", "files": "*.csv", "topic": topic}
    assert set(validation_errors(connector, props)) == {"topic"}
    assert validation_errors(connector, {**props, "topic": "x" * 249}) == {}
