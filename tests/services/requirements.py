"""The services that tests need: found, started, or the tests left out and named.

A test says what it needs by using a service's fixture, or with the marker `needs("kafka")`.
Where a service is missing its tests are deselected and listed at the end of the run;
with `CI` set a missing service fails the run instead.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pytest

from services import mongodb, postgres, redis, rest_clients, schema_registry
from services.kafka import jars

__all__ = ["REQUIREMENTS", "Requirement", "needed_by", "why_missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A service, where it is looked for first, and how it is found otherwise."""

    name: str
    missing: Callable[[], str | None]
    url_variable: str | None = None
    fixtures: frozenset[str] = frozenset()


REQUIREMENTS = {
    requirement.name: requirement
    for requirement in (
        Requirement(
            name="postgres",
            missing=postgres.missing,
            url_variable="KCONNECT_TEST_POSTGRES_URL",
            fixtures=frozenset({"postgres_url", "postgres_database"}),
        ),
        Requirement(
            name="redis",
            missing=redis.missing,
            url_variable="KCONNECT_TEST_REDIS_URL",
            fixtures=frozenset({"redis_url"}),
        ),
        Requirement(name="rest-clients", missing=rest_clients.missing),
        Requirement(name="redis-server", missing=redis.missing),
        Requirement(
            name="mongodb",
            missing=mongodb.missing,
            url_variable="KCONNECT_TEST_MONGODB_URL",
            fixtures=frozenset({"mongodb_url"}),
        ),
        Requirement(name="mongodb-server", missing=mongodb.missing),
        Requirement(
            name="kafka",
            missing=jars.missing,
            url_variable="KCONNECT_TEST_KAFKA_BOOTSTRAP",
            fixtures=frozenset({"kafka_bootstrap"}),
        ),
        Requirement(
            name="schema-registry",
            missing=schema_registry.missing,
            url_variable="KCONNECT_TEST_SCHEMA_REGISTRY_URL",
            fixtures=frozenset({"schema_registry_url"}),
        ),
        Requirement(name="kafka-tools", missing=jars.missing, fixtures=frozenset({"kafka_tools"})),
        Requirement(
            name="kcat",
            missing=lambda: None if shutil.which("kcat") else "no `kcat` on PATH",
            fixtures=frozenset({"kcat"}),
        ),
    )
}

_LEFT_OUT = pytest.StashKey[Counter[str]]()


def needed_by(item: pytest.Item) -> frozenset[str]:
    """The names of all services that a collected test needs."""
    fixtures = set(getattr(item, "fixturenames", ()))
    by_fixture = {name for name, requirement in REQUIREMENTS.items() if requirement.fixtures & fixtures}
    by_marker = {str(name) for marker in item.iter_markers("needs") for name in marker.args}
    unknown = by_marker - REQUIREMENTS.keys()
    if unknown:
        raise pytest.UsageError(f"{item.nodeid}: needs unknown services {sorted(unknown)}; known: {[*REQUIREMENTS]}")
    return frozenset(by_fixture | by_marker)


@cache
def why_missing(name: str) -> str | None:
    """The reason and the remedy, or None when the service can be had."""
    requirement = REQUIREMENTS[name]
    if requirement.url_variable and os.environ.get(requirement.url_variable):
        return None
    reason = requirement.missing()
    if reason and requirement.url_variable:
        return f"{reason}; or set {requirement.url_variable} to one that runs"
    return reason


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*services): services that a test needs besides its fixtures'")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.collectonly:
        return
    missing: dict[pytest.Item, str] = {}
    for item in items:
        reasons = [f"{name}: {reason}" for name in sorted(needed_by(item)) if (reason := why_missing(name))]
        if reasons:
            missing[item] = reasons[0]
    if not missing:
        return
    if os.environ.get("CI"):
        raise pytest.UsageError("CI is set and services are missing:\n" + "\n".join(sorted({*missing.values()})))
    config.stash[_LEFT_OUT] = Counter(missing.values())
    config.hook.pytest_deselected(items=list(missing))
    items[:] = [item for item in items if item not in missing]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    left_out = config.stash.get(_LEFT_OUT, None)
    if not left_out:
        return
    terminalreporter.section("left out: services that are not here")
    for reason, count in sorted(left_out.items()):
        terminalreporter.write_line(f"{count} {'test' if count == 1 else 'tests'} without {reason}")
