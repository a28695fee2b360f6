"""A connection to the group's coordinator that is made again when it breaks, with a thread of its own to wait in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from kconnect.errors import RetriableError
from kconnect.kafka.client import Client
from kconnect.kafka.connection import Connection
from kconnect.kafka.settings import known
from kconnect.log.protocol import Message

M = TypeVar("M", bound=Message)

_END_SECONDS = 2.0


class CoordinatorLink:
    """One request after another to the coordinator of a group, which is looked for when there is no connection.

    Belongs to an event loop; two links do not wait for one another. `timeout` is in seconds, for connecting and for
    requests without one of their own. Raises ConfigError for `client_props`.
    """

    def __init__(
        self, client_props: Mapping[str, str], group_id: str, *, client_id: str, timeout: float, name: str
    ) -> None:
        self._client = Client(known(client_props, "admin"), client_id=client_id, timeout=timeout)
        self._group_id = group_id
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connection: Connection | None = None
        self._given_up = 0
        self._closed = False

    async def ask(self, request: Message, response: type[M], *, timeout: float | None = None) -> M:
        """The answer, whose error code is the caller's to look at. Raises RetriableError when no broker answers and
        ConnectError when it refuses. Cancelled, it is over for the broker as well: the connection is ended."""
        loop = asyncio.get_running_loop()
        answer = loop.run_in_executor(self._thread, self._ask, request, response, timeout, self._given_up)
        try:
            return await answer
        except asyncio.CancelledError:
            self.disconnect()
            raise

    def disconnect(self) -> None:
        """End the connection, and what waits on it with RetriableError: the next request looks for the coordinator
        anew, as when it has moved."""
        self._given_up += 1
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
            self._thread.submit(connection.close)

    async def close(self) -> None:
        """End the connection and the thread. May be called twice. A thread that is just connecting is not waited for
        long: it ends when that times out."""
        if self._closed:
            return
        self._closed = True
        self.disconnect()
        ended = self._thread.submit(self._close)
        self._thread.shutdown(wait=False)
        await asyncio.wait([asyncio.wrap_future(ended)], timeout=_END_SECONDS)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._client.close()

    def _ask(self, request: Message, response: type[M], timeout: float | None, given_up: int) -> M:
        connection = self._connection
        if connection is None:
            connection = self._client.connect_to_coordinator(self._group_id)
            self._connection = connection
        if given_up != self._given_up:
            raise RetriableError("nobody waits for the answer any more")
        try:
            return connection.ask(request, response, timeout=timeout)
        except BaseException:
            connection.close()
            if self._connection is connection:
                self._connection = None
            raise
