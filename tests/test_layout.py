"""The repository's own rules that no tool checks."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))


def pyproject(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_a_plugin_is_held_to_the_rules_of_imports(plugin: Path) -> None:
    package = plugin.name.replace("-", "_")
    linter = pyproject(ROOT)["tool"]["importlinter"]
    layers, plugins = linter["contracts"][:2]

    assert (plugin / package).is_dir()
    assert package in linter["root_packages"]
    assert package in layers["layers"][0].split(" | ")
    assert package in plugins["source_modules"]


@pytest.mark.parametrize("folder", [ROOT, *PLUGINS], ids=lambda folder: folder.name)
def test_every_dependency_is_pinned(folder: Path) -> None:
    project = pyproject(folder)["project"]
    extras = project.get("optional-dependencies", {}).values()
    wanted = {canonical(name) for names in [project["dependencies"], *extras] for name in names}
    pinned = {canonical(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}

    assert wanted - pinned - {"kconnect"} == set()


def test_pins_name_no_place_to_fetch_from() -> None:
    assert "/" not in (ROOT / "constraints.txt").read_text()


def canonical(requirement: str) -> str:
    [name] = re.findall(r"^[\w.-]+", requirement)
    return str(re.sub(r"[-_.]+", "-", name).lower())
