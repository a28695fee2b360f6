"""/admin/loggers: log levels, of this worker or of all workers of its pool."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response

from kconnect.errors import ConfigError
from kconnect_workers.herder.log_levels import LEVELS, checked
from kconnect_workers.rest import bodies
from kconnect_workers.rest.answers import Json, Nothing
from kconnect_workers.rest.route import PathName, WorkerHerder, api_router

router = api_router("/admin/loggers")

_SCOPES = ("worker", "cluster")


@router.get("")
async def list_loggers(herder: WorkerHerder) -> Json:
    return Json(herder.log_levels.all())


@router.get("/{logger}")
async def show(logger: PathName, herder: WorkerHerder) -> Json:
    return Json(herder.log_levels.of(logger))


@router.put("/{logger}")
async def change(logger: PathName, request: Request, herder: WorkerHerder) -> Response:
    scope = request.query_params.get("scope", "worker")
    if scope not in _SCOPES:
        raise ConfigError("is no scope", key="scope", value=scope, suggestion=" or ".join(_SCOPES))
    level = _wanted(bodies.parse(await bodies.read_body(request)))
    if scope == "worker":
        return Json(herder.log_levels.set(logger, level))
    await herder.set_pool_log_level(logger, level)
    return Nothing(204)


def _wanted(body: Any) -> str:
    level = body.get("level") if isinstance(body, dict) else None
    if level is None:
        raise ConfigError("the request's body must be an object with a 'level'", suggestion=", ".join(LEVELS))
    return checked(level)
