"""Checks a connector's configuration as a whole: the framework's keys, the plugin's, its transforms', predicates' and
converters', and its client overrides.

Runs plugin code: the worker has it done in a process of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, get_args

from kconnect.bounds import allow_host, allow_path
from kconnect.config import ConfigDef, ConfigError, ConfigKey, ConfigValue, Type
from kconnect.connector import Connector, ConnectorTransactionBoundaries, ExactlyOnceSupport
from kconnect.errors import ConnectError, NotFoundError
from kconnect.kafka import settings
from kconnect.plugin import CONNECTORS, PluginInfo, PluginKind
from kconnect.plugins import Plugins
from kconnect.policy import Client, ClientOverridePolicy
from kconnect.providers import ConfigTransformer
from kconnect.source import SourceConnector
from kconnect_workers.config import plugin_version
from kconnect_workers.config.connector_config import (
    ConnectorConfig,
    SinkConnectorConfig,
    SourceConnectorConfig,
    converter_settings,
    sink_topic_errors,
)
from kconnect_workers.config.plugin_keys import CONVERTERS, FrameworkKeys, plugin_def, versioned
from kconnect_workers.config.restart_config import RestartConfig
from kconnect_workers.config.source_errors import SourceErrorsConfig
from kconnect_workers.config.topic_creation import topic_creation_rules
from kconnect_workers.hosts.config_infos import config_infos, key_info
from kconnect_workers.hosts.messages import ConfigInfos, ConfigKeyInfo

_FRAMEWORK: Mapping[PluginKind, type[ConnectorConfig]] = {
    PluginKind.SOURCE: SourceConnectorConfig,
    PluginKind.SINK: SinkConnectorConfig,
}
_DESCRIBED = (
    *CONNECTORS,
    PluginKind.CONVERTER,
    PluginKind.HEADER_CONVERTER,
    PluginKind.TRANSFORMATION,
    PluginKind.PREDICATE,
)


def validate_connector_config(
    props: Mapping[str, str | None], plugins: Plugins, worker_props: Mapping[str, str]
) -> ConfigInfos:
    """Everything that is wrong with `props`, in the form of REST's answer.

    Variables of config providers are replaced for the check; the answer shows them as they were given. Raises
    ConfigError when no connector, or an unknown one, is named, or a variable cannot be replaced; ConnectError when
    the plugin itself fails.
    """
    transformer = ConfigTransformer.from_props(worker_props, plugins)
    try:
        resolved = transformer.transform(props).props
    finally:
        transformer.close()
    validation = _Validation(resolved, plugins, worker_props)
    validation.run()
    variables = {name: text for name, text in props.items() if text is not None and resolved[name] != text}
    for name, text in variables.items():
        _conceal(resolved[name], text, validation.values.values())
    return config_infos(resolved["connector.class"], validation.keys, validation.values.values(), variables)


def describe_plugin(plugins: Plugins, name: str, kind: PluginKind | None = None) -> list[ConfigKeyInfo]:
    """The keys that a plugin takes; of a connector, the framework's as well.

    NotFoundError for a plugin that is not installed, ConfigError for one that takes no keys by its kind.
    """
    try:
        info = plugins.resolve(PluginKind if kind is None else kind, name)
    except ConfigError as e:
        raise NotFoundError(str(e)) from e
    if info.kind not in _DESCRIBED:
        kinds = ", ".join(kind.value for kind in PluginKind if kind in _DESCRIBED)
        raise ConfigError(f"{name} is of a kind that has no keys to describe", suggestion=f"kinds that have: {kinds}")
    keys = list(plugin_def(plugins, info).keys.values())
    if info.kind in _FRAMEWORK:
        own = {key.name for key in keys}
        framework = [key for key in _FRAMEWORK[info.kind].config_def.keys.values() if key.name not in own]
        keys += [
            replace(key, default=info.version) if key.name == "connector.plugin.version" else key for key in framework
        ]
    return [key_info(key) for key in keys]


class _Validation:
    """One check. `keys` and `values` grow as its parts run; the framework's come first."""

    def __init__(self, props: dict[str, str], plugins: Plugins, worker_props: Mapping[str, str]) -> None:
        self.props = props
        self.plugins = plugins
        self.worker_props = worker_props
        self.keys: dict[str, ConfigKey] = {}
        self.values: dict[str, ConfigValue] = {}

    def run(self) -> None:
        info = self._connector_info()
        mismatch = self._version_mismatch("connector.plugin.version", info)
        if mismatch is not None:
            keys = ConfigDef(
                versioned(key, "connector.class", self.props["connector.class"], info)
                if key.name == "connector.plugin.version"
                else key
                for key in ConnectorConfig.config_def.keys.values()
            )
            self._take(keys, keys.validate(self.props))
            self._refuse("connector.class", mismatch)
            self._refuse("connector.plugin.version", mismatch)
            return
        framework = FrameworkKeys(_FRAMEWORK[info.kind], self.plugins, info, self.props, self.worker_props)
        self._take(framework.keys, framework.validate())
        connector = self._connector(info)
        if isinstance(connector, SourceConnector):
            self._check_source(connector)
        else:
            for name, error in sink_topic_errors(self.props).items():
                self._refuse(name, error)
        self._ask(info, connector)
        for keys in (RestartConfig, *((SourceErrorsConfig,) if isinstance(connector, SourceConnector) else ())):
            own = ConfigDef(key for name, key in keys.config_def.keys.items() if name in self.props)
            self._take(own, own.validate(self.props))
        self._check_overrides()
        for owner in CONVERTERS:
            self._check_converter(owner)

    def _take(self, keys: ConfigDef, values: Iterable[ConfigValue]) -> None:
        """Add keys and values; of a key that is there already, the errors."""
        for name, key in keys.keys.items():
            self.keys.setdefault(name, key)
        for value in values:
            there = self.values.setdefault(value.name, value)
            if there is not value:
                there.errors += [error for error in value.errors if error not in there.errors]

    def _refuse(self, name: str, error: str | ConfigError) -> None:
        """Of a reason in words that does not name the key, the key is put first: errors are also told without it."""
        told = str(error) if isinstance(error, ConfigError) or name in error else f"{name}: {error}"
        self.values.setdefault(name, ConfigValue(name, self.props.get(name))).add_error(told)

    def _connector_info(self) -> PluginInfo:
        name = self.props.get("connector.class", "").strip()
        if not name:
            raise ConfigError("is required: it says which plugin to run", key="connector.class")
        try:
            return self.plugins.resolve(CONNECTORS, name)
        except ConfigError as e:
            raise ConfigError(e.reason, key="connector.class", value=name, suggestion=e.suggestion) from e

    def _version_mismatch(self, key: str, info: PluginInfo) -> str | None:
        wanted = self.props.get(key)
        try:
            if wanted is None or plugin_version.matches(wanted, info.version):
                return None
        except ConfigError as e:
            return str(e)
        return f"{info.name} is installed in version {info.version}, not in {wanted}"

    def _connector(self, info: PluginInfo) -> Connector[Any]:
        loaded = self.plugins.load(info)
        if not issubclass(loaded, Connector):
            raise ConnectError(f"{info.class_name} of {info.distribution} is not a connector")
        try:
            connector: Connector[Any] = loaded()
        except Exception as e:
            raise ConnectError(f"{info.name} cannot be made: {type(e).__name__}: {e}") from e
        return connector

    def _ask(self, info: PluginInfo, connector: Connector[Any]) -> None:
        """The plugin's own keys, checked by the plugin."""
        try:
            self._take(type(connector).config_def(), connector.validate(dict(self.props)))
        except ConnectError:
            raise
        except Exception as e:
            raise ConnectError(f"{info.name} failed to validate its configuration: {type(e).__name__}: {e}") from e

    def _check_source(self, connector: SourceConnector[Any]) -> None:
        try:
            topic_creation_rules(self.props)
        except ConfigError as e:
            self._refuse("topic.creation.groups", e)  # keys of groups are not listed, as in Kafka
        enabled = self.worker_props.get("exactly.once.source.support", "disabled").strip().lower() == "enabled"
        if self.props.get("exactly.once.support", "").strip().lower() == "required":
            support = connector.exactly_once_support(self.props) if enabled else None
            if not enabled:
                self._refuse("exactly.once.support", "this worker has exactly.once.source.support switched off")
            elif support is None:
                self._refuse("exactly.once.support", "the connector does not say that it writes records exactly once")
            elif support is ExactlyOnceSupport.UNSUPPORTED:
                self._refuse("exactly.once.support", "the connector does not write records exactly once so configured")
        if enabled and self.props.get("transaction.boundary", "").strip().lower() == "connector":
            boundaries = connector.can_define_transaction_boundaries(self.props)
            if boundaries is not ConnectorTransactionBoundaries.SUPPORTED:
                self._refuse("transaction.boundary", "the connector does not define transactions: use poll or interval")

    def _check_converter(self, owner: str) -> None:
        """The settings of a converter that the connector names itself; the worker's are not the connector's."""
        role, kind = CONVERTERS[owner]
        chosen = converter_settings(role, self.props, self.worker_props)
        if not chosen.is_own:
            return
        try:
            info = self.plugins.resolve(kind, chosen.class_name.strip())
        except ConfigError:
            return  # the key's own check tells
        mismatch = self._version_mismatch(f"{owner}.plugin.version", info)
        if mismatch is not None:
            self._refuse(f"{owner}.plugin.version", mismatch)
        try:
            own = plugin_def(self.plugins, info)
        except ConnectError as e:
            self._refuse(owner, str(e))
            return
        prefixed = ConfigDef(_prefixed(f"{owner}.", own.keys.values()))
        self._take(prefixed, prefixed.validate({f"{owner}.converter.type": role, **self.props}))

    def _check_overrides(self) -> None:
        policy = self._policy()
        for client in get_args(Client):
            prefix = f"{client}.override."
            given = {k.removeprefix(prefix): v for k, v in self.props.items() if k.startswith(prefix)}
            if not given:
                continue
            keys = ConfigDef(_override_key(prefix, name) for name in sorted(given))
            self._take(keys, keys.validate(self.props))
            for name, reason in policy.refused(client, given).items():
                self._refuse(prefix + name, reason)
            for name, reason in _out_of_bounds(prefix, given):
                self._refuse(prefix + name, reason)
            for error in settings.check(given, client):
                name = prefix + (error.key or min(given))
                self._refuse(name, ConfigError(error.reason, key=name, suggestion=error.suggestion))

    def _policy(self) -> ClientOverridePolicy:
        name = self.worker_props.get("connector.client.config.override.policy") or "All"
        info = self.plugins.resolve(PluginKind.CLIENT_OVERRIDE_POLICY, name)
        loaded = self.plugins.load(info)
        if not issubclass(loaded, ClientOverridePolicy):
            raise ConnectError(f"{info.class_name} of {info.distribution} is not a ClientOverridePolicy")
        policy: ClientOverridePolicy = loaded()
        policy.configure(self.worker_props)
        return policy


def _prefixed(prefix: str, keys: Iterable[ConfigKey]) -> Iterable[ConfigKey]:
    """`keys` as they are written in a connector's configuration; groups and display names stay the plugin's."""
    for key in keys:
        yield replace(key, name=prefix + key.name, dependents=tuple(prefix + name for name in key.dependents))


def _out_of_bounds(prefix: str, given: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """The client settings that reach what the worker does not let connectors reach, and why."""
    for name, value in given.items():
        try:
            if name.endswith(".location"):
                allow_path(prefix + name, value)
            elif name == "bootstrap.servers":
                for server in value.split(","):
                    host, _, port = server.strip().rpartition(":")
                    allow_host(prefix + name, host, int(port) if port.isdecimal() else None)
        except ConfigError as e:
            yield name, str(e)


_SECRET = ("password", "jaas", "secret", ".key")


def _override_key(prefix: str, name: str) -> ConfigKey:
    return ConfigKey(
        name=prefix + name,
        type=Type.PASSWORD if any(word in name for word in _SECRET) else Type.STRING,
        default=None,
        display_name=name,
        doc="A setting of the connector's own Kafka client.",
    )


def _conceal(found: str, variable: str, values: Iterable[ConfigValue]) -> None:
    """Put `variable` back in messages that quote what a provider found for it."""
    if len(found) < 3:
        return  # no secret, and too likely to be a part of words
    for value in values:
        value.errors = [error.replace(found, variable) for error in value.errors]
