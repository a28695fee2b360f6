"""Config providers: values that stand elsewhere, written as `${provider:path:key}` in a configuration."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kconnect.errors import ConfigError, ConnectError
from kconnect.hookspecs import hookimpl
from kconnect.plugin import Plugin, PluginKind
from kconnect.plugins import Plugins
from kconnect.properties import parse_properties
from kconnect.redaction import process_redactor

_JAVA = "org.apache.kafka.common.config.provider."


@hookimpl
def register_config_providers() -> list[Plugin]:
    return [
        Plugin("kconnect.providers:FileConfigProvider", aliases=("file",), java=f"{_JAVA}FileConfigProvider"),
        Plugin(
            "kconnect.providers:DirectoryConfigProvider", aliases=("directory",), java=f"{_JAVA}DirectoryConfigProvider"
        ),
        Plugin("kconnect.providers:EnvVarConfigProvider", aliases=("env",), java=f"{_JAVA}EnvVarConfigProvider"),
    ]


@dataclass(frozen=True, slots=True)
class ConfigData:
    """What a provider found at a path. `ttl_ms` is how long it holds; None: until the configuration changes."""

    data: Mapping[str, str] = field(repr=False)
    ttl_ms: int | None = None


class ConfigProvider(ABC):
    """Looks values up. Used by one thread."""

    def configure(self, props: Mapping[str, str]) -> None:
        """`props` are this provider's own settings, without the `config.providers.NAME.param.` prefix."""

    @abstractmethod
    def get(self, path: str, keys: Collection[str]) -> ConfigData:
        """The values of `keys` at `path`; keys that are not there are left out. ConfigError when `path` cannot be
        read. No message may hold a value."""

    def close(self) -> None:
        """Release what is held. May be called twice."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A configuration with its variables replaced, and per path the least time (ms) for which the values hold."""

    props: dict[str, str] = field(repr=False)
    ttls: dict[str, int]


_PUBLIC = re.compile(
    r"(.*[._])?"
    r"(name|class|type|converter|topics?|prefix|regex|format|mode|servers?|listeners?|host|port|dir|files?|paths?)"
)
"""Keys that hold no secrets; what is found for them is in every other line of the log."""

_VARIABLE = re.compile(r"\$\{([^}]*?):(?:([^}]*?):)?([^}]*?)\}")


class ConfigTransformer:
    """Replaces `${provider:path:key}` and `${provider:key}` in the values of a configuration.

    A variable of a provider that is not configured stays as it is, as in Kafka: it may mean something to the plugin.
    What a provider gives counts as a secret of this process, but for keys that by their names hold none.
    """

    def __init__(self, providers: Mapping[str, ConfigProvider]) -> None:
        self._providers = dict(providers)

    @classmethod
    def from_props(cls, props: Mapping[str, str | None], plugins: Plugins) -> ConfigTransformer:
        """The providers that `config.providers` of a worker's configuration names."""
        names = [name.strip() for name in (props.get("config.providers") or "").split(",") if name.strip()]
        return cls({name: _provider(name, props, plugins) for name in names})

    def transform(self, props: Mapping[str, str | None]) -> Resolved:
        """`props` with every variable replaced; values that are None stay out of it.

        ConfigError, naming the key and the variable, for one that its provider does not have.
        """
        found: dict[tuple[str, str], ConfigData] = {}
        for (provider, path), wanted in self._wanted(props).items():
            found[provider, path] = self._look_up(provider, path, wanted)
        resolved = {name: self._replace(name, text, found) for name, text in props.items() if text is not None}
        ttls = {path: data.ttl_ms for (_, path), data in found.items() if data.ttl_ms is not None and data.ttl_ms >= 0}
        return Resolved(resolved, ttls)

    def close(self) -> None:
        for provider in self._providers.values():
            provider.close()

    def _wanted(self, props: Mapping[str, str | None]) -> dict[tuple[str, str], dict[str, str]]:
        """By provider and path, what is wanted of it, and the first setting that wants that."""
        wanted: dict[tuple[str, str], dict[str, str]] = {}
        for name, text in props.items():
            for provider, path, key in _VARIABLE.findall(text) if isinstance(text, str) else ():
                if provider in self._providers:
                    wanted.setdefault((provider, path), {}).setdefault(key, name)
        return wanted

    def _look_up(self, provider: str, path: str, wanted: Mapping[str, str]) -> ConfigData:
        variable = "${" + ":".join(part for part in (provider, path, "|".join(sorted(wanted))) if part) + "}"
        name = next(iter(wanted.values()))
        try:
            return self._providers[provider].get(path, wanted.keys())
        except ConfigError as e:
            raise ConfigError(f"{variable} cannot be replaced: {e.reason}", key=name, suggestion=e.suggestion) from e
        except Exception as e:
            raise ConnectError(
                f"{name}: {variable} cannot be replaced: {provider} failed with {type(e).__name__}: {e}"
            ) from e

    def _replace(self, name: str, text: str, found: Mapping[tuple[str, str], ConfigData]) -> str:
        def value(match: re.Match[str]) -> str:
            provider, path, key = match[1], match[2] or "", match[3]
            if (provider, path) not in found:
                return match[0]
            data = found[provider, path].data
            if key not in data:
                raise ConfigError(f"{match[0]} cannot be replaced: {path or provider} has no {key}", key=name)
            if not _PUBLIC.fullmatch(name):
                process_redactor.learn([data[key]])
            return data[key]

        return _VARIABLE.sub(value, text) if isinstance(text, str) else text


def _provider(name: str, props: Mapping[str, str | None], plugins: Plugins) -> ConfigProvider:
    class_key = f"config.providers.{name}.class"
    class_name = props.get(class_key)
    if not class_name:
        raise ConfigError("is required for a provider in config.providers", key=class_key)
    try:
        info = plugins.resolve(PluginKind.CONFIG_PROVIDER, class_name)
    except ConfigError as e:
        raise ConfigError(e.reason, key=class_key, value=class_name, suggestion=e.suggestion) from e
    loaded = plugins.load(info)
    if not issubclass(loaded, ConfigProvider):
        raise ConnectError(f"{info.class_name} of {info.distribution} is not a ConfigProvider")
    prefix = f"config.providers.{name}.param."
    params = {k.removeprefix(prefix): v for k, v in props.items() if k.startswith(prefix) and v is not None}
    provider = loaded()
    try:
        provider.configure(params)
    except ConfigError as e:
        key = prefix + e.key if e.key else class_key
        raise ConfigError(e.reason, key=key, value=e.value, suggestion=e.suggestion) from e
    return provider


class AllowedPaths:
    """The folders, given by `allowed.paths`, outside of which a provider reads nothing; all if none are given.

    Links are followed before a path is judged.
    """

    def __init__(self, setting: str | None) -> None:
        folders = [Path(part.strip()) for part in (setting or "").split(",") if part.strip()]
        for folder in folders:
            if not folder.is_absolute() or not folder.exists():
                raise ConfigError(
                    f"{folder} is not an existing absolute path", key="allowed.paths", suggestion="begin it with /"
                )
        self._folders = [folder.resolve() for folder in folders]

    def check(self, path: str) -> Path:
        """`path`, with links followed. ConfigError when it is outside."""
        real = Path(path).resolve()
        if self._folders and not any(real.is_relative_to(folder) for folder in self._folders):
            raise ConfigError(f"{path} lies outside of the provider's allowed.paths")
        return real


class _PathConfigProvider(ConfigProvider):
    """Reads files, below `allowed.paths` if there are any."""

    def __init__(self) -> None:
        self._allowed = AllowedPaths(None)

    def configure(self, props: Mapping[str, str]) -> None:
        self._allowed = AllowedPaths(props.get("allowed.paths"))


class FileConfigProvider(_PathConfigProvider):
    """`${file:/path/to.properties:key}`: values of a properties file."""

    def get(self, path: str, keys: Collection[str]) -> ConfigData:
        if not path:
            return ConfigData({})
        properties = parse_properties(_read(self._allowed.check(path)))
        return ConfigData({key: properties[key] for key in keys if key in properties})


class DirectoryConfigProvider(_PathConfigProvider):
    """`${directory:/path/to/folder:file}`: each value is the whole content of a file in the folder."""

    def get(self, path: str, keys: Collection[str]) -> ConfigData:
        if not path:
            return ConfigData({})
        folder = self._allowed.check(path)
        if not folder.is_dir():
            raise ConfigError(f"{path} is not a folder that can be read")
        # A key is a name in the folder, never a way out of it.
        files = {key: folder / key for key in keys if key and Path(key).name == key}
        return ConfigData({key: _read(self._allowed.check(str(file))) for key, file in files.items() if file.is_file()})


class EnvVarConfigProvider(ConfigProvider):
    """`${env:NAME}`: environment variables of the process; `allowlist.pattern` must match the whole name."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._allowed: re.Pattern[str] | None = None

    def configure(self, props: Mapping[str, str]) -> None:
        pattern = props.get("allowlist.pattern")
        if pattern is None:
            return
        try:
            self._allowed = re.compile(pattern)
        except re.error as e:
            raise ConfigError(f"is not a regular expression: {e}", key="allowlist.pattern", value=pattern) from e

    def get(self, path: str, keys: Collection[str]) -> ConfigData:
        if path:
            raise ConfigError(f"environment variables have no path, but {path} was given", suggestion="${env:NAME}")
        return ConfigData({key: self._environment[key] for key in keys if key in self._environment and self._may(key)})

    def _may(self, key: str) -> bool:
        return self._allowed is None or self._allowed.fullmatch(key) is not None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as e:
        raise ConfigError(f"{file} cannot be read: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{file} is not UTF-8 text") from e
