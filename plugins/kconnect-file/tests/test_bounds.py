"""File connectors keep within the folders that the worker allows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kconnect import bounds
from kconnect.bounds import Bounds
from kconnect.config import Config
from kconnect.connector import Connector
from kconnect.errors import ConfigError
from kconnect.testing.conformance import validation_errors
from kconnect.testing.sinks import SinkTaskHarness
from kconnect.testing.sources import SourceTaskHarness
from kconnect_file.directory import DirectorySource
from kconnect_file.stream_sink import FileStreamSink
from kconnect_file.stream_source import FileStreamSource


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Path]:
    """The only folder that is allowed; `out` in it is a link that leads out."""
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "outside").mkdir()
    (folder / "out").symlink_to(tmp_path / "outside")
    bounds.set_bounds(Bounds.from_props({"file.allowed.paths": str(folder)}))
    yield folder
    bounds.set_bounds(Bounds())


@pytest.mark.parametrize(
    ("connector", "key"), [(FileStreamSource, "file"), (FileStreamSink, "file"), (DirectorySource, "files")]
)
@pytest.mark.parametrize("place", ["../x.txt", "out/x.txt", "/etc/passwd"])
def test_what_lies_outside_is_refused_when_it_is_validated(
    inside: Path, connector: type[Connector[Config]], key: str, place: str
) -> None:
    errors = validation_errors(connector, {key: str(inside / place), "topic": "t"})
    assert "file.allowed.paths" in str(errors[key])
    assert validation_errors(connector, {key: str(inside / "x.txt"), "topic": "t"}) == {}


def test_a_link_that_came_after_validation_is_not_followed_by_the_source(inside: Path, tmp_path: Path) -> None:
    (tmp_path / "outside" / "secret.txt").write_text("secret\n")
    with SourceTaskHarness(FileStreamSource, {"file": str(inside / "in.txt"), "topic": "t"}) as run:
        (inside / "in.txt").symlink_to(tmp_path / "outside" / "secret.txt")
        with pytest.raises(ConfigError, match=r"file: .*in\.txt, which is .*secret\.txt, lies outside"):
            run.poll_until(1)


def test_a_link_is_not_followed_by_the_sink(inside: Path, tmp_path: Path) -> None:
    (inside / "out.txt").symlink_to(tmp_path / "outside" / "new.txt")
    with (
        pytest.raises(ConfigError, match="lies outside"),
        SinkTaskHarness(FileStreamSink, {"file": str(inside / "out.txt")}),
    ):
        pass
    assert not (tmp_path / "outside" / "new.txt").exists()


def test_links_that_lead_out_are_passed_over_and_told_once(
    inside: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "outside" / "x.jsonl").write_text('"secret"\n')
    (inside / "a.jsonl").write_text('"one"\n')
    (inside / "b.jsonl").symlink_to(inside / "a.jsonl")
    props = {"files": f"{inside}/**/*.jsonl", "topic": "t", "poll.interval.ms": "1"}
    (inside / "c.jsonl").symlink_to(tmp_path / "outside" / "x.jsonl")
    with SourceTaskHarness(DirectorySource, props) as run:
        assert [record.value for record in run.poll_until(2)] == ["one", "one"]
        run.poll_until(0)
    told = [record.getMessage() for record in caplog.records if "passed over" in record.getMessage()]
    assert len([line for line in told if "c.jsonl" in line]) == 1
