"""kconnect against what Kafka's own classes made of the same inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from golden import rules
from golden.runner import Report, run_suite

RULES = rules.load(Path(__file__).parent / "deviations.toml")
SHOWN = 8


@pytest.mark.timeout(300)
def test_suite_agrees_with_kafka(suite_file: Path, reports: list[Report]) -> None:
    report = run_suite(suite_file, RULES)
    reports.append(report)
    shown = [f"{id_}\n    {why}" for id_, why in list(report.failures.items())[:SHOWN]]
    assert not report.failures, f"{report.line()}, {len(report.failures)} fail:\n" + "\n".join(shown)
    assert report.deviations.total() <= 0.02 * report.total, report.details()
