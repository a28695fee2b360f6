"""A plugin: one class that can be named in a configuration, as a distribution declares it and as it is listed."""

from __future__ import annotations

import enum
from typing import Any, Literal, NamedTuple

from kconnect.errors import ConnectError


class PluginKind(enum.Enum):
    """What a plugin is; the values are the `type` strings of Kafka Connect's REST API."""

    SOURCE = "source"
    SINK = "sink"
    CONVERTER = "converter"
    HEADER_CONVERTER = "header_converter"
    TRANSFORMATION = "transformation"
    PREDICATE = "predicate"
    CONFIG_PROVIDER = "configprovider"
    REST_EXTENSION = "rest_extension"
    CLIENT_OVERRIDE_POLICY = "connector_client_config_override_policy"


CONNECTORS = frozenset({PluginKind.SOURCE, PluginKind.SINK})


class Plugin(NamedTuple):  # dataclasses would cost every listing 10 ms
    """One class that a distribution offers, as its hook declares it.

    `target` is `module:Class`; `java` are the class names that it stands in for; `aliases` are short names
    besides those that Kafka's rules give (the simple class names, with and without `Connector`, `Converter` …).
    `kind` tells sources from sinks: a connector that does not say is imported just to be listed.
    """

    target: str
    aliases: tuple[str, ...] = ()
    java: str | tuple[str, ...] | None = None
    kind: Literal["source", "sink"] | None = None

    @property
    def java_names(self) -> tuple[str, ...]:
        if self.java is None:
            return ()
        return (self.java,) if isinstance(self.java, str) else tuple(self.java)


class PluginInfo(NamedTuple):
    """One class that can be named in a configuration."""

    class_name: str
    """`module:Class`."""
    kind: PluginKind
    distribution: str
    version: str
    """Of the distribution."""
    java_names: tuple[str, ...] = ()
    aliases: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The name to show: that of the Java class which it stands in for, its own if there is none."""
        return self.java_names[0] if self.java_names else self.class_name


class PluginFault(NamedTuple):
    """A plugin that could not be listed, and why. The others are not affected."""

    distribution: str
    entry_point: str
    error: str


class PluginLoadError(ConnectError):
    """A plugin's class that cannot be imported, which `target` names."""

    def __init__(self, message: str, target: str) -> None:
        super().__init__(message)
        self.target = target


def load_class(target: str, distribution: str) -> type:
    """The class that `module:Class` names; the PluginLoadError, if it cannot be imported, blames `distribution`."""
    import importlib

    module_name, _, qualname = target.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in qualname.split("."):
            found = getattr(found, part)
    except Exception as e:
        remedy = f" (is everything that {distribution} needs installed?)" if isinstance(e, ImportError) else ""
        told = f"{target} of {distribution} cannot be imported: {type(e).__name__}: {e}{remedy}"
        raise PluginLoadError(told, target) from e
    if not isinstance(found, type):
        raise PluginLoadError(f"{target} of {distribution} is not a class", target)
    return found


def simple_name(name: str) -> str:
    """What stands behind the last dot."""
    return name.rpartition(".")[2]
