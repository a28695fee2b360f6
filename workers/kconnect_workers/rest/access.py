"""Who may call: Host names checked against DNS rebinding, foreign Origins refused, a token for the worker's admin."""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
import socket
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kconnect.errors import ConfigError
from kconnect_workers.rest.answers import error_answer


class Access:
    """Refuses requests (403) that a web page of someone else makes through a user's browser.

    A Host that is an address cannot come from a rebound name; names must be `localhost`, this machine's, or among
    `hosts` (`*` allows all). An Origin must be the Host's own, or `allowed_origin` (`*` for any), whose pages are told
    by a preflight which methods they may use: `allowed_methods`.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Iterable[str] = (), allowed_origin: str = "", allowed_methods: str = ""
    ) -> None:
        self._app = app
        self._hosts = {"localhost", socket.gethostname().lower(), *(host.lower() for host in hosts)}
        self._allowed_origin = allowed_origin
        self._allowed_methods = allowed_methods or "GET,POST,HEAD"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            refusal = self._refusal(headers)
        except ValueError as e:
            refusal = f"the header Host or Origin is no address: {e}"
        if refusal is not None:
            await error_answer(403, refusal)(scope, receive, send)
            return
        preflight = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        await self._app(scope, receive, self._with_origin(send, preflight) if self._allowed_origin else send)

    def _refusal(self, headers: Headers) -> str | None:
        host = headers.get("host", "")
        name = urlsplit(f"//{host}").hostname or ""
        if not (name in self._hosts or "*" in self._hosts or _is_address(name)):
            return f"this worker is not called {name!r}: call it by its address, or set rest.allowed.hosts={name}"
        origin = headers.get("origin")
        if origin is None:
            foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        else:
            foreign = urlsplit(origin).netloc != host
        if foreign and self._allowed_origin not in ("*", origin):
            return f"requests from web pages of {origin or 'elsewhere'} are refused: see access.control.allow.origin"
        return None

    def _with_origin(self, send: Send, preflight: bool) -> Send:
        added = [(b"access-control-allow-origin", self._allowed_origin.encode())]
        if preflight:
            added.append((b"access-control-allow-methods", self._allowed_methods.encode()))
            added.append((b"access-control-allow-headers", b"Content-Type,Accept,Origin,Authorization"))

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        return with_headers


class AdminToken:
    """The secret that changes to the worker itself ask for, in a file that only its user may read."""

    def __init__(self, path: Path) -> None:
        """Read the file, or make it (mode 0600). ConfigError when neither is possible, or when others may read it."""
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                self._token = self._read()
                return
            self._token = secrets.token_urlsafe(32)
            with os.fdopen(descriptor, "w") as file:
                file.write(self._token + "\n")
        except OSError as e:
            raise ConfigError(f"{e.strerror}", key="rest.admin.token.file", value=str(path)) from e

    def matches(self, request: Request) -> bool:
        """Whether the request brings the token, as `Authorization: Bearer …`."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._token.encode())

    def _read(self) -> str:
        if self.path.stat().st_mode & 0o077:
            raise ConfigError(
                "others than its owner may read this file",
                key="rest.admin.token.file",
                value=str(self.path),
                suggestion=f"chmod 600 {self.path}",
            )
        token = self.path.read_text().strip()
        if not token:
            raise ConfigError(
                "the file holds no token",
                key="rest.admin.token.file",
                value=str(self.path),
                suggestion="remove it, and the worker makes a new one",
            )
        return token


def require_admin(request: Request) -> None:
    """A dependency of the paths that change the worker itself: 403 without the token."""
    token: AdminToken = request.app.state.admin_token
    if not token.matches(request):
        raise HTTPException(403, f"this needs the admin token of {token.path} as `Authorization: Bearer TOKEN`")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
