"""A worker's REST API, as the command line needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from kconnect.errors import (
    AlreadyExistsError,
    ConfigError,
    ConnectError,
    NotFoundError,
    RebalanceInProgressError,
)

if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "http://127.0.0.1:8083"

UrlOption = Annotated[
    str,
    typer.Option(
        "--url", envvar="KCONNECT_URL", help="Where the worker's REST API listens.", show_default="127.0.0.1:8083"
    ),
]


class UnreachableError(ConnectError):
    """Nothing answers where a worker or a broker was expected."""


class RestClient:
    """Calls one worker. Every method raises a ConnectError that says what the worker said."""

    def __init__(self, url: str = DEFAULT_URL, *, timeout_seconds: float = 95.0) -> None:
        import httpx  # a tenth of a second, which commands that serve need not wait for

        self.url = url.rstrip("/")
        self._http = httpx.Client(base_url=self.url, timeout=timeout_seconds, trust_env=False)

    def call(self, method: str, *path: str, json: Any = None, params: dict[str, str | list[str]] | None = None) -> Any:
        """The parsed body of the answer, None where there is none. Each part of `path` is escaped."""
        import httpx

        target = "/" + "/".join(quote(part, safe="") for part in path)
        try:
            answer = self._http.request(method, target, json=json, params=params)
        except httpx.TimeoutException as error:
            raise ConnectError(
                f"{self.url} took longer than {self._http.timeout.read} s to answer {method} {target}; what was asked "
                "may still be done: look before you ask again"
            ) from error
        except httpx.TransportError as error:
            raise UnreachableError(
                f"no worker answers at {self.url} ({error}); start one with `kconnect standalone worker.properties`, "
                "or say where it is with --url"
            ) from error
        if answer.is_success:
            return answer.json() if answer.content else None
        raise _failure(answer)


def _failure(answer: httpx.Response) -> ConnectError:
    try:
        message = str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        message = f"{answer.status_code} {answer.reason_phrase} from {answer.url}"
    if answer.status_code in (400, 401, 403, 422):
        return ConfigError(message)
    if answer.status_code == 404:
        return NotFoundError(message)
    if answer.status_code == 409:
        return RebalanceInProgressError(message) if "rebalance" in message else AlreadyExistsError(message)
    return ConnectError(message)
