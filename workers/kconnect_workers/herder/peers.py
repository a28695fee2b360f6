"""The other workers of a pool, as their REST API is asked by this one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kconnect.errors import ConnectError

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 5.0


class UnreachableError(ConnectError):
    """The worker does not answer: nothing was asked of it."""


class UnansweredError(ConnectError):
    """The worker was asked, and has not answered: what was asked may be done, or not."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Peers:
    """Belongs to the worker's event loop. `timeout_s` bounds each answer."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._client: httpx.AsyncClient | None = None

    async def ask(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Answer:
        """UnreachableError, UnansweredError; every answer is one, whatever its status."""
        import httpx

        timeout = httpx.Timeout(self._timeout_s, connect=min(CONNECT_SECONDS, self._timeout_s))
        if self._client is None:
            # A connection that was kept may be closed at the other end, which would leave in doubt what was asked.
            self._client = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
        try:
            answer = await self._client.request(method, url, headers=headers, content=body, timeout=timeout)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as e:
            raise UnreachableError(f"the worker at {url} does not answer: {e or type(e).__name__}") from e
        except httpx.TimeoutException as e:
            raise UnansweredError(
                f"the worker at {url} has not answered within {self._timeout_s:g} s; what was asked may still be "
                "done: look before you ask again"
            ) from e
        except httpx.HTTPError as e:
            raise UnansweredError(
                f"the worker at {url} broke off before it answered ({e or type(e).__name__}); what was asked may be "
                "done: look before you ask again"
            ) from e
        return Answer(answer.status_code, answer.headers, answer.content)

    async def close(self) -> None:
        """May be called twice."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
