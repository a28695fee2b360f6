"""The Redis sink: records as strings, hashes, sets, entries of streams …"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from kconnect import ConnectError, DataError, RetriableError, SinkConnector, SinkRecord, SinkTask, TopicPartition
from kconnect_redis.commands import RecordCommands
from kconnect_redis.config import RedisSinkConfig
from kconnect_redis.deployment import Deployment, deployment_of
from kconnect_redis.offset_store import RedisOffsets
from kconnect_redis.writers import ExactlyOnceWriter, PlainWriter, TransactionWriter, Writer

_MODULES = {"JSON": ("JSON.SET", "RedisJSON"), "TIMESERIES": ("TS.ADD", "RedisTimeSeries")}


class RedisSinkTask(SinkTask[RedisSinkConfig]):
    """What is put is in Redis when `put` returns. Records that Redis refuses are reported one by one."""

    def start(self, config: RedisSinkConfig) -> None:
        self._redis = deployment_of(config)
        self._writer = self._writer_for(config)
        self._kind = config.kind
        self._checked = False
        with suppress(RetriableError):  # Redis may come later; a wrong password is told now
            self._check_once()

    def put(self, records: Sequence[SinkRecord]) -> None:
        self._check_once()
        self._writer.write(records, self._report)

    def close(self, partitions: Sequence[TopicPartition]) -> None:
        self._writer.close(partitions)

    def stop(self) -> None:
        if hasattr(self, "_redis"):
            self._redis.close()

    def _report(self, record: SinkRecord, error: DataError) -> None:
        reporter = self.context.errant_record_reporter
        if reporter is None:
            raise error
        reporter.report(record, error)

    def _writer_for(self, config: RedisSinkConfig) -> Writer:
        commands = RecordCommands(config)
        if config.exactly_once or config.multiexec:
            [link] = self._redis.links()
            if config.exactly_once:
                return ExactlyOnceWriter(config, link, commands, self.context.configs.get("name", ""), self.context)
            return TransactionWriter(config, link, commands)
        return PlainWriter(config, self._redis, commands)

    def _check_once(self) -> None:
        if not self._checked:
            check_commands(self._redis, self._kind)
            self._checked = True


def check_commands(redis: Deployment, kind: str) -> None:
    """ConnectError where the server lacks the module that `kind` needs."""
    command, module = _MODULES.get(kind, ("", ""))
    for link in redis.links():
        link.call("PING")
        if command and link.call("COMMAND", "INFO", command) in ([None], [[]]):
            raise ConnectError(
                f"redis.type={kind}: Redis at {link.address} has no {command}: load the module {module}, or choose "
                "another type"
            )


class RedisSink(SinkConnector[RedisSinkConfig]):
    task = RedisSinkTask

    def alter_offsets(self, props: Mapping[str, str], offsets: Mapping[TopicPartition, int | None]) -> bool:
        config = RedisSinkConfig.parse(props)
        if config.exactly_once:
            redis = deployment_of(config)
            try:
                [link] = redis.links()
                RedisOffsets(link, props.get("name", "")).alter(offsets)
            finally:
                redis.close()
        return True
