"""The registry's paths, as Confluent's clients call them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import unquote

import msgspec
from fastapi import APIRouter, FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from kconnect.errors import ConnectError
from kconnect_workers.rest.access import Access
from kconnect_workers.rest.paths import RawPaths
from kconnect_workers.schema_registry.formats import FORMATS
from kconnect_workers.schema_registry.records import Reference, SchemaValue
from kconnect_workers.schema_registry.registry import NewSchema, RegistryError, SchemaRegistry

_logger = logging.getLogger(__name__)
_CONTENT: Final = "application/vnd.schemaregistry.v1+json"
_MAX_BODY: Final = 16 << 20

BodyT = TypeVar("BodyT")

router = APIRouter()


def create_app(registry: SchemaRegistry, *, hosts: tuple[str, ...] = ()) -> ASGIApp:
    """`hosts` are names that the registry may be called by besides its addresses and its machine's name."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.registry = registry
    app.include_router(router)
    app.add_exception_handler(RegistryError, _on_refusal)
    app.add_exception_handler(ConnectError, _on_failure)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_error)
    return Access(RawPaths(app), hosts=hosts)


def _answer(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type=_CONTENT)


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, RegistryError)
    return _answer({"error_code": error.code, "message": str(error)}, error.status)


async def _on_failure(request: Request, error: Exception) -> Response:
    return _answer({"error_code": 50001, "message": str(error)}, 500)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer({"error_code": error.status_code, "message": f"HTTP {error.status_code}"}, error.status_code)


async def _on_error(request: Request, error: Exception) -> Response:
    _logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _answer({"error_code": 50001, "message": f"an error of the registry's own: {type(error).__name__}"}, 500)


class _SchemaBody(msgspec.Struct):
    schema: str
    schemaType: str | None = None  # noqa: N815 - the protocol's name
    references: tuple[Reference, ...] | None = None


class _LevelBody(msgspec.Struct):
    compatibility: str


class _ModeBody(msgspec.Struct):
    mode: str


async def _body(request: Request, kind: type[BodyT]) -> BodyT:
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > _MAX_BODY:
            raise RegistryError(413, f"a body of more than {_MAX_BODY} bytes")
    try:
        return msgspec.json.decode(content, type=kind)
    except (ValueError, RecursionError) as error:
        raise RegistryError(422, f"the body is not what it should be: {error}") from None


async def _schema(request: Request) -> NewSchema:
    body = await _body(request, _SchemaBody)
    return NewSchema(body.schema, body.schemaType or "AVRO", body.references or ())


def _registry(request: Request) -> SchemaRegistry:
    registry: SchemaRegistry = request.app.state.registry
    return registry


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() == "true"


def _name(segment: str) -> str:
    """A subject, of a path that is still encoded."""
    return unquote(segment)


async def _described(request: Request, value: SchemaValue) -> dict[str, Any]:
    """A schema by itself; Avro and no references are not named."""
    text = value.schema
    if request.query_params.get("format") == "serialized":
        text = await _registry(request).serialized(value)
    described: dict[str, Any] = {"schema": text}
    if value.schemaType != "AVRO":
        described["schemaType"] = value.schemaType
    if value.references:
        described["references"] = value.references
    return described


async def _version(request: Request, value: SchemaValue) -> dict[str, Any]:
    place = {"subject": value.subject, "version": value.version, "id": value.id}
    return place | await _described(request, value)


@router.get("/")
async def root() -> Response:
    return _answer({})


@router.get("/schemas/types")
async def types() -> Response:
    return _answer(list(FORMATS))


@router.get("/schemas/ids/{schema_id}")
async def schema_by_id(request: Request, schema_id: str) -> Response:
    return _answer(await _described(request, _by_id(request, schema_id)))


@router.get("/schemas/ids/{schema_id}/schema")
async def text_by_id(request: Request, schema_id: str) -> Response:
    return Response(_by_id(request, schema_id).schema, media_type=_CONTENT)


@router.get("/schemas/ids/{schema_id}/subjects")
async def subjects_by_id(request: Request, schema_id: str) -> Response:
    value = _by_id(request, schema_id)
    found = _registry(request).subjects.with_id(value.id, deleted=_flag(request, "deleted"))
    return _answer(sorted({each.subject for each in found}))


@router.get("/schemas/ids/{schema_id}/versions")
async def versions_by_id(request: Request, schema_id: str) -> Response:
    value = _by_id(request, schema_id)
    found = _registry(request).subjects.with_id(value.id, deleted=_flag(request, "deleted"))
    return _answer([{"subject": each.subject, "version": each.version} for each in found])


def _by_id(request: Request, schema_id: str) -> SchemaValue:
    if not schema_id.isdecimal():
        raise RegistryError(404, "HTTP 404 Not Found")
    return _registry(request).schema(int(schema_id))


@router.get("/subjects")
async def subjects(request: Request) -> Response:
    prefix = request.query_params.get("subjectPrefix", "")
    names = _registry(request).subjects.names(deleted=_flag(request, "deleted"))
    return _answer([name for name in names if name.startswith(prefix)])


@router.post("/subjects/{subject}")
async def lookup(request: Request, subject: str) -> Response:
    new = await _schema(request)
    found = await _registry(request).lookup(_name(subject), new, deleted=_flag(request, "deleted"))
    return _answer(await _version(request, found))


@router.delete("/subjects/{subject}")
async def delete_subject(request: Request, subject: str) -> Response:
    return _answer(await _registry(request).delete_subject(_name(subject), permanent=_flag(request, "permanent")))


@router.get("/subjects/{subject}/versions")
async def versions(request: Request, subject: str) -> Response:
    found = _registry(request).versions(_name(subject), deleted=_flag(request, "deleted"))
    return _answer([each.version for each in found])


@router.post("/subjects/{subject}/versions")
async def register(request: Request, subject: str) -> Response:
    return _answer({"id": await _registry(request).register(_name(subject), await _schema(request))})


@router.get("/subjects/{subject}/versions/{version}")
async def version(request: Request, subject: str, version: str) -> Response:
    found = _registry(request).version(_name(subject), version, deleted=_flag(request, "deleted"))
    return _answer(await _version(request, found))


@router.get("/subjects/{subject}/versions/{version}/schema")
async def text(request: Request, subject: str, version: str) -> Response:
    found = _registry(request).version(_name(subject), version, deleted=_flag(request, "deleted"))
    return Response(found.schema, media_type=_CONTENT)


@router.get("/subjects/{subject}/versions/{version}/referencedby")
async def referenced_by(request: Request, subject: str, version: str) -> Response:
    found = _registry(request).version(_name(subject), version)
    return _answer(_registry(request).subjects.referring_to(found.subject, found.version))


@router.delete("/subjects/{subject}/versions/{version}")
async def delete_version(request: Request, subject: str, version: str) -> Response:
    permanent = _flag(request, "permanent")
    return _answer(await _registry(request).delete_version(_name(subject), version, permanent=permanent))


@router.post("/compatibility/subjects/{subject}/versions")
async def compare_with_all(request: Request, subject: str) -> Response:
    return await _compared(request, subject, None)


@router.post("/compatibility/subjects/{subject}/versions/{version}")
async def compare(request: Request, subject: str, version: str) -> Response:
    return await _compared(request, subject, version)


async def _compared(request: Request, subject: str, version: str | None) -> Response:
    faults = await _registry(request).compare(_name(subject), await _schema(request), version)
    answer: dict[str, Any] = {"is_compatible": not faults}
    if _flag(request, "verbose"):
        answer["messages"] = faults
    return _answer(answer)


def _settings(path: str, get: _Get, put: _Put, key: str, put_key: str, kind: type[_LevelBody | _ModeBody]) -> None:
    """The paths of a setting that is had for all, and for a subject."""

    async def show(request: Request, subject: str | None = None) -> Response:
        name = None if subject is None else _name(subject)
        return _answer({key: get(_registry(request), name, _flag(request, "defaultToGlobal"))})

    async def change(request: Request, subject: str | None = None) -> Response:
        value: str = getattr(await _body(request, kind), put_key)
        await put(_registry(request), None if subject is None else _name(subject), value)
        return _answer({put_key: value})

    async def reset(request: Request, subject: str | None = None) -> Response:
        name = None if subject is None else _name(subject)
        before = get(_registry(request), name, False)
        await put(_registry(request), name, None)
        return _answer({key: before})

    for method, endpoint in (("GET", show), ("PUT", change), ("DELETE", reset)):
        router.add_api_route(path, endpoint, methods=[method])
        router.add_api_route(f"{path}/{{subject}}", endpoint, methods=[method])


_Get: TypeAlias = Callable[[SchemaRegistry, str | None, bool], str]
_Put: TypeAlias = Callable[[SchemaRegistry, str | None, str | None], Awaitable[None]]

_settings(
    "/config",
    lambda registry, subject, or_global: registry.level_of(subject, or_global=or_global),
    SchemaRegistry.set_level,
    "compatibilityLevel",
    "compatibility",
    _LevelBody,
)
_settings(
    "/mode",
    lambda registry, subject, or_global: registry.mode_of(subject, or_global=or_global),
    SchemaRegistry.set_mode,
    "mode",
    "mode",
    _ModeBody,
)
