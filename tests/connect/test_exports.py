"""The public names of the package."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys

import kconnect


def test_every_public_name_can_be_imported() -> None:
    for name in kconnect.__all__:
        assert getattr(kconnect, name) is not None, name


def test_the_public_names_are_those_that_type_checkers_see() -> None:
    tree = ast.parse(inspect.getsource(kconnect))
    typed = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name for node in typed.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen | {"__version__"} == set(kconnect.__all__)
    assert (
        kconnect.__all__ == sorted(set(kconnect.__all__), key=lambda name: (not name.isupper(), name))[: len(seen) + 1]
    )


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(kconnect, "nonsense")
    assert "Schema" in dir(kconnect)


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, kconnect; print([m for m in sys.modules if m.startswith(('kconnect.', 'msgspec', 'pluggy'))])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"
