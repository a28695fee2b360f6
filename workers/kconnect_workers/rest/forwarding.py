"""Requests that another worker of the pool has to answer: asked there, and answered with what it says."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from kconnect.errors import RebalanceInProgressError
from kconnect_workers.herder import stages
from kconnect_workers.herder.peers import Peers
from kconnect_workers.herder.pool import ElsewhereError
from kconnect_workers.rest.bodies import read_body

_PASSED = ("accept", "authorization", "content-type")


async def forward(request: Request, elsewhere: ElsewhereError) -> Response:
    """The answer of the worker that `elsewhere` names.

    `forward` in the query says how often that may happen again: not given, the next worker may send it on (from a
    follower to the leader, and from there to a task's owner), `true`, it may be sent on once more, `false`, not at
    all. RebalanceInProgressError then, and what Peers.ask raises."""
    given = request.query_params.get("forward")
    if given is not None and given.lower() != "true":
        raise RebalanceInProgressError(
            f"{elsewhere}, and this request was sent here from there: a rebalance has just moved it; ask again"
        )
    peers: Peers = request.app.state.peers
    stages.enter(f"forwarded to {elsewhere.url}")
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "forward"]
    target = urlencode([*query, ("forward", "true" if given is None else "false")])
    path = request.scope["raw_path"].decode("latin-1")
    answer = await peers.ask(
        request.method,
        f"{elsewhere.url.rstrip('/')}{path}?{target}",
        headers={name: request.headers[name] for name in _PASSED if name in request.headers},
        body=await read_body(request),
    )
    if request.method != "GET" and answer.status < 300:  # so that who asks here next sees what was changed
        await request.app.state.herder.catch_up()
    headers = {name: answer.headers[name] for name in ("content-type", "location") if name in answer.headers}
    if "location" in headers:
        headers["location"] = f"{request.url.scheme}://{request.url.netloc}{urlsplit(headers['location']).path}"
    return Response(answer.body, status_code=answer.status, headers=headers)
