from __future__ import annotations

from pathlib import Path

import pytest

from kconnect.connector import Connector
from kconnect.testing.conformance import undocumented_keys
from kconnect_sql.sink import SqlSink
from kconnect_sql.source import SqlSource

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("connector", [SqlSource, SqlSink])
def test_the_readme_names_every_key(connector: type[Connector]) -> None:
    assert undocumented_keys(README.read_text(), connector) == set()
