"""/connectors/{name}/offsets: shown, and changed while the connector is stopped."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request

from kconnect.errors import ConfigError
from kconnect_workers.herder.entities import ConnectorOffset
from kconnect_workers.herder.offset_admin import OffsetAdmin
from kconnect_workers.rest import bodies
from kconnect_workers.rest.answers import Json
from kconnect_workers.rest.route import LeadingHerder, PathName, api_router

router = api_router("/connectors/{name}/offsets")


def _admin(request: Request) -> OffsetAdmin:
    admin: OffsetAdmin = request.app.state.offsets
    return admin


WorkerOffsets = Annotated[OffsetAdmin, Depends(_admin)]


@router.get("")
async def show(name: PathName, offsets: WorkerOffsets) -> Json:
    return Json(await offsets.offsets(name))


@router.patch("")
async def alter(name: PathName, request: Request, herder: LeadingHerder, offsets: WorkerOffsets) -> Json:
    herder.config(name)
    wanted = _wanted(bodies.parse(await bodies.read_body(request)))
    return _done("altered", checked=await offsets.alter(name, wanted))


@router.delete("")
async def reset(name: PathName, herder: LeadingHerder, offsets: WorkerOffsets) -> Json:
    herder.config(name)
    return _done("reset", checked=await offsets.reset(name))


def _done(what: str, *, checked: bool) -> Json:
    if checked:
        return Json({"message": f"The offsets for this connector have been {what} successfully"})
    return Json(
        {
            "message": f"The offsets that kconnect keeps for this connector have been {what}. If the connector keeps "
            "offsets of its own elsewhere, they are as they were"
        }
    )


def _wanted(body: Any) -> list[ConnectorOffset]:
    if not isinstance(body, dict) or body.keys() - {"offsets"}:
        raise ConfigError("the request's body must be an object of one field, 'offsets'")
    listed = body.get("offsets")
    if not isinstance(listed, list) or not listed:
        raise ConfigError("the field 'offsets' must be a list of partitions and offsets, with at least one")
    return [_offset(f"offsets[{place}]", item) for place, item in enumerate(listed)]


def _offset(where: str, item: Any) -> ConnectorOffset:
    if not isinstance(item, dict) or item.keys() - {"partition", "offset"}:
        raise ConfigError(f"{where} must be an object of 'partition' and 'offset'")
    partition, offset = item.get("partition"), item.get("offset")
    if not isinstance(partition, dict):
        raise ConfigError(f"{where}.partition must be an object")
    if offset is not None and not isinstance(offset, dict):
        raise ConfigError(f"{where}.offset must be an object, or null to forget the partition's offset")
    return ConnectorOffset(partition, offset)
