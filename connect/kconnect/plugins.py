"""Plugins: who brings which connectors, converters, transforms …, found without importing any of them."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple, Protocol

from kconnect.errors import ConfigError, ConnectError

ENTRY_POINT_GROUP = "kconnect"


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


class PluginSource(Protocol):
    """What discovery needs of an entry point (`importlib.metadata.EntryPoint` is one)."""

    @property
    def name(self) -> str: ...

    @property
    def dist(self) -> Any: ...

    def load(self) -> Any: ...


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


class Plugins:
    """Every plugin of this environment."""

    def __init__(self, infos: Iterable[PluginInfo], faults: Iterable[PluginFault] = ()) -> None:
        self.infos = tuple(infos)
        self.faults = tuple(faults)
        self._by_name: defaultdict[str, list[PluginInfo]] = defaultdict(list)
        for info in self.infos:
            for name in _names(info):
                self._by_name[name].append(info)

    @classmethod
    def discover(cls, entry_points: Iterable[PluginSource] | None = None) -> Plugins:
        """Walk the entry points (those of the group `kconnect` unless given) and call the hooks of each.

        One that raises or returns nonsense becomes a fault and stops nothing. Imports the packages that the entry
        points name, and no class behind a `Plugin`.
        """
        if entry_points is None:
            from importlib.metadata import entry_points as installed  # 10 ms; not needed where they are given

            entry_points = installed(group=ENTRY_POINT_GROUP)
        collector = _Collector()
        for entry_point in entry_points:
            collector.collect(entry_point)
        return cls(collector.infos, collector.faults)

    def of_kind(self, *kinds: PluginKind) -> list[PluginInfo]:
        return [info for info in self.infos if info.kind in kinds]

    def resolve(self, kinds: PluginKind | Iterable[PluginKind], name: str) -> PluginInfo:
        """The plugin of one of `kinds` that `name` means: a Python path (`module:Class` or dotted), a Java class
        name or an alias. ConfigError when there is none (with the nearest names) or more than one."""
        wanted = {kinds} if isinstance(kinds, PluginKind) else set(kinds)
        found = [info for info in self._by_name.get(name, ()) if info.kind in wanted]
        exact = [info for info in found if name in _exact_names(info)] or found
        if len({info.class_name for info in exact}) > 1:
            meant = " or ".join(sorted(info.class_name for info in exact))
            raise ConfigError(f"{name} could mean several classes", suggestion=f"write {meant}")
        if exact:
            return exact[0]
        raise self._unknown(wanted, name)

    def _unknown(self, wanted: set[PluginKind], name: str) -> ConfigError:
        from kconnect.validators import nearest

        kinds = "plugin" if len(wanted) > len(CONNECTORS) else " or ".join(sorted(kind.value for kind in wanted))
        what = "connector" if wanted == CONNECTORS else kinds.replace("_", " ")
        candidates = [n for n, infos in self._by_name.items() if any(info.kind in wanted for info in infos)]
        simple = name.rpartition(".")[2]
        suggestion = nearest(name, candidates) or nearest(simple, candidates)
        if suggestion is None:
            offered = sorted(_simple(info.name) for info in self.infos if info.kind in wanted)
            suggestion = f"installed: {', '.join(offered)}" if offered else "none is installed"
        return ConfigError(f"no {what} of the name {name} is installed", suggestion=suggestion)

    def load(self, info: PluginInfo) -> type:
        """Import the class. ConnectError naming the distribution if that fails."""
        return load_class(info.class_name, info.distribution)


def load_class(target: str, distribution: str) -> type:
    """The class that `module:Class` names; the ConnectError, if it cannot be imported, blames `distribution`."""
    import importlib

    module_name, _, qualname = target.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in qualname.split("."):
            found = getattr(found, part)
    except Exception as e:
        remedy = f" (is everything that {distribution} needs installed?)" if isinstance(e, ImportError) else ""
        raise ConnectError(f"{target} of {distribution} cannot be imported: {type(e).__name__}: {e}{remedy}") from e
    if not isinstance(found, type):
        raise ConnectError(f"{target} of {distribution} is not a class")
    return found


_HOOKS: Mapping[str, PluginKind | None] = {
    "register_connectors": None,
    "register_converters": PluginKind.CONVERTER,
    "register_header_converters": PluginKind.HEADER_CONVERTER,
    "register_transforms": PluginKind.TRANSFORMATION,
    "register_predicates": PluginKind.PREDICATE,
    "register_config_providers": PluginKind.CONFIG_PROVIDER,
    "register_rest_extensions": PluginKind.REST_EXTENSION,
    "register_client_override_policies": PluginKind.CLIENT_OVERRIDE_POLICY,
}

_SUFFIXES: Mapping[PluginKind, tuple[str, ...]] = {
    PluginKind.SOURCE: ("Connector",),
    PluginKind.SINK: ("Connector",),
    PluginKind.CONVERTER: ("Converter",),
    PluginKind.HEADER_CONVERTER: ("HeaderConverter", "Converter"),
    PluginKind.TRANSFORMATION: ("Transformation",),
    PluginKind.PREDICATE: ("Predicate",),
    PluginKind.CONFIG_PROVIDER: ("ConfigProvider",),
    PluginKind.REST_EXTENSION: ("ConnectRestExtension",),
    PluginKind.CLIENT_OVERRIDE_POLICY: ("ConnectorClientConfigOverridePolicy",),
}


class _Collector:
    """Walks entry points, each guarded by itself."""

    def __init__(self) -> None:
        import pluggy

        from kconnect import hookspecs

        self.infos: list[PluginInfo] = []
        self.faults: list[PluginFault] = []
        self._manager = pluggy.PluginManager("kconnect")
        self._manager.add_hookspecs(hookspecs)
        self._metadata: dict[int, tuple[str, str]] = {}

    def collect(self, entry_point: PluginSource) -> None:
        distribution, version = self._distribution(entry_point.dist)

        def fault(reason: str) -> None:
            self.faults.append(PluginFault(distribution, entry_point.name, reason))

        try:
            implementations = self._implementations(entry_point)
        except (Exception, SystemExit) as e:
            fault(f"{type(e).__name__}: {e}")
            return
        for hook, implement in implementations:
            try:
                declared = list(implement())
            except (Exception, SystemExit) as e:
                fault(f"{hook}: {type(e).__name__}: {e}")
                continue
            for plugin in declared:
                try:
                    self.infos.append(_info(hook, plugin, distribution, version))
                except ConnectError as e:
                    fault(f"{hook}: {e}")

    def _distribution(self, dist: Any) -> tuple[str, str]:
        """Name and version. A distribution parses its metadata anew whenever it is asked."""
        if dist is None:
            return "unknown", "unknown"
        if id(dist) not in self._metadata:
            metadata = dist.metadata
            self._metadata[id(dist)] = (metadata["Name"], metadata["Version"])
        return self._metadata[id(dist)]

    def _implementations(self, entry_point: PluginSource) -> list[tuple[str, Callable[[], Any]]]:
        plugin = entry_point.load()
        self._manager.register(plugin, entry_point.name)
        try:
            callers = self._manager.get_hookcallers(plugin) or []
            unknown = [caller.name for caller in callers if not caller.has_spec()]
            if unknown:
                raise ConnectError(f"unknown hook {', '.join(unknown)}")
            return [
                (caller.name, implementation.function)
                for caller in callers
                for implementation in caller.get_hookimpls()
                if implementation.plugin is plugin
            ]
        finally:
            self._manager.unregister(plugin)


def _connector_kind(plugin: Plugin, distribution: str) -> PluginKind:
    if plugin.kind is not None:
        return PluginKind(plugin.kind)
    from kconnect.sink import SinkConnector
    from kconnect.source import SourceConnector

    found = load_class(plugin.target, distribution)
    if issubclass(found, SourceConnector):
        return PluginKind.SOURCE
    if issubclass(found, SinkConnector):
        return PluginKind.SINK
    raise ConnectError(f"{plugin.target} is neither a SourceConnector nor a SinkConnector")


def _info(hook: str, plugin: Any, distribution: str, version: str) -> PluginInfo:
    if not isinstance(plugin, Plugin):
        raise ConnectError(f"{plugin!r} is not a Plugin")
    kind = _HOOKS[hook] or _connector_kind(plugin, distribution)
    simple = {_simple(name) for name in (plugin.target.partition(":")[2], *plugin.java_names)}
    pruned = {name.removesuffix(suffix) or name for name in simple for suffix in _SUFFIXES[kind]}
    return PluginInfo(
        class_name=plugin.target,
        kind=kind,
        distribution=distribution,
        version=version,
        java_names=plugin.java_names,
        aliases=frozenset(simple | pruned | set(plugin.aliases)),
    )


def _simple(name: str) -> str:
    return name.rpartition(".")[2]


def _exact_names(info: PluginInfo) -> tuple[str, ...]:
    return (info.class_name, info.class_name.replace(":", "."), *info.java_names)


def _names(info: PluginInfo) -> set[str]:
    return {*_exact_names(info), *info.aliases}
