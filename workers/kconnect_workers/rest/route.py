"""How every path of the API is served: media types checked, names decoded, errors in Kafka's body."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.routing import APIRoute
from pydantic import AfterValidator
from starlette.responses import Response

from kconnect.errors import ConnectError
from kconnect_workers.herder import stages
from kconnect_workers.herder.herder import Herder
from kconnect_workers.herder.pool import ElsewhereError
from kconnect_workers.rest.answers import answer_to, error_answer, http_message
from kconnect_workers.rest.forwarding import forward

_JSON = "application/json"


class JsonRoute(APIRoute):
    """A path that takes and gives JSON only."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]  # Coroutine is one
        handle: Callable[[Request], Awaitable[Response]] = super().get_route_handler()

        async def checked(request: Request) -> Response:
            if _has_body(request) and _media_type(request.headers.get("content-type", "")) != _JSON:
                return error_answer(415, http_message(415))
            if not _accepts_json(request.headers.get("accept", "*/*")):
                return error_answer(406, http_message(406))
            stage = stages.begin_request()
            try:
                async with asyncio.timeout(request.app.state.request_timeout_s):
                    return await _handled(handle, request)
            except ConnectError as e:
                return answer_to(e)
            except TimeoutError:
                limit_s: float = request.app.state.request_timeout_s
                told = f"Request timed out. After {limit_s:g} s it was {stage}; what was asked may still be done: look"
                return error_answer(500, f"{told} before you ask again")

        return checked


async def _handled(handle: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
    try:
        return await handle(request)
    except ElsewhereError as e:
        return await forward(request, e)


def api_router(prefix: str = "") -> APIRouter:
    return APIRouter(prefix=prefix, route_class=JsonRoute)


def _task_number(request: Request) -> int:
    try:
        return int(request.path_params["task"])
    except ValueError:
        raise HTTPException(404) from None


def _herder(request: Request) -> Herder:
    herder: Herder = request.app.state.herder
    return herder


WorkerHerder = Annotated[Herder, Depends(_herder)]


async def _leading(herder: WorkerHerder) -> Herder:
    await herder.expect_leader()
    return herder


PathName = Annotated[str, AfterValidator(unquote)]
"""A segment of the raw path: a name that has a slash in it comes as %2F."""

TaskNumber = Annotated[int, Depends(_task_number)]
LeadingHerder = Annotated[Herder, Depends(_leading)]
"""The herder of the worker that leads the pool: on another, the request is forwarded."""


def is_true(value: str | None) -> bool:
    """A query's boolean: Kafka takes all but `true` for false."""
    return value is not None and value.lower() == "true"


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def _media_type(header: str) -> str:
    return header.partition(";")[0].strip().lower()


def _accepts_json(header: str) -> bool:
    for part in header.split(","):
        parameters: dict[str, Any] = dict(p.strip().split("=", 1) for p in part.split(";")[1:] if "=" in p)
        if _media_type(part) in (_JSON, "application/*", "*/*", "*", "") and parameters.get("q") not in ("0", "0.0"):
            return True
    return False
