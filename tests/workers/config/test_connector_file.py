"""Connector files, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from kconnect.errors import ConfigError
from kconnect_workers.config.connector_file import read_connector_file


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"name": "c",\n "config": {"a" "b"}}', "line 2, column 17"),
        ('{"name": "c"', "line 1, column 13"),
        ('{"name":\n\n  c}', "line 3, column 3"),
    ],
)
def test_a_slip_in_json_is_told_by_file_line_and_column(tmp_path: Path, text: str, place: str) -> None:
    file = tmp_path / "c.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=rf"c\.json is not JSON: the JSON is malformed at {place}"):
        read_connector_file(file)
