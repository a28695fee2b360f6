"""Tokens for OAUTHBEARER: fetched by client credentials (RFC 6749, 4.4), or unsecured ones for development."""

from __future__ import annotations

import base64
import http.client
import ssl
import time
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from kconnect.errors import ConfigError, ConnectError, RetriableError

_TIMEOUT = 10.0
_UNSECURED_SECONDS = 3600
_USED_OF_LIFETIME = 0.8
_LARGEST_ANSWER = 1 << 20
_ENDPOINT_KEY = "sasl.oauthbearer.token.endpoint.url"


class _TokenAnswer(msgspec.Struct):
    access_token: str
    expires_in: float = 0.0


class FetchedTokens:
    """A token from `endpoint`, kept for most of its lifetime. Used by one thread."""

    def __init__(self, endpoint: str, client_id: str, client_secret: str, scope: str) -> None:
        self._endpoint = endpoint
        self._client = f"{quote(client_id, safe='')}:{quote(client_secret, safe='')}"
        self._form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._token = ""
        self._good_until = 0.0

    def get(self) -> str:
        """Raises RetriableError when the endpoint does not answer, ConnectError when it refuses."""
        if time.monotonic() >= self._good_until:
            answer = self._fetch()
            self._token = answer.access_token
            self._good_until = time.monotonic() + _USED_OF_LIFETIME * answer.expires_in
        return self._token

    def _fetch(self) -> _TokenAnswer:
        status, body = self._post()
        if status != http.HTTPStatus.OK:
            error = RetriableError if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR else ConnectError
            raise error(f"{self._endpoint} gives no token: status {status} (client id and secret: sasl.jaas.config)")
        try:
            return msgspec.json.decode(body, type=_TokenAnswer)
        except msgspec.DecodeError as e:
            raise ConnectError(f"{self._endpoint} answers with something else than a token: {e}") from e

    def _post(self) -> tuple[int, bytes]:
        url = urlsplit(self._endpoint)
        if url.hostname is None:
            raise ConfigError("not a URL", key=_ENDPOINT_KEY, value=self._endpoint)
        connection = (
            http.client.HTTPSConnection(url.hostname, url.port, timeout=_TIMEOUT, context=ssl.create_default_context())
            if url.scheme == "https"
            else http.client.HTTPConnection(url.hostname, url.port, timeout=_TIMEOUT)
        )
        headers = {
            "Authorization": "Basic " + base64.b64encode(self._client.encode()).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        try:
            connection.request("POST", path, urlencode(self._form), headers)
            answer = connection.getresponse()
            return answer.status, answer.read(_LARGEST_ANSWER)
        except (OSError, http.client.HTTPException) as e:
            raise RetriableError(f"{self._endpoint} gives no token: {e}") from e
        finally:
            connection.close()


def unsecured_token(subject: str) -> str:
    """A token that nobody has signed (RFC 7515, appendix A.5)."""
    now = int(time.time())  # never later than the broker's clock tells, on one machine
    claims = {"sub": subject, "iat": now, "exp": now + _UNSECURED_SECONDS}
    return f"{_segment({'alg': 'none'})}.{_segment(claims)}."


def _segment(content: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(content)).rstrip(b"=").decode()
