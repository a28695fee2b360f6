"""Writes statuses in the order in which they were reported."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from kconnect.errors import ConnectError
from kconnect_workers.states import Status, TaskId
from kconnect_workers.stores.status_store import StatusStore

_logger = logging.getLogger(__name__)

_FLUSH_SECONDS = 60.0


class StatusWriter:
    """A queue in front of a StatusStore: reports come from callbacks that cannot wait.

    A write that fails is logged and left: the status is stale, and the next one replaces it. Belongs to one loop.
    """

    def __init__(self, store: StatusStore) -> None:
        self._store = store
        self._queue: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what was reported so far, as `flush` does, and end. May be called twice."""
        if self._task is not None:
            await self.flush()
            self._task.cancel()
            self._task = None

    def put(self, *statuses: Status) -> None:
        self._queue.put_nowait(lambda: self._store.put(*statuses))

    def put_topic(self, id: TaskId, topic: str) -> None:
        """The task uses this topic."""
        self._queue.put_nowait(lambda: self._store.put_topic(id.connector, id.task, topic))

    def remove_connector(self, name: str) -> None:
        self._queue.put_nowait(lambda: self._store.remove_connector(name))

    def remove_tasks_from(self, name: str, number: int, *, of: str | None = None) -> None:
        """Forget the tasks of this number and above, only those of the worker `of` if it is given."""

        async def remove() -> None:
            statuses = [status for status in self._store.tasks(name) if of in (None, status.worker_id)]
            gone = [status.id for status in statuses if isinstance(status.id, TaskId) and status.id.task >= number]
            await self._store.remove_tasks(*gone)

        self._queue.put_nowait(remove)

    async def flush(self) -> None:
        """Returns when everything reported so far is written, or has failed to be. Nobody is kept waiting for a log
        that takes nothing: after a minute the rest is left to be written later."""
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._queue.join()
        except TimeoutError:
            _logger.warning("statuses are not yet stored after %g s", _FLUSH_SECONDS)

    async def _run(self) -> None:
        while True:
            write = await self._queue.get()
            try:
                await write()
            except ConnectError as e:
                _logger.error("a status could not be stored: %s", e)
            except Exception:
                _logger.exception("a status could not be stored")
            finally:
                self._queue.task_done()
