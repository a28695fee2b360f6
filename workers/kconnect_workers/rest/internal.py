"""Requests of a pool's workers to its leader (KIP-507): signed, and of no use to anyone else."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from kconnect_workers.rest import bodies
from kconnect_workers.rest.answers import Nothing
from kconnect_workers.rest.route import PathName, WorkerHerder, api_router

router = api_router("/connectors/{name}")


async def _signed_body(request: Request, herder: WorkerHerder) -> bytes:
    body = await bodies.read_body(request)
    herder.check_signature(request.headers, body)
    return body


SignedBody = Annotated[bytes, Depends(_signed_body)]


@router.post("/tasks")
async def take_tasks(name: PathName, body: SignedBody, herder: WorkerHerder) -> Nothing:
    await herder.take_tasks(name, bodies.task_configs(body))
    return Nothing(204)


@router.put("/fence")
async def fence(name: PathName, body: SignedBody, herder: WorkerHerder) -> Nothing:
    await herder.fence(name)
    return Nothing(204)
