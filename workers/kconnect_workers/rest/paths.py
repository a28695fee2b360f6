"""Paths as they were sent: routes see the raw, still encoded path, so that an encoded slash stays in its name."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kconnect_workers.rest.answers import error_answer


class RawPaths:
    """Matches raw paths, with or without a trailing slash, and answers HEAD as GET without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["raw_path"].decode("latin-1")
        if "//" in path:
            await error_answer(400, f"the path {path} has an empty segment")(scope, receive, send)
            return
        scope = {**scope, "path": path.rstrip("/") or "/"}
        if scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_headers(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_headers)
