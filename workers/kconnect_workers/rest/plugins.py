"""/connector-plugins: what can be run here, which settings it takes, and checking settings."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import Request

from kconnect.errors import ConfigError, NotFoundError
from kconnect.plugin import CONNECTORS, PluginKind
from kconnect.plugins import Plugins
from kconnect.redaction import hide_in_url
from kconnect_workers.config.plugin_version import matches
from kconnect_workers.herder.runner import ConnectorRunner
from kconnect_workers.hosts.messages import ConfigInfos, ConfigKeyInfo, ConfigValueInfo
from kconnect_workers.rest import bodies
from kconnect_workers.rest.answers import Json
from kconnect_workers.rest.route import PathName, WorkerHerder, api_router, is_true

router = api_router("/connector-plugins")

_LISTED = (
    PluginKind.SINK,
    PluginKind.SOURCE,
    PluginKind.TRANSFORMATION,
    PluginKind.CONVERTER,
    PluginKind.HEADER_CONVERTER,
    PluginKind.PREDICATE,
)


class _Plugin(msgspec.Struct, rename={"class_name": "class"}, omit_defaults=True):
    class_name: str
    type: str
    version: str
    fault: str | None = None
    """Why it could not be imported when it was last asked for."""


def _environment(request: Request) -> ConnectorRunner:
    environment: ConnectorRunner = request.app.state.environment
    return environment


@router.get("")
async def list_plugins(request: Request) -> Json:
    plugins = await _environment(request).plugins()
    broken = _environment(request).broken_plugins()
    connectors_only = is_true(request.query_params.get("connectorsOnly", "true"))
    kinds = [kind for kind in _LISTED if kind in CONNECTORS or not connectors_only]
    listed = [info for kind in kinds for info in sorted(plugins.of_kind(kind), key=lambda info: info.name)]
    return Json([_Plugin(info.name, info.kind.value, info.version, broken.get(info.class_name)) for info in listed])


@router.get("/{plugin}/config")
async def plugin_config(plugin: PathName, request: Request) -> Json:
    environment = _environment(request)
    _check_version(await environment.plugins(), plugin, request.query_params.get("version"))
    return Json([_definition(key) for key in await environment.plugin_config(plugin)])


@router.put("/{plugin}/config/validate")
async def validate(plugin: PathName, request: Request, herder: WorkerHerder) -> Json:
    props = bodies.settings(await bodies.read_body(request))
    named = props.get("connector.class", plugin)
    plugins = await _environment(request).plugins()
    asked = plugins.resolve(CONNECTORS, plugin)
    if plugins.resolve(CONNECTORS, named) != asked:
        raise ConfigError(f"Included connector type {named} does not match request type {plugin}")
    infos = await herder.validate(props)
    return Json(_infos(infos, shown=request.app.state.secrets is None))


def _check_version(plugins: Plugins, name: str, version: str | None) -> None:
    """NotFoundError for a plugin that is not here; ConfigError for a version that is not."""
    found = [info for info in plugins.infos if name in (info.class_name, *info.java_names, *info.aliases)]
    if not found:
        raise NotFoundError(f"Unknown plugin {name}.")
    if version is not None and not any(matches(version, info.version) for info in found):
        there = ", ".join(sorted({info.version for info in found}))
        raise ConfigError(f"there is no version {version} of {name} here", suggestion=f"installed: {there}")


def _infos(infos: ConfigInfos, *, shown: bool) -> dict[str, Any]:
    return {
        "name": infos.name,
        "error_count": infos.error_count,
        "groups": infos.groups,
        "configs": [
            {"definition": None if key is None else _definition(key), "value": _value(value, shown)}
            for key, value in infos.configs
        ],
    }


def _definition(key: ConfigKeyInfo) -> dict[str, Any]:
    return msgspec.structs.asdict(key)


def _value(value: ConfigValueInfo, shown: bool) -> dict[str, Any]:
    """The passwords of URLs hidden unless they are to be `shown`, as in what is shown of a connector's config."""
    described = msgspec.structs.asdict(value)
    if value.value is not None and not shown:
        described["value"] = hide_in_url(value.value)
    return described
