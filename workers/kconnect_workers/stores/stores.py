"""The stores of one worker, started and stopped together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from kconnect_workers.stores.config_store import ConfigStore
from kconnect_workers.stores.entry_log import Apply, EntryLog, MemoryLog
from kconnect_workers.stores.offset_file import OffsetFile
from kconnect_workers.stores.offset_store import OffsetStore
from kconnect_workers.stores.status_store import StatusStore

if TYPE_CHECKING:
    from kconnect_workers.config.distributed_config import DistributedConfig
    from kconnect_workers.stores.internal_topics import InternalTopic, InternalTopics
    from kconnect_workers.stores.topic_log import TopicLogs


class Stores:
    """Made by `in_topics`, `of_pool` or `in_memory`."""

    def __init__(
        self,
        configs: ConfigStore,
        statuses: StatusStore,
        offsets: OffsetStore,
        *,
        logs: TopicLogs | None = None,
        topics: Sequence[InternalTopic] = (),
    ) -> None:
        self.configs = configs
        self.statuses = statuses
        self.offsets = offsets
        self._logs = logs
        self._topics = topics

    @classmethod
    def in_topics(cls, client_props: Mapping[str, str], *, configs: str, statuses: str, offsets: str) -> Self:
        """Compacted topics of these names on the embedded log, created when they do not exist."""
        from kconnect_workers.stores.internal_topics import InternalTopics

        return cls._in(client_props, InternalTopics.of_one_broker(configs=configs, statuses=statuses, offsets=offsets))

    @classmethod
    def of_pool(cls, config: DistributedConfig, client_props: Mapping[str, str]) -> Self:
        """The topics that a pool's workers share. With exactly-once support, or preparing for it, its leader writes
        configs in transactions, by Kafka Connect's transactional id."""
        from kconnect_workers.stores.internal_topics import InternalTopics

        transactional = config.exactly_once_source_support.lower() != "disabled"
        transactional_id = f"connect-cluster-{config.group_id}" if transactional else None
        return cls._in(client_props, InternalTopics.of_pool(config), transactional_id)

    @classmethod
    def _in(cls, client_props: Mapping[str, str], topics: InternalTopics, transactional_id: str | None = None) -> Self:
        from kconnect_workers.stores.topic_log import TopicLogs  # librdkafka, which tests without a log do not need

        logs = TopicLogs(client_props)
        configs = topics.configs.name

        async def open_own(topic: str, apply: Apply) -> EntryLog:
            own = replace(topics.offsets, name=topic, key="offsets.storage.topic")
            await logs.prepare([own])
            return logs.opener(topic)(apply)

        return cls(
            ConfigStore(
                logs.opener(configs), None if transactional_id is None else logs.leader_log(configs, transactional_id)
            ),
            StatusStore(logs.opener(topics.statuses.name)),
            OffsetStore(logs.opener(topics.offsets.name), open_own, topic=topics.offsets.name),
            logs=logs,
            topics=topics,
        )

    @classmethod
    def in_memory(cls, offset_file: Path) -> Self:
        """Nothing outlives the worker but source offsets."""
        return cls(ConfigStore(MemoryLog), StatusStore(MemoryLog), OffsetStore(partial(OffsetFile, offset_file)))

    async def start(self) -> None:
        """Read what is stored. ConnectError when that cannot be done, ConfigError when a topic is not fit for it."""
        if self._logs is not None:
            await self._logs.prepare(self._topics)
        await asyncio.gather(self.configs.start(), self.statuses.start())

    async def stop(self) -> None:
        """May be called twice."""
        for store in (self.configs, self.statuses, self.offsets):
            await store.stop()
        if self._logs is not None:
            await self._logs.stop()
