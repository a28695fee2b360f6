"""/connectors/{name}/topics: which topics a connector was seen to use."""

from __future__ import annotations

import enum

from fastapi import HTTPException, Request

from kconnect_workers.rest.answers import Json, Nothing
from kconnect_workers.rest.route import PathName, WorkerHerder, api_router

router = api_router("/connectors/{name}/topics")


class TopicTracking(enum.Enum):
    """`topic.tracking.enable` and `topic.tracking.allow.reset`."""

    OFF = "off"
    ON = "on"
    RESETTABLE = "resettable"

    @classmethod
    def of(cls, *, enable: bool, allow_reset: bool) -> TopicTracking:
        if not enable:
            return cls.OFF
        return cls.RESETTABLE if allow_reset else cls.ON


@router.get("")
async def topics(name: PathName, request: Request, herder: WorkerHerder) -> Json:
    """An empty list for a connector that is not there, as Kafka Connect answers."""
    _tracking(request)
    return Json({name: {"topics": herder.topics(name)}})


@router.put("/reset")
async def reset(name: PathName, request: Request, herder: WorkerHerder) -> Nothing:
    if _tracking(request) is not TopicTracking.RESETTABLE:
        raise HTTPException(403, "this worker does not reset topics: see topic.tracking.allow.reset")
    await herder.forget_topics(name)
    return Nothing(202)


def _tracking(request: Request) -> TopicTracking:
    tracking: TopicTracking = request.app.state.topic_tracking
    if tracking is TopicTracking.OFF:
        raise HTTPException(403, "this worker does not track topics: see topic.tracking.enable")
    return tracking
