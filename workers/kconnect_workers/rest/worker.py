"""/ and /health: the worker itself."""

from __future__ import annotations

from fastapi import Request

from kconnect import __version__
from kconnect_workers.rest.answers import Json
from kconnect_workers.rest.route import api_router

router = api_router()


@router.get("/")
async def root(request: Request) -> Json:
    cluster_id: str | None = request.app.state.cluster_id
    return Json({"version": __version__, "commit": "unknown", "kafka_cluster_id": cluster_id})


@router.get("/health")
async def health() -> Json:
    return Json(
        {"status": "healthy", "message": "Worker has completed startup and is ready to handle requests."},
    )
