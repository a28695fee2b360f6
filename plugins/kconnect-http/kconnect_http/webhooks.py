"""What a listener answers to a webhook."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final

import msgspec

from kconnect.record import Header
from kconnect.schema import STRING_SCHEMA
from kconnect_http.inbox import Draft, Hook, Inbox
from kconnect_http.listener import answer_of
from kconnect_http.pointer import Pointer, scalar_text
from kconnect_http.route import TopicTemplate
from kconnect_http.webhook_config import WebhookSourceConfig

_BODY_S: Final = 30.0

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class _RefusedError(Exception):
    """A request is answered with `status`, and nothing is kept."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers or {}


class Webhooks:
    """An ASGI application: 200 for what is kept, 4xx for what never will be, 503 for what may be another time."""

    def __init__(self, config: WebhookSourceConfig, inbox: Inbox) -> None:
        self._config = config
        self._inbox = inbox
        self._routes = config.routes()
        self._topic = TopicTemplate(config.topic, self._routes)
        self._verifier = config.verifier()
        self._list = None if config.list_pointer is None else Pointer(config.list_pointer)
        self._key = None if config.key_pointer is None else Pointer(config.key_pointer)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            await self._take(scope, receive)
        except _RefusedError as refused:
            await _answer(send, refused.status, str(refused), refused.headers)
        else:
            await _answer(send, 200, "stored", {})

    async def _take(self, scope: Message, receive: Receive) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        path = self._path(scope)
        self._check_room()
        body = _Body(self._inbox, self._config.max_bytes)
        try:
            content = await body.read(receive, headers, self._busy)
            if not self._verifier.accepts(headers, content):
                raise _RefusedError(401, "no signature or token that is known")
            drafts = self._drafts(path, headers, content)
            if drafts:
                await self._kept(drafts, len(content))
        finally:
            body.release()

    def _path(self, scope: Message) -> dict[str, str]:
        found = next((names for route in self._routes if (names := route.match(scope["path"])) is not None), None)
        if found is None:
            raise _RefusedError(404, "no webhooks are taken here")
        if scope["method"] not in self._config.methods:
            raise _RefusedError(405, "not by this method", {"Allow": ", ".join(self._config.methods)})
        return found

    def _check_room(self) -> None:
        refusal = self._inbox.refusal()
        if refusal is not None:
            raise self._busy(refusal)

    def _busy(self, reason: str) -> _RefusedError:
        return _RefusedError(503, reason, {"Retry-After": str(self._config.retry_after_s)})

    def _drafts(self, path: Mapping[str, str], headers: Mapping[str, str], content: bytes) -> list[Draft]:
        topic = self._topic.render(path, headers)
        if topic is None:
            raise _RefusedError(400, "the path or the headers name no topic")
        kept = tuple(
            Header(name, STRING_SCHEMA, headers[name.lower()])
            for name in self._config.headers
            if name.lower() in headers
        )
        name = self._config.key_header
        from_header = None if name is None else headers.get(name.lower())
        drafts = []
        for value in self._values(content):
            key = from_header if self._key is None else scalar_text(self._key.of(value))
            drafts.append(Draft(topic, key, value, kept))
        return drafts

    def _values(self, content: bytes) -> list[Any]:
        if self._config.format == "bytes":
            return [content]
        try:
            if self._config.format == "string":
                return [content.decode()]
            document = msgspec.json.decode(content)
        except (UnicodeDecodeError, msgspec.DecodeError) as error:
            raise _RefusedError(400, f"the body is no {self._config.format}: {error}") from error
        if self._list is None:
            return [document]
        found = self._list.of(document)
        if not isinstance(found, list):
            raise _RefusedError(400, f"there is no array at {self._list.text} of the body")
        return found

    async def _kept(self, drafts: list[Draft], size: int) -> None:
        """Returns when they are."""
        self._check_room()
        answered: Future[bool] = Future()

        def answer(kept: bool) -> None:
            if not answered.done():
                with suppress(Exception):  # a sender that has hung up
                    answered.set_result(kept)

        hook = Hook(drafts, size, answer)
        if not self._inbox.offer(hook):
            raise self._busy("the listener ends")
        kept = await answer_of(answered, self._config.timeout_ms / 1000)
        if not kept:
            self._inbox.withdraw(hook)
            raise self._busy("not stored in time" if kept is None else "not known to be stored")


class _Body:
    """A request's body, whose bytes count in the inbox from when they come until `release`."""

    def __init__(self, inbox: Inbox, limit: int) -> None:
        self._inbox = inbox
        self._limit = limit
        self._reserved = 0

    async def read(self, receive: Receive, headers: Mapping[str, str], busy: Callable[[str], _RefusedError]) -> bytes:
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length) > self._limit:
            raise self._too_large()
        chunks = []
        try:
            async with asyncio.timeout(_BODY_S):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _RefusedError(400, "the body ends early")
                    chunk = message.get("body", b"")
                    if self._reserved + len(chunk) > self._limit:
                        raise self._too_large()
                    if chunk and not self._inbox.reserve(len(chunk)):
                        raise busy("too many bytes wait to be stored")
                    self._reserved += len(chunk)
                    chunks.append(chunk)
                    if not message.get("more_body", False):
                        return b"".join(chunks)
        except TimeoutError as error:
            raise _RefusedError(408, "the body comes too slowly", {"Connection": "close"}) from error

    def release(self) -> None:
        self._inbox.release(self._reserved)
        self._reserved = 0

    def _too_large(self) -> _RefusedError:
        return _RefusedError(413, f"more than {self._limit} bytes", {"Connection": "close"})


async def _answer(send: Send, status: int, text: str, headers: Mapping[str, str]) -> None:
    body = msgspec.json.encode({"status" if status == 200 else "error": text})
    given = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    given += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": given})
    await send({"type": "http.response.body", "body": body})
