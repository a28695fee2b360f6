"""The stores of one worker, started and stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from kconnect_workers.stores.config_store import ConfigStore
from kconnect_workers.stores.entry_log import MemoryLog
from kconnect_workers.stores.offset_file import OffsetFile
from kconnect_workers.stores.offset_store import OffsetStore
from kconnect_workers.stores.status_store import StatusStore

if TYPE_CHECKING:
    from kconnect_workers.stores.topic_log import TopicLogs


class Stores:
    """Made by `in_topics` or `in_memory`."""

    def __init__(
        self,
        configs: ConfigStore,
        statuses: StatusStore,
        offsets: OffsetStore,
        *,
        logs: TopicLogs | None = None,
        topics: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self.configs = configs
        self.statuses = statuses
        self.offsets = offsets
        self._logs = logs
        self._topics = topics or {}

    @classmethod
    def in_topics(cls, client_props: Mapping[str, str], *, configs: str, statuses: str, offsets: str) -> Self:
        """Compacted topics of these names, created when they do not exist. A source offset counts only when it and
        the records before it are synced: outside systems are told to forget what it covers."""
        from kconnect_workers.stores.topic_log import TopicLogs  # librdkafka, which tests without a log do not need

        logs = TopicLogs(client_props)
        return cls(
            ConfigStore(logs.opener(configs)),
            StatusStore(logs.opener(statuses)),
            OffsetStore(logs.opener(offsets)),
            logs=logs,
            topics={configs: {}, statuses: {}, offsets: {"flush.messages": "1"}},
        )

    @classmethod
    def in_memory(cls, offset_file: Path) -> Self:
        """Nothing outlives the worker but source offsets."""
        return cls(ConfigStore(MemoryLog), StatusStore(MemoryLog), OffsetStore(partial(OffsetFile, offset_file)))

    async def start(self) -> None:
        """Read what is stored. ConnectError when that cannot be done."""
        if self._logs is not None:
            await self._logs.create(self._topics)
        await asyncio.gather(self.configs.start(), self.statuses.start())

    async def stop(self) -> None:
        """May be called twice."""
        for store in (self.configs, self.statuses, self.offsets):
            await store.stop()
        if self._logs is not None:
            await self._logs.stop()
