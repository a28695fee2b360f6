"""/, /health and /admin/access: the worker itself."""

from __future__ import annotations

from fastapi import Depends, Request

from kconnect import __version__
from kconnect_workers.rest.access import require_admin
from kconnect_workers.rest.answers import Json
from kconnect_workers.rest.route import WorkerHerder, api_router

router = api_router()


@router.get("/")
async def root(request: Request) -> Json:
    cluster_id: str | None = request.app.state.cluster_id
    return Json({"version": __version__, "commit": "unknown", "kafka_cluster_id": cluster_id})


@router.get("/health")
async def health(herder: WorkerHerder) -> Json:
    waits_for = herder.waits_for()
    if waits_for is not None:
        return Json({"status": "starting", "message": f"The worker has no place in its pool: {waits_for}"}, 503)
    return Json({"status": "healthy", "message": "The worker has started and answers requests."})


@router.get("/admin/access", dependencies=[Depends(require_admin)])
async def access() -> Json:
    """What the caller may do; 403 for one who does not bring the admin token."""
    return Json({"role": "admin"})
