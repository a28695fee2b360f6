"""Requests and answers: bounded, in time, and with credentials for one origin alone."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urljoin

import urllib3
from urllib3.exceptions import HTTPError, InsecureRequestWarning, LocationParseError, SSLError

from kconnect import ConfigError, ConnectError, DataError, RetriableError
from kconnect.redaction import process_redactor
from kconnect_http.credentials import Credentials
from kconnect_http.origin import Origin

_CHUNK: Final = 1024 * 1024
_MOST_REDIRECTS: Final = 5
_SHOWN: Final = 400
_SLOWEST: Final = 10
"""An answer has to be there to its end within so many times the time in which it has to begin."""
_SAFE: Final = ("GET", "HEAD")

log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """`headers` are case-insensitive; `url` is where the answer came from, after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    def told(self) -> str:
        """For messages: where it came from, and what it says. A URL may have secrets in its parameters."""
        return f"{process_redactor.redact(self.url)} answers {self.status}: {self.excerpt()}"

    def excerpt(self) -> str:
        """Of the body: one line, cut, without the secrets that this process knows."""
        text = " ".join(self.body[: 4 * _SHOWN].decode(errors="replace").split())
        text = process_redactor.redact(text)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """`url_key` is the configuration's key that says where requests go; `redirects` none, same-origin or any."""

    url_key: str
    home: Origin
    context: ssl.SSLContext
    connect_timeout_s: float
    read_timeout_s: float
    redirects: str
    max_answer_bytes: int


class Client:
    """For one thread. `headers` are sent to the home origin alone, as credentials are: they may be secrets as well."""

    def __init__(self, settings: ClientSettings, credentials: Credentials, headers: Mapping[str, str]) -> None:
        if settings.context.verify_mode is ssl.CERT_NONE:
            log.warning("%s: whoever answers is believed (http.ssl.trust.all.certs)", settings.home)
            urllib3.disable_warnings(InsecureRequestWarning)  # it would be told for every request
        self._settings = settings
        self._credentials = credentials
        self._headers = dict(headers)
        self._pool = urllib3.PoolManager(
            num_pools=4,
            maxsize=1,
            ssl_context=settings.context,
            timeout=urllib3.Timeout(connect=settings.connect_timeout_s, read=settings.read_timeout_s),
            retries=False,
        )

    def send(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """The answer, whatever its status; redirects are followed as the settings say.

        RetriableError where there is no answer, or not in time; DataError for a URL or header that cannot be sent;
        ConnectError for a certificate that is not believed, a redirect to where requests may not go, and an answer
        that is too large."""
        answer = self._follow(method, url, headers or {}, body)
        if answer.status == 401 and self._credentials.refused():
            answer = self._follow(method, url, headers or {}, body)
        return answer

    def check(self, target: str, came_from: str, what: str) -> None:
        """ConnectError where a URL that a server gave (`what`: a redirect, the next page) may not be gone to."""
        settings = self._settings
        try:
            origin = Origin.of(settings.url_key, target)
        except ConfigError as error:
            raise ConnectError(f"{what} of {settings.home} is no URL: {process_redactor.redact(target)}") from error
        if origin == settings.home:
            return
        if settings.redirects != "any":
            raise ConnectError(
                f"{what} of {settings.home} leads to {origin}, another origin: set http.redirects=any to go there, "
                "without credentials and headers"
            )
        if origin.scheme == "http" and came_from.startswith("https:"):
            raise ConnectError(f"{what} of {settings.home} leads to {origin}, which is not encrypted")
        origin.allow(settings.url_key)

    def close(self) -> None:
        self._pool.clear()
        self._credentials.close()

    def _follow(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        answer = self._exchange(method, url, headers, body)
        if not 300 <= answer.status < 400 or answer.status == 304 or self._settings.redirects == "none":
            return answer
        for _ in range(_MOST_REDIRECTS):
            location = answer.headers.get("location")
            followed = (301, 302, 303, 307, 308) if method in _SAFE else (307, 308)
            if location is None or answer.status not in followed:
                return answer
            target = joined(answer.url, location)
            self.check(target, answer.url, "a redirect")
            answer = self._exchange(method, target, headers, body)
        raise ConnectError(f"{self._settings.home} redirects {_MOST_REDIRECTS} times in a row, lately to {answer.url}")

    def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        settings = self._settings
        # Another origin is given nothing but what is in its URL and the body.
        at_home = Origin.of(settings.url_key, url) == settings.home
        sent = {**self._headers, **headers, **self._credentials.headers()} if at_home else {"Accept": "*/*"}
        try:
            response = self._pool.request(
                method, url, headers=sent, body=body, redirect=False, preload_content=False, retries=False
            )
            return Answer(response.status, response.headers, self._body(response), url)
        except SSLError as error:
            raise _untrusted(error, settings) from error
        except LocationParseError as error:
            raise DataError(f"{settings.url_key}: {error}") from error
        except (HTTPError, OSError) as error:
            raise RetriableError(f"{settings.home} does not answer: {_said(error)}") from error
        except ValueError as error:
            raise DataError(f"a request that cannot be sent to {settings.home}: {error}") from error

    def _body(self, response: urllib3.BaseHTTPResponse) -> bytes:
        """Unpacked. The connection is given up where it is not read to its end."""
        settings = self._settings
        end = time.monotonic() + _SLOWEST * settings.read_timeout_s
        chunks = []
        size = 0
        try:
            while chunk := response.read1(_CHUNK):
                chunks.append(chunk)
                size += len(chunk)
                if size > settings.max_answer_bytes:
                    raise ConnectError(
                        f"{settings.home} answers with more than {settings.max_answer_bytes} bytes: ask for smaller "
                        "pages, or raise http.response.max.bytes"
                    )
                if time.monotonic() > end:
                    raise RetriableError(f"{settings.home} answers too slowly: {size} bytes are here")
        except BaseException:
            response.close()
            raise
        response.release_conn()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def joined(url: str, link: str) -> str:
    """Where a link in the answer of `url` leads. ConnectError for what is no link."""
    try:
        return urljoin(url, link)
    except ValueError as error:
        raise ConnectError(f"a link of {url} is no URL: {process_redactor.redact(link)}") from error


def _untrusted(error: SSLError, settings: ClientSettings) -> ConnectError:
    text = _said(error)
    if "CERTIFICATE_VERIFY_FAILED" in text or "match" in text:
        return ConnectError(
            f"the certificate of {settings.home} is not believed: {text}. Check http.ssl.truststore.location"
        )
    return RetriableError(f"no TLS with {settings.home}: {text}")


def _said(error: Exception) -> str:
    """What is at the bottom of it, without the names of objects."""
    reason = getattr(error, "reason", None) or error
    text = str(reason).rpartition(">: ")[2].rpartition("): ")[2]
    return process_redactor.redact(text or type(reason).__name__)
