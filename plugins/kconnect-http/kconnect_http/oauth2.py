"""OAuth 2.0 client credentials (RFC 6749, 4.4): tokens, fetched when they are needed and before they expire."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

import msgspec

from kconnect import ConnectError, Password, RetriableError
from kconnect_http.client import Answer, Client, ClientSettings
from kconnect_http.credentials import FixedCredentials, basic
from kconnect_http.retries import StatusCodes

_PASSING: Final = StatusCodes(((408, 408), (425, 425), (429, 429), (500, 599)))
_EARLY: Final = 0.1
_EARLY_S: Final = 30.0
"""A token is fetched anew when a tenth of its life is left, or half a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2Settings:
    """`parameters` name what the form calls grant type, client id and client secret."""

    url: str
    client_id: str
    client_secret: Password
    scope: str | None
    in_header: bool
    grant_type: str = "client_credentials"
    parameters: tuple[str, str, str] = ("grant_type", "client_id", "client_secret")
    token_property: str = "access_token"  # noqa: S105 - the name of a property
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class OAuth2Credentials:
    """`transport` says how the token's server is reached; it is the home of the client's id and secret."""

    def __init__(self, settings: OAuth2Settings, transport: ClientSettings) -> None:
        self._settings = settings
        headers = dict(settings.headers)
        if settings.in_header:
            headers["Authorization"] = basic(settings.client_id, settings.client_secret)
        self._client = Client(transport, FixedCredentials(headers), {})
        self._token: str | None = None
        self._expires = 0.0
        self._fresh = False
        """Whether the token was fetched for the request that is on its way."""

    def headers(self) -> Mapping[str, str]:
        self._fresh = self._token is None or time.monotonic() >= self._expires
        if self._fresh:
            self._fetch()
        return {"Authorization": f"Bearer {self._token}"}

    def refused(self) -> bool:
        """A token may be taken back before it expires; one that was just fetched is no good."""
        self._token = None
        return not self._fresh

    def close(self) -> None:
        self._client.close()

    def _fetch(self) -> None:
        settings = self._settings
        grant, client_id, secret = settings.parameters
        form = {grant: settings.grant_type}
        if settings.scope:
            form["scope"] = settings.scope
        if not settings.in_header:
            form |= {client_id: settings.client_id, secret: settings.client_secret.value}
        answer = self._client.send(
            "POST",
            settings.url,
            {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"},
            urlencode(form).encode(),
        )
        if answer.status in _PASSING:
            raise RetriableError(f"no token: {answer.told()}")
        if answer.status != 200:
            raise ConnectError(f"no token: {answer.told()}. Check the client's id, secret and scope")
        self._keep(answer)

    def _keep(self, answer: Answer) -> None:
        name = self._settings.token_property
        try:
            given = msgspec.json.decode(answer.body, type=dict)
        except msgspec.DecodeError as error:
            raise ConnectError(f"{self._settings.url} answers with no JSON object in place of a token") from error
        token = given.get(name)
        if not isinstance(token, str) or not token:
            raise ConnectError(f"{self._settings.url} answers without the property {name}: {', '.join(given)}")
        self._token = Password(token).value
        lives = given.get("expires_in")
        try:
            seconds = float(lives) if isinstance(lives, (int, float, str)) else 3600.0
        except ValueError:
            seconds = 3600.0
        self._expires = time.monotonic() + max(seconds - max(seconds * _EARLY, min(_EARLY_S, seconds / 2)), 0.0)
