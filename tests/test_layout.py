"""The repository's own rules that no tool checks."""

import ast
import re
import tomllib
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
PACKAGES = sorted(init.parent for roots in ("*/kconnect*", "plugins/*/*") for init in ROOT.glob(f"{roots}/__init__.py"))


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


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_no_module_imports_one_that_imports_it(package: Path) -> None:
    """Wherever the import stands: within a function and for type checking too."""
    modules = {module_name(path, package): path for path in [*package.rglob("*.py"), *package.rglob("*.pyi")]}
    imports = {name: set(imported(path, modules)) - {name} for name, path in modules.items()}

    try:
        TopologicalSorter(imports).prepare()
    except CycleError as circle:
        pytest.fail(" imports ".join(reversed(circle.args[1])))


@pytest.mark.parametrize(
    "statement",
    [
        "from kconnect.a import B",
        "from kconnect import a",
        "import kconnect.a",
        "def f():\n    from kconnect.a import B",
        "if TYPE_CHECKING:\n    from kconnect.a import B",
    ],
)
def test_an_import_is_seen_wherever_it_stands(statement: str, tmp_path: Path) -> None:
    (tmp_path / "b.py").write_text(statement)

    assert list(imported(tmp_path / "b.py", {"kconnect.a"})) == ["kconnect.a"]


def module_name(path: Path, package: Path) -> str:
    return ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path, modules: Iterable[str]) -> Iterable[str]:
    """Those of `modules` that the file imports, or a name from them."""
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: write the import with its whole path"
            of_module = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in modules else str(node.module) for name in of_module]
        yield from (name for name in names if name in modules)


def canonical(requirement: str) -> str:
    [name] = re.findall(r"^[\w.-]+", requirement)
    return str(re.sub(r"[-_.]+", "-", name).lower())
