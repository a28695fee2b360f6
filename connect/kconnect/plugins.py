"""Plugins: who brings which connectors, converters, transforms …, found without importing any of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from kconnect.errors import ConfigError
from kconnect.plugin import CONNECTORS, PluginFault, PluginInfo, PluginKind, load_class, simple_name

if TYPE_CHECKING:
    from kconnect.plugin_scanner import PluginSource

ENTRY_POINT_GROUP = "kconnect"


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
        from kconnect.plugin_scanner import PluginScanner  # pluggy costs 10 ms, and only discovery needs it

        if entry_points is None:
            from importlib.metadata import entry_points as installed  # 10 ms; not needed where they are given

            entry_points = installed(group=ENTRY_POINT_GROUP)
        scanner = PluginScanner()
        for entry_point in entry_points:
            scanner.scan(entry_point)
        return cls(scanner.infos, scanner.faults)

    def of_kind(self, *kinds: PluginKind) -> list[PluginInfo]:
        return [info for info in self.infos if info.kind in kinds]

    def resolve(self, kinds: PluginKind | Iterable[PluginKind], name: str) -> PluginInfo:
        """The plugin of one of `kinds` that `name` means: a Python path (`module:Class` or dotted), a Java class
        name or an alias; a class's own name wins over one that is short for another's Java name. ConfigError when
        there is none (with the nearest names) or more than one."""
        wanted = {kinds} if isinstance(kinds, PluginKind) else set(kinds)
        found = [info for info in self._by_name.get(name, ()) if info.kind in wanted]
        own = [info for info in found if name == info.class_name.rpartition(":")[2]]
        exact = [info for info in found if name in _exact_names(info)] or own or found
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
        offered = sorted({_short_name(info) for info in self.infos if info.kind in wanted})
        whole = [info.name for info in self.infos if info.kind in wanted] if "." in name else []
        suggestion = nearest(name, whole) or nearest(simple_name(name), offered)
        if suggestion is None:
            suggestion = f"installed: {', '.join(offered)}" if offered else "none is installed"
        return ConfigError(f"no {what} of the name {name} is installed", suggestion=suggestion)

    def load(self, info: PluginInfo) -> type:
        """Import the class. ConnectError naming the distribution if that fails."""
        return load_class(info.class_name, info.distribution)


def _exact_names(info: PluginInfo) -> tuple[str, ...]:
    return (info.class_name, info.class_name.replace(":", "."), *info.java_names)


def _short_name(info: PluginInfo) -> str:
    """The one name by which users are told of a plugin: its class's, but where Java's says of what it is the `$Key` or
    the `$Value`."""
    java = simple_name(info.name)
    return java if "$" in java else info.class_name.rpartition(":")[2]


def _names(info: PluginInfo) -> set[str]:
    return {*_exact_names(info), *info.aliases}
