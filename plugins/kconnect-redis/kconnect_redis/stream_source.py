"""The stream source: the entries of a Redis stream, shared among tasks by a consumer group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kconnect import ConfigValue, ConnectError, ExactlyOnceSupport, SourceConnector
from kconnect_redis.config import RedisStreamSourceConfig
from kconnect_redis.deployment import deployment_of
from kconnect_redis.stream_group import OFFSET, PARTITION, StreamGroup, position
from kconnect_redis.stream_task import TASK_COUNT, TASK_ID, RedisStreamSourceTask


class RedisStreamSource(SourceConnector[RedisStreamSourceConfig]):
    """The position is the group's, in Redis. Offsets are kept besides, as redis-kafka-connect does."""

    task = RedisStreamSourceTask

    def validate(self, props: Mapping[str, str]) -> list[ConfigValue]:
        values = super().validate(props)
        name = props.get("redis.stream.consumer.name", "${task}")
        if props.get("tasks.max", "1").strip() not in ("", "1") and "${task}" not in name:
            named = next(value for value in values if value.name == "redis.stream.consumer.name")
            named.add_error(f"{name!r} would be the name of every task's consumer: add ${{task}}, or set tasks.max=1")
        return values

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [{**self.props, TASK_ID: str(n), TASK_COUNT: str(max_tasks)} for n in range(max_tasks)]

    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport:
        return ExactlyOnceSupport.UNSUPPORTED

    def alter_offsets(
        self, props: Mapping[str, str], offsets: Mapping[frozenset[tuple[str, Any]], Mapping[str, Any] | None]
    ) -> bool:
        """The group follows: what it had taken and not acknowledged is given up, and reading goes on behind the id."""
        for partition, offset in offsets.items():
            if dict(partition) != PARTITION:
                raise ConnectError(f"the partition {dict(partition)} must be {{}}: a connector reads one stream")
            position(offset)
        config = RedisStreamSourceConfig.parse(props)
        redis = deployment_of(config)
        try:
            for offset in offsets.values():
                begin = config.begin if offset is None else offset[OFFSET]
                StreamGroup(config, redis.link_of(config.stream)).move_to(begin)
        finally:
            redis.close()
        return True
