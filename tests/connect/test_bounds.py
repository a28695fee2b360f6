"""What connectors may reach, as a worker's settings bound them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kconnect import bounds
from kconnect.bounds import AllowedHost, Bounds
from kconnect.errors import ConfigError


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Path]:
    """The only folder that is allowed."""
    folder = tmp_path / "inside"
    folder.mkdir()
    bounds.set_bounds(Bounds.from_props({"file.allowed.paths": f" {folder} "}))
    yield folder
    bounds.set_bounds(Bounds())


def test_everything_is_allowed_where_nothing_is_said(tmp_path: Path) -> None:
    nothing = Bounds.from_props({"file.allowed.paths": "", "egress.allow": None})
    assert nothing.allow_path("file", tmp_path / "a") == (tmp_path / "a").resolve()
    nothing.allow_host("url", "anywhere.example", 5432)


def test_a_path_is_judged_and_returned_with_its_links_followed(inside: Path, tmp_path: Path) -> None:
    (inside / "real").mkdir()
    (inside / "link").symlink_to(inside / "real")
    (inside / "out").symlink_to(tmp_path)
    assert bounds.allow_path("file", inside / "link" / "new.txt") == inside / "real" / "new.txt"
    with pytest.raises(ConfigError, match=r"file: .*out/x, which is .*/x, lies outside .*file\.allowed\.paths"):
        bounds.allow_path("file", inside / "out" / "x")


@pytest.mark.parametrize("path", ["../inside2/x", "../x", "/etc/passwd", "sub/../../x"])
def test_a_path_outside_is_refused(inside: Path, path: str) -> None:
    with pytest.raises(ConfigError, match=r"file\.allowed\.paths"):
        bounds.allowed_path("file", str(inside / path))


@pytest.mark.parametrize("pattern", ["*.csv", "in/**/*.csv", "a[bc]/x", "plain.csv"])
def test_a_pattern_is_judged_by_what_it_begins_with(inside: Path, pattern: str) -> None:
    bounds.allow_pattern("files", f"{inside}/{pattern}")
    with pytest.raises(ConfigError, match="files"):
        bounds.allow_pattern("files", f"{inside.parent}/{pattern}")


def test_a_pattern_that_begins_with_a_part_of_a_name_is_judged_by_its_folder(inside: Path) -> None:
    with pytest.raises(ConfigError, match="files"):
        bounds.allow_pattern("files", f"{inside}*")


@pytest.mark.parametrize(
    ("allowed", "host", "port", "is_allowed"),
    [
        ("db.local", "db.local", 5432, True),
        ("db.local", "DB.local.", None, True),
        ("db.local:5432", "db.local", 5432, True),
        ("db.local:5432", "db.local", 5433, False),
        ("db.local:5432", "db.local", None, False),
        ("*.example.com", "a.b.example.com", 1, True),
        ("*.example.com", "example.com", 1, False),
        ("*.example.com", "evil-example.com", 1, False),
        ("[::1]:5432", "::1", 5432, True),
        ("[::1]", "[::1]", 1, True),
        ("a, b:2", "b", 2, True),
        ("a", "b", 2, False),
    ],
)
def test_hosts_are_compared_as_they_are_written(allowed: str, host: str, port: int | None, is_allowed: bool) -> None:
    held = Bounds.from_props({"egress.allow": allowed})
    if is_allowed:
        held.allow_host("connection.url", host, port)
    else:
        with pytest.raises(ConfigError, match=r"connection\.url: .*egress\.allow"):
            held.allow_host("connection.url", host, port)


@pytest.mark.parametrize("text", ["http://db", "db:port", "db:0", "db:65536", "::1", "u@db", ""])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"egress\.allow"):
        AllowedHost.parse(text)


@pytest.mark.parametrize(
    ("allowed", "module", "expression"),
    [
        ("", False, False),
        ("shop", True, False),
        ("shop.prices", True, False),
        ("shop.price", False, False),
        ("expressions", False, True),
        ("shop, expressions", True, True),
        ("*", True, True),
    ],
)
def test_python_runs_only_where_it_is_allowed(allowed: str, module: bool, expression: bool) -> None:
    held = Bounds.from_props({"python.transform.allow": allowed})
    for ask, fine in (
        (lambda: held.allow_module("function", "shop.prices"), module),
        (lambda: held.allow_expression("expression", "value"), expression),
    ):
        if fine:
            ask()
        else:
            with pytest.raises(ConfigError, match=r"python\.transform\.allow"):
                ask()


@pytest.mark.parametrize("path", ["a\0b", "half of a \ud800 character"])
def test_what_is_no_path_is_the_users_mistake(path: str) -> None:
    with pytest.raises(ConfigError, match=r"file.*is not a path"):
        Bounds().allow_path("file", path)
