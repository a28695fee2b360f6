"""/connectors: made, shown, changed, started, stopped and removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from fastapi import Request, Response

from kconnect.errors import NotFoundError
from kconnect_workers.herder.entities import ConnectorInfo
from kconnect_workers.herder.herder import Herder
from kconnect_workers.herder.secrets import Secrets, restore
from kconnect_workers.rest import bodies
from kconnect_workers.rest.answers import Json, Nothing
from kconnect_workers.rest.route import LeadingHerder, PathName, TaskNumber, WorkerHerder, api_router, is_true
from kconnect_workers.states import TargetState, TaskId

router = api_router("/connectors")


@router.get("")
async def list_connectors(request: Request, herder: WorkerHerder) -> Json:
    if "expand" not in request.query_params:
        return Json(herder.connectors())
    expanded = {}
    for name in herder.connectors():
        shown = await _expand(request, herder, name)
        if shown:
            expanded[name] = shown
    return Json(expanded)


@router.post("")
async def create(request: Request, herder: LeadingHerder) -> Json:
    wanted = bodies.create_connector(await bodies.read_body(request))
    info = await herder.create(wanted.name, restore(wanted.config, {}), wanted.initial_state)
    return await _created(request, info)


@router.get("/{name}")
async def show(name: PathName, request: Request, herder: WorkerHerder) -> Json:
    return Json(await _shown(request, herder.connector(name)))


@router.delete("/{name}")
async def delete(name: PathName, herder: LeadingHerder) -> Nothing:
    await herder.delete(name)
    return Nothing(204)


@router.get("/{name}/config")
async def config(name: PathName, request: Request, herder: WorkerHerder) -> Json:
    return Json(await _hidden(request, herder.config(name)))


@router.put("/{name}/config")
async def put_config(name: PathName, request: Request, herder: LeadingHerder) -> Json:
    props = bodies.settings(await bodies.read_body(request))
    created, info = await herder.put_config(name, _restored(herder, props, name))
    return await _created(request, info) if created else Json(await _shown(request, info))


@router.patch("/{name}/config")
async def patch_config(name: PathName, request: Request, herder: LeadingHerder) -> Json:
    herder.config(name)
    changes = bodies.patch(await bodies.read_body(request))
    given = {key: value for key, value in changes.items() if value is not None}
    info = await herder.patch_config(name, {**changes, **_restored(herder, given, name)})
    return Json(await _shown(request, info))


@router.get("/{name}/status")
async def status(name: PathName, herder: WorkerHerder) -> Json:
    return Json(herder.status(name))


@router.put("/{name}/pause")
async def pause(name: PathName, herder: LeadingHerder) -> Nothing:
    await herder.set_target_state(name, TargetState.PAUSED)
    return Nothing(202)


@router.put("/{name}/resume")
async def resume(name: PathName, herder: LeadingHerder) -> Nothing:
    await herder.set_target_state(name, TargetState.STARTED)
    return Nothing(202)


@router.put("/{name}/stop")
async def stop(name: PathName, herder: LeadingHerder) -> Nothing:
    await herder.set_target_state(name, TargetState.STOPPED)
    return Nothing(204)


@router.post("/{name}/restart")
async def restart(name: PathName, request: Request, herder: LeadingHerder) -> Response:
    include_tasks = is_true(request.query_params.get("includeTasks"))
    only_failed = is_true(request.query_params.get("onlyFailed"))
    state = await herder.restart(name, include_tasks=include_tasks, only_failed=only_failed)
    return Json(state, status_code=202) if include_tasks or only_failed else Nothing(204)


@router.get("/{name}/tasks")
async def tasks(name: PathName, request: Request, herder: WorkerHerder) -> Json:
    infos = herder.tasks(name)
    return Json([msgspec.structs.replace(info, config=await _hidden(request, info.config)) for info in infos])


@router.get("/{name}/tasks/{task}/status")
async def task_status(name: PathName, task: TaskNumber, herder: WorkerHerder) -> Json:
    return Json(herder.task_status(TaskId(name, task)))


@router.post("/{name}/tasks/{task}/restart")
async def restart_task(name: PathName, task: TaskNumber, herder: WorkerHerder) -> Nothing:
    await herder.restart_task(TaskId(name, task))
    return Nothing(204)


async def _expand(request: Request, herder: WorkerHerder, name: str) -> dict[str, Any]:
    """What the query's `expand` asks for of one connector; what it has not, like a status at first, is left out."""
    shown: dict[str, Any] = {}
    for part in request.query_params.getlist("expand"):
        try:
            if part == "status":
                shown["status"] = herder.status(name)
            elif part == "info":
                shown["info"] = await _shown(request, herder.connector(name))
        except NotFoundError:
            continue
    return shown


async def _created(request: Request, info: ConnectorInfo) -> Json:
    location = f"{request.url.scheme}://{request.url.netloc}/connectors/{quote(info.name, safe='')}"
    return Json(await _shown(request, info), status_code=201, headers={"Location": location})


async def _shown(request: Request, info: ConnectorInfo) -> ConnectorInfo:
    return msgspec.structs.replace(info, config=await _hidden(request, info.config))


async def _hidden(request: Request, props: Mapping[str, str]) -> Mapping[str, str]:
    secrets: Secrets | None = request.app.state.secrets
    return dict(props) if secrets is None else await secrets.hide(props)


def _restored(herder: Herder, props: Mapping[str, str], name: str) -> dict[str, str]:
    """`props` with passwords that were sent back hidden as they are stored."""
    return restore(props, herder.config(name) if name in herder.connectors() else {})
