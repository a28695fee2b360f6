"""Finds and makes the classes that a configuration names, in the process that runs them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from kconnect.converter import Converter, HeaderConverter
from kconnect.errors import ConfigError
from kconnect.plugin import CONNECTORS, PluginInfo, PluginKind, load_class
from kconnect.plugins import Plugins
from kconnect.providers import ConfigTransformer
from kconnect.sink import SinkConnector
from kconnect.source import SourceConnector
from kconnect_workers.config.connector_config import converter_settings
from kconnect_workers.tasks.plugin_call import plugin_call


class PluginLoader:
    """The plugins of this process's environment, for one connector or task (`owner`, named in errors)."""

    def __init__(self, owner: object, worker_props: Mapping[str, str], plugins: Iterable[PluginInfo]) -> None:
        self._owner = owner
        self._worker_props = worker_props
        self.plugins = Plugins(plugins)

    def resolved(self, props: Mapping[str, str]) -> dict[str, str]:
        """`props` with the variables of config providers replaced."""
        if not any("${" in value for value in props.values()):
            return dict(props)
        transformer = ConfigTransformer.from_props(self._worker_props, self.plugins)
        try:
            return dict(transformer.transform(props).props)
        finally:
            transformer.close()

    def connector_class(self, name: str) -> type[SourceConnector[Any]] | type[SinkConnector[Any]]:
        """ConfigError when there is none of that name, ConnectError when it cannot be imported."""
        found = self._class(CONNECTORS, name)
        if not issubclass(found, (SourceConnector, SinkConnector)):
            raise ConfigError("is neither a source nor a sink connector", key="connector.class", value=name)
        return found

    def converter(self, role: Literal["key", "value"], props: Mapping[str, str]) -> Converter:
        """The connector's own, or the worker's."""
        settings = converter_settings(role, props, self._worker_props)
        converter: Converter = self._make(PluginKind.CONVERTER, settings.class_name, Converter)
        with plugin_call(type(converter), "configure", self._owner):
            converter.configure(settings.props, is_key=role == "key")
        return converter

    def header_converter(self, props: Mapping[str, str]) -> HeaderConverter:
        settings = converter_settings("header", props, self._worker_props)
        converter: HeaderConverter = self._make(PluginKind.HEADER_CONVERTER, settings.class_name, HeaderConverter)
        with plugin_call(type(converter), "configure", self._owner):
            converter.configure(settings.props)
        return converter

    def _make(self, kind: PluginKind, name: str, contract: type) -> Any:
        found = self._class([kind], name)
        if not issubclass(found, contract):
            raise ConfigError(f"{name} is no {contract.__name__}")
        with plugin_call(found, "__init__", self._owner):
            return found()

    def _class(self, kinds: Iterable[PluginKind], name: str) -> type:
        try:
            info = self.plugins.resolve(kinds, name)
        except ConfigError:
            found = _from_python_path(name)
            if found is None:
                raise
            return found
        return self.plugins.load(info)


def _from_python_path(name: str) -> type | None:
    """A class that no distribution declares; None when there is no such module. ConnectError when its module fails."""
    module, _, qualname = name.replace(":", ".").rpartition(".")
    if not module or _spec(module) is None:
        return None
    return load_class(f"{module}:{qualname}", "the Python path")


def _spec(module: str) -> object:
    try:
        return importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
