"""The note by which tools find the broker of a data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from kconnect.log.running import running_broker
from kconnect.testing.broker import EmbeddedLog


def test_a_broker_is_found_by_its_data_while_it_runs(tmp_path: Path) -> None:
    with EmbeddedLog(tmp_path / "data") as log:
        found = running_broker(log.data)
        assert found is not None
        assert (found.pid, found.bootstrap_servers) == (log.pid, log.bootstrap_servers)
        log.stop()
        assert running_broker(log.data) is None
        log.start()
        log.kill()
        assert (log.data / "broker.json").exists()
        assert running_broker(log.data) is None


@pytest.mark.parametrize("note", [None, b"", b"{}", b"\xff"])
def test_no_note_and_one_that_makes_no_sense_are_no_broker(tmp_path: Path, note: bytes | None) -> None:
    if note is not None:
        (tmp_path / "broker.json").write_bytes(note)
    assert running_broker(tmp_path) is None
