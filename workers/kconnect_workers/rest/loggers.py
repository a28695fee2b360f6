"""/admin/loggers: log levels, of the worker and of every process that it runs."""

from __future__ import annotations

import logging
import time
from typing import Any

import msgspec
from fastapi import Request, Response

from kconnect.errors import ConfigError, NotFoundError
from kconnect_workers.herder.runner import ConnectorRunner
from kconnect_workers.rest import bodies
from kconnect_workers.rest.answers import Json, Nothing
from kconnect_workers.rest.route import PathName, api_router

router = api_router("/admin/loggers")

_LEVELS = {
    "TRACE": 5,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
    "OFF": logging.CRITICAL + 10,
}
_PYTHON_NAMES = {"TRACE": "DEBUG", "OFF": "CRITICAL"}
_NAMES = {number: name for name, number in _LEVELS.items()}
_SCOPES = ("worker", "cluster")


class _Level(msgspec.Struct):
    level: str
    last_modified: int | None


@router.get("")
async def list_loggers(request: Request) -> Json:
    names = [name for name, logger in logging.root.manager.loggerDict.items() if isinstance(logger, logging.Logger)]
    return Json({name: _level(request, name) for name in sorted([*names, "root"])})


@router.get("/{logger}")
async def show(logger: PathName, request: Request) -> Json:
    if logger != "root" and not isinstance(logging.root.manager.loggerDict.get(logger), logging.Logger):
        raise NotFoundError(f"Logger {logger} not found.")
    return Json(_level(request, logger))


@router.put("/{logger}")
async def change(logger: PathName, request: Request) -> Response:
    scope = request.query_params.get("scope", "worker")
    if scope not in _SCOPES:
        raise ConfigError("is no scope", key="scope", value=scope, suggestion=" or ".join(_SCOPES))
    changed = _change(request, logger, _wanted(await _body(request)))
    return Nothing(204) if scope == "cluster" else Json(changed)


async def _body(request: Request) -> Any:
    return bodies.parse(await bodies.read_body(request))


def _wanted(body: Any) -> str:
    """The level's name, in Kafka's words."""
    level = body.get("level") if isinstance(body, dict) else None
    if level is None:
        raise ConfigError("the request's body must be an object with a 'level'", suggestion=", ".join(_LEVELS))
    if str(level).upper() not in _LEVELS:
        raise NotFoundError(f"invalid log level {level!r}: choose one of {', '.join(_LEVELS)}")
    return str(level).upper()


def _change(request: Request, name: str, level: str) -> list[str]:
    """Set the level of a logger and of those below it; the names of those that had another one."""
    logging.getLogger(None if name == "root" else name)
    below = [
        known
        for known, logger in logging.root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger) and (known == name or known.startswith(f"{name}.") or name == "root")
    ]
    changed = []
    for known in sorted({*below, name}):
        logger = logging.getLogger(None if known == "root" else known)
        if logger.level != _LEVELS[level]:
            changed.append(known)
            request.app.state.log_levels[known] = int(time.time() * 1000)
        logger.setLevel(_LEVELS[level])
    environment: ConnectorRunner = request.app.state.environment
    environment.set_log_level(name, _PYTHON_NAMES.get(level, level))
    return changed


def _level(request: Request, name: str) -> _Level:
    number = logging.getLogger(None if name == "root" else name).getEffectiveLevel()
    modified: int | None = request.app.state.log_levels.get(name)
    return _Level(_NAMES.get(number, str(number)), modified)
