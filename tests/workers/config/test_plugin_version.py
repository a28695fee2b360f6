"""Versions and ranges of versions that connectors ask for."""

from __future__ import annotations

import pytest

from kconnect.errors import ConfigError
from kconnect_workers.config.plugin_version import matches


@pytest.mark.parametrize(
    ("wanted", "fitting", "unfitting"),
    [
        ("1.2", ["1.2", "1.2.0"], ["1.2.1", "1.20"]),
        ("[1.2]", ["1.2"], ["1.3"]),
        ("[1.2,2)", ["1.2", "1.10", "1.99.9"], ["1.1.9", "2", "2.0.0", "1.2rc1"]),
        ("(1.2,]", ["1.2.1", "9"], ["1.2"]),
        ("(,1.2]", ["0", "1.2"], ["1.3"]),
        ("[1,2),[3,4]", ["1.5", "3", "4"], ["2", "2.9", "4.1"]),
        (" [ 1 , 2 ] ", ["1", "2"], ["3"]),
        ("2.0rc1", ["2.0rc1"], ["2.0"]),
    ],
)
def test_a_version_fits_what_is_wanted(wanted: str, fitting: list[str], unfitting: list[str]) -> None:
    assert [version for version in fitting if not matches(wanted, version)] == []
    assert [version for version in unfitting if matches(wanted, version)] == []


@pytest.mark.parametrize("wanted", ["", "  ", "1 2", "latest!", "[1,2", "1,2]", "[]x", "[1,2,3]"])
def test_what_is_no_range_is_refused(wanted: str) -> None:
    with pytest.raises(ConfigError, match="version"):
        matches(wanted, "1.0")
