"""The walk over entry points: what the hooks of each declare, without importing any of the classes declared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pluggy

from kconnect import hookspecs
from kconnect.errors import ConnectError
from kconnect.plugin import Plugin, PluginFault, PluginInfo, PluginKind, load_class, simple_name


class PluginSource(Protocol):
    """What discovery needs of an entry point (`importlib.metadata.EntryPoint` is one)."""

    @property
    def name(self) -> str: ...

    @property
    def dist(self) -> Any: ...

    def load(self) -> Any: ...


class PluginScanner:
    """Walks entry points, each guarded by itself."""

    def __init__(self) -> None:
        self.infos: list[PluginInfo] = []
        self.faults: list[PluginFault] = []
        self._manager = pluggy.PluginManager("kconnect")
        self._manager.add_hookspecs(hookspecs)
        self._metadata: dict[int, tuple[str, str]] = {}

    def scan(self, entry_point: PluginSource) -> None:
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
    simple = {simple_name(name) for name in (plugin.target.partition(":")[2], *plugin.java_names)}
    pruned = {name.removesuffix(suffix) or name for name in simple for suffix in _SUFFIXES[kind]}
    return PluginInfo(
        class_name=plugin.target,
        kind=kind,
        distribution=distribution,
        version=version,
        java_names=plugin.java_names,
        aliases=frozenset(simple | pruned | set(plugin.aliases)),
    )
