"""The framework's keys of one connector, with what the installed plugins add: choices, defaults, and the keys of
transforms, predicates and converters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol

from kconnect.config import HIGH, LOW, ConfigDef, ConfigError, ConfigKey, ConfigValue, Type, ValidString, Width
from kconnect.converter import Converter
from kconnect.errors import ConnectError
from kconnect.plugin import PluginInfo, PluginKind
from kconnect.plugins import Plugins
from kconnect_workers.config.connector_config import ConnectorConfig, VersionOf, converter_settings

Role = Literal["key", "value", "header"]

CONVERTERS: Mapping[str, tuple[Role, PluginKind]] = {
    "key.converter": ("key", PluginKind.CONVERTER),
    "value.converter": ("value", PluginKind.CONVERTER),
    "header.converter": ("header", PluginKind.HEADER_CONVERTER),
}


class Aliased(NamedTuple):
    """A list of aliases, each of which names a plugin and configures it under a prefix of its own."""

    list_key: str
    noun: str
    kind: PluginKind


ALIASED = (
    Aliased("transforms", "Transformation", PluginKind.TRANSFORMATION),
    Aliased("predicates", "Predicate", PluginKind.PREDICATE),
)


class PluginClasses:
    """Looks up the classes that keys name, by the kind of plugin that each key asks for. Other keys are not checked."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self.kinds = {key: kind for key, (_, kind) in CONVERTERS.items()}

    def __call__(self, key: str, class_name: str) -> PluginInfo | None:
        kind = self.kinds.get(key)
        return None if kind is None else self._plugins.resolve(kind, class_name)

    def find(self, key: str, class_name: Any) -> PluginInfo | None:
        """None also for a name that stands for nothing: the key's own check tells."""
        try:
            return self(key, str(class_name).strip()) if class_name else None
        except ConfigError:
            return None


class FrameworkKeys:
    """The keys of `framework` for the configuration `props`.

    Imports the transforms and predicates that `props` name; one that cannot be used is an error of its type key.
    """

    def __init__(
        self,
        framework: type[ConnectorConfig],
        plugins: Plugins,
        connector: PluginInfo,
        props: Mapping[str, Any],
        worker_props: Mapping[str, Any],
    ) -> None:
        self._plugins = plugins
        self._connector = connector
        self._props = props
        self._worker_props = worker_props
        self._classes = PluginClasses(plugins)
        self._failures: dict[str, str] = {}
        self.keys = ConfigDef(map(self._enriched, framework.config_def.keys.values()))
        for aliased in ALIASED:
            for alias in self._aliases(aliased):
                self._add(aliased, alias)

    def validate(self) -> list[ConfigValue]:
        values = self.keys.validate(self._props, self._classes)
        for value in values:
            if value.name in self._failures:
                value.add_error(self._failures[value.name])
        return values

    def _enriched(self, key: ConfigKey) -> ConfigKey:
        if key.name in CONVERTERS:
            role, kind = CONVERTERS[key.name]
            inherited = converter_settings(role, {}, self._worker_props).class_name
            return replace(key, default=inherited, recommender=_Names(self._plugins, kind))
        owner = key.name.removesuffix(".plugin.version")
        if owner == "connector":
            return versioned(key, "connector.class", self._props.get("connector.class"), self._connector)
        if owner in CONVERTERS:
            settings = converter_settings(CONVERTERS[owner][0], self._props, self._worker_props)
            return versioned(key, owner, settings.class_name, self._classes.find(owner, settings.class_name))
        return key

    def _aliases(self, aliased: Aliased) -> Iterator[str]:
        try:
            listed = self.keys.keys[aliased.list_key].parse(self._props.get(aliased.list_key, ""))
        except ConfigError:
            return  # the key's own check tells
        yield from listed

    def _add(self, aliased: Aliased, alias: str) -> None:
        prefix = f"{aliased.list_key}.{alias}."
        group = f"{aliased.list_key.title()}: {alias}"
        type_key = f"{prefix}type"
        self._classes.kinds[type_key] = aliased.kind
        chosen = self._props.get(type_key)
        info = self._classes.find(type_key, chosen)
        type_of = ConfigKey(
            name=type_key,
            type=Type.CLASS,
            importance=HIGH,
            doc=f"Class of the {aliased.noun.lower()} {alias}.",
            group=group,
            order_in_group=0,
            width=Width.LONG,
            display_name=f"{aliased.noun} type for {alias}",
            recommender=_Names(self._plugins, aliased.kind),
        )
        version_of = ConfigKey(
            name=f"{prefix}plugin.version",
            type=Type.STRING,
            default=None,
            importance=HIGH,
            doc=f"The version, or range of versions, of the {aliased.noun.lower()} {alias}.",
            group=group,
            order_in_group=1,
            width=Width.LONG,
            display_name=f"{aliased.noun} version for {alias}",
        )
        self.keys.define(type_of, versioned(version_of, type_key, chosen, info))
        if info is None:
            return
        try:
            self.keys.embed(prefix, group, 2, self._own_keys(aliased, info))
        except ConnectError as e:
            self._failures[type_key] = str(e)

    def _own_keys(self, aliased: Aliased, info: PluginInfo) -> ConfigDef:
        keys = plugin_def(self._plugins, info)
        if aliased.kind is PluginKind.TRANSFORMATION:
            keys.define(*(key for key in self._conditions() if key.name not in keys.keys))
        return keys

    def _conditions(self) -> tuple[ConfigKey, ConfigKey]:
        """What every transform takes besides its own keys."""
        predicates = list(self._aliases(ALIASED[1]))

        def declared(name: str, value: Any) -> None:
            if value is not None and value not in predicates:
                raise ConfigError("is not listed in predicates", key=name, value=value)

        return (
            ConfigKey(
                name="predicate",
                type=Type.STRING,
                default=None,
                validator=declared,
                doc="Alias of the predicate that a record must satisfy to be transformed.",
            ),
            ConfigKey(
                name="negate",
                type=Type.BOOLEAN,
                default=False,
                doc="Transform the records that do not satisfy the predicate instead.",
            ),
        )


def plugin_def(plugins: Plugins, info: PluginInfo) -> ConfigDef:
    """The keys that the plugin itself takes. Imports it; ConnectError naming it when that fails."""
    loaded: Any = plugins.load(info)
    described: type[_Described] = loaded
    try:
        keys = ConfigDef(described.config_def())
    except Exception as e:
        raise ConnectError(f"{info.name} cannot say which keys it takes: {type(e).__name__}: {e}") from e
    if issubclass(loaded, Converter) and _CONVERTER_TYPE.name not in keys.keys:
        return ConfigDef([_CONVERTER_TYPE, *keys.keys.values()])
    return keys


class _Described(Protocol):
    """What classes of plugins that take keys have."""

    @classmethod
    def config_def(cls) -> ConfigDef: ...


_CONVERTER_TYPE = ConfigKey(
    name="converter.type",
    type=Type.STRING,
    importance=LOW,
    validator=ValidString("key", "value", "header"),
    doc="What the converter is used for; set by the framework.",
)


@dataclass(frozen=True, slots=True)
class _Names:
    """Recommends the plugins of one kind."""

    plugins: Plugins
    kind: PluginKind

    def valid_values(self, name: str, parsed: Mapping[str, Any]) -> list[Any]:
        return sorted(info.name for info in self.plugins.of_kind(self.kind))

    def visible(self, name: str, parsed: Mapping[str, Any]) -> bool:
        return True


def versioned(key: ConfigKey, owner: str, chosen: Any, info: PluginInfo | None) -> ConfigKey:
    """The version key of the plugin that `chosen` names, with the version that is installed."""
    if info is None:
        return key
    return replace(key, default=info.version, recommender=VersionOf(owner, {str(chosen).strip(): [info.version]}))
