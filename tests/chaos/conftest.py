"""The seed of a chaos run, told whenever something fails, and the tally told at its end."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from random import Random, SystemRandom

import pytest

from chaos.stage import Stage, Tally, hosts_see

SEED = os.environ.get("KCONNECT_CHAOS_SEED") or str(SystemRandom().randrange(1_000_000))
ROUNDS = int(os.environ.get("KCONNECT_CHAOS_ROUNDS") or "1")

_TALLY = pytest.StashKey[Tally]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "chaos_round" in metafunc.fixturenames:
        metafunc.parametrize("chaos_round", range(ROUNDS), ids=[f"round{n}" for n in range(ROUNDS)])


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    return pytestconfig.stash.setdefault(_TALLY, Tally())


@pytest.fixture
def stage(
    request: pytest.FixtureRequest, chaos_round: int, tally: Tally, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Stage:
    """A stage whose dice depend on the seed, the test and the round alone."""
    for variable, value in hosts_see(Path(), os.environ).items():
        monkeypatch.setenv(variable, value)
    name = request.node.originalname
    return Stage(tmp_path, Random(f"{SEED} {name} {chaos_round}"), tally)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and item.get_closest_marker("chaos"):
        report.sections.append(("chaos", f"to replay: make chaos SEED={SEED}"))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tally = config.stash.get(_TALLY, None)
    if tally is not None and tally.kills:
        terminalreporter.section("chaos")
        terminalreporter.write_line(
            f"seed {SEED}: {tally.kills} kills, {tally.in_flight} of them hit work in flight; "
            f"{tally.arrived} records compared, {tally.duplicates} of them duplicates"
        )
