"""Fencing of exactly-once sources (KIP-618): before new tasks start, earlier ones can finish no transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from weakref import WeakValueDictionary

from kconnect.kafka.client import Client
from kconnect.kafka.settings import known
from kconnect_workers.config.exactly_once import transactional_id
from kconnect_workers.states import TaskId
from kconnect_workers.stores.config_store import ConfigStore

_logger = logging.getLogger(__name__)


class Fencing:
    """A matter of the pool's leader. `client_props` are an admin client's, `worker_props` the workers' own, which name
    the pool. Belongs to the worker's event loop."""

    def __init__(self, configs: ConfigStore, client_props: Mapping[str, str], worker_props: Mapping[str, str]) -> None:
        self._configs = configs
        self._client_props = dict(client_props)
        self._worker_props = worker_props
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def fence(self, name: str) -> None:
        """Fence the tasks that may have used transactional ids since the last fencing, once for a set of new ones, and
        remember how many these are. ConnectError when that fails."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            state = self._configs.state
            if not state.pending_fencing(name):
                return
            new, earlier = len(state.tasks(name)), state.task_count(name) or 0
            if earlier:
                ids = [transactional_id(self._worker_props, TaskId(name, number)) for number in range(earlier)]
                await asyncio.to_thread(self._fence, ids)
                _logger.info("%s: %d earlier tasks are fenced, %d new ones may start", name, earlier, new)
            await self._configs.put_task_count(name, new)

    def _fence(self, ids: list[str]) -> None:
        with Client(known(self._client_props, "admin")) as client:
            client.fence_producers(ids)
