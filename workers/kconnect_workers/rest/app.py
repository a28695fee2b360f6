"""The API as one ASGI application."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp

from kconnect_workers.config.header_rules import HeaderRule
from kconnect_workers.herder.herder import Herder
from kconnect_workers.herder.offset_admin import OffsetAdmin
from kconnect_workers.herder.peers import Peers
from kconnect_workers.herder.runner import ConnectorRunner
from kconnect_workers.herder.secrets import Secrets
from kconnect_workers.rest import connectors, internal, loggers, plugins, topics, worker
from kconnect_workers.rest import offsets as offsets_api
from kconnect_workers.rest.access import Access, AdminToken
from kconnect_workers.rest.answers import error_answer, http_message
from kconnect_workers.rest.paths import RawPaths
from kconnect_workers.rest.response_headers import ResponseHeaders
from kconnect_workers.rest.topics import TopicTracking

_logger = logging.getLogger(__name__)

_ROUTERS = (
    worker.router,
    connectors.router,
    topics.router,
    offsets_api.router,
    internal.router,
    plugins.router,
    loggers.router,
)

REQUEST_SECONDS = 90.0
"""Kafka Connect's own limit."""


def create_app(
    herder: Herder,
    environment: ConnectorRunner,
    *,
    offsets: OffsetAdmin,
    admin_token: AdminToken,
    cluster_id: str | None = None,
    hosts: Iterable[str] = (),
    allowed_origin: str = "",
    allowed_methods: str = "",
    show_passwords: bool = False,
    topic_tracking: TopicTracking = TopicTracking.RESETTABLE,
    response_headers: Sequence[HeaderRule] = (),
    peers: Peers | None = None,
    request_timeout_s: float = REQUEST_SECONDS,
) -> ASGIApp:
    """`hosts` are names that the worker may be called by besides its addresses and its machine's name; `peers` are
    given where the herder's pool may have others to forward requests to."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.herder = herder
    app.state.environment = environment
    app.state.peers = peers
    app.state.request_timeout_s = request_timeout_s
    app.state.offsets = offsets
    app.state.cluster_id = cluster_id
    app.state.admin_token = admin_token
    app.state.topic_tracking = topic_tracking
    app.state.secrets = None if show_passwords else Secrets(environment.plugin_config)
    for router in _ROUTERS:
        app.include_router(router)
    app.add_exception_handler(StarletteHTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_bad_path)
    app.add_exception_handler(Exception, _on_error)
    access = Access(RawPaths(app), hosts=hosts, allowed_origin=allowed_origin, allowed_methods=allowed_methods)
    return ResponseHeaders(access, response_headers)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    if error.status_code == 405:
        allow = {"Allow": ",".join(_allowed(request))}
        if request.method == "OPTIONS":
            return Response(headers=allow, media_type="application/json")
        return error_answer(405, http_message(405), allow)
    said = isinstance(error, HTTPException) and error.status_code == 403
    return error_answer(error.status_code, error.detail if said else http_message(error.status_code))


async def _on_bad_path(request: Request, error: Exception) -> Response:
    return error_answer(404, http_message(404))


async def _on_error(request: Request, error: Exception) -> Response:
    _logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return error_answer(500, f"an error of the worker's own: {type(error).__name__}: {error}")


def _allowed(request: Request) -> list[str]:
    methods: set[str] = {"OPTIONS"}
    for router in _ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.matches(request.scope)[0] is not Match.NONE:
                methods |= route.methods or set()
    if "GET" in methods:
        methods.add("HEAD")
    return sorted(methods)
