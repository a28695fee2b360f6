"""Where the vectors are, and the lines in pytest's terminal summary."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from golden.runner import Report

HERE = Path(__file__).parent
reports_key = pytest.StashKey[list[Report]]()


def vectors_dir() -> Path:
    return Path(os.environ.get("KCONNECT_GOLDEN_DIR", HERE / "vectors"))


def pytest_configure(config: pytest.Config) -> None:
    config.stash[reports_key] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "suite_file" in metafunc.fixturenames:
        files = sorted(vectors_dir().glob("*.jsonl"))
        metafunc.parametrize("suite_file", files, ids=[file.stem for file in files])


@pytest.fixture
def reports(request: pytest.FixtureRequest) -> list[Report]:
    return request.config.stash[reports_key]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    reports = config.stash.get(reports_key, [])
    if not reports:
        return
    terminalreporter.section("golden vectors")
    for report in reports:
        terminalreporter.write_line(report.line())
        if config.get_verbosity() > 0:
            for line in report.details():
                terminalreporter.write_line(line)
    failed = sorted(id_ for report in reports for id_ in report.failures)
    path = Path(os.environ.get("KCONNECT_GOLDEN_FAILED", HERE / "failed.txt"))
    path.write_text("".join(f"{id_}\n" for id_ in failed), encoding="utf-8")
    if failed:
        terminalreporter.write_line(f"{len(failed)} failing ids are in {path}")
