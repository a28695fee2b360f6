"""A missing service leaves its tests out and says so, or fails the run where CI is set."""

import pytest

from services import requirements
from services.requirements import Requirement

pytest_plugins = ["pytester"]

TESTS = """
import pytest

@pytest.fixture
def moon_url():
    return "moon://"

@pytest.fixture(params=[pytest.param("moon", marks=pytest.mark.needs("moon")), "earth"])
def place(request):
    return request.param

def test_by_fixture(moon_url): pass
def test_by_parameter(place): pass
def test_anywhere(): pass
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    moon = Requirement(
        name="moon",
        missing=lambda: "no rocket",
        url_variable="KCONNECT_TEST_MOON_URL",
        fixtures=frozenset({"moon_url"}),
    )
    monkeypatch.setattr(requirements, "REQUIREMENTS", {"moon": moon})
    requirements.why_missing.cache_clear()
    pytester.makepyfile(TESTS)

    def run(**environment: str) -> pytest.RunResult:
        monkeypatch.delenv("CI", raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return pytester.runpytest_inprocess("-p", "services.requirements", "-p", "no:cacheprovider")

    yield run
    requirements.why_missing.cache_clear()


def test_what_needs_a_missing_service_is_left_out_and_listed(run) -> None:
    result = run()

    result.assert_outcomes(passed=2, deselected=2)
    result.stdout.fnmatch_lines(["2 tests without moon: no rocket; or set KCONNECT_TEST_MOON_URL to one that runs"])


def test_in_ci_a_missing_service_fails_the_run(run) -> None:
    result = run(CI="1")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*CI is set and services are missing:", "moon: no rocket*"])


def test_a_service_that_the_environment_names_is_used(run) -> None:
    run(KCONNECT_TEST_MOON_URL="moon://1", CI="1").assert_outcomes(passed=4)
