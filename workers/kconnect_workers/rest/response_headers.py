"""Adds what `response.http.headers.config` asks for to every answer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from email.utils import formatdate

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kconnect_workers.config.header_rules import HeaderRule

Header = tuple[bytes, bytes]


class ResponseHeaders:
    """Stands before the whole API: refusals have the headers too. Rules take effect in their order."""

    def __init__(self, app: ASGIApp, rules: Sequence[HeaderRule]) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _applied(self._rules, message["headers"])}
            await send(message)

        await self._app(scope, receive, with_headers if self._rules else send)


def _applied(rules: Sequence[HeaderRule], headers: Iterable[Header]) -> list[Header]:
    applied = list(headers)
    for rule in rules:
        name = rule.name.lower().encode("latin-1")
        if rule.replaces:
            applied = [header for header in applied if header[0].lower() != name]
        offset_ms = rule.date_offset_ms
        value = rule.value if offset_ms is None else formatdate(time.time() + offset_ms / 1000, usegmt=True)
        applied.append((name, value.encode("latin-1")))
    return applied
