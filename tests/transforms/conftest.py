"""Transforms made from settings, and records for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kconnect.plugin import PluginKind
from kconnect.plugins import Plugins
from kconnect.transform import Predicate, Transform

MakeTransform = Callable[..., Transform[Any]]
MakePredicate = Callable[..., Predicate[Any]]


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    return Plugins.discover()


@pytest.fixture(scope="session")
def transform(plugins: Plugins) -> MakeTransform:
    """`transform("Cast$Value", spec="int8")`; settings whose names have dots go in a dict before."""
    return lambda name, settings=None, **more: _made(plugins, PluginKind.TRANSFORMATION, name, settings, more)


@pytest.fixture(scope="session")
def predicate(plugins: Plugins) -> MakePredicate:
    return lambda name, settings=None, **more: _made(plugins, PluginKind.PREDICATE, name, settings, more)


def _made(plugins: Plugins, kind: PluginKind, name: str, settings: dict[str, str] | None, more: dict[str, str]) -> Any:
    cls: Any = plugins.load(plugins.resolve(kind, name))
    instance = cls()
    instance.configure(cls.config_class.parse({**(settings or {}), **more}))
    return instance
