"""The pub/sub source: messages of channels, at most once."""

from __future__ import annotations

import logging
import threading

from kconnect import (
    ExactlyOnceSupport,
    RetriableError,
    SourceConnector,
    SourceRecord,
    SourceTask,
)
from kconnect.schema import BYTES_SCHEMA, STRING_SCHEMA
from kconnect_redis.config import RedisPubSubSourceConfig
from kconnect_redis.decoding import TextDecoder
from kconnect_redis.deployment import deployment_of
from kconnect_redis.subscription import Subscription

_WAIT_S = 0.5

log = logging.getLogger(__name__)


class RedisPubSubSourceTask(SourceTask[RedisPubSubSourceConfig]):
    """Key is the channel, value the message. There are no offsets: what is published while nobody listens is gone."""

    def start(self, config: RedisPubSubSourceConfig) -> None:
        self._using = threading.Lock()
        self._config = config
        self._redis = deployment_of(config)
        self._subscription: Subscription | None = None
        self._listened = False
        self._text = TextDecoder(config.charset, "a message")
        self._as_bytes = config.format == "bytes"

    def poll(self) -> list[SourceRecord] | None:
        with self._using:
            try:
                messages = self._listening().read(self._config.batch_size, _WAIT_S)
            except RetriableError:
                self._hang_up()
                raise
        return [self._record(self._text(message.channel), message.data) for message in messages]

    def stop(self) -> None:
        if hasattr(self, "_using") and self._using.acquire(blocking=False):
            try:
                self._hang_up()
                self._redis.close()
            finally:
                self._using.release()

    def _listening(self) -> Subscription:
        """In a cluster every message reaches every node: one is enough."""
        if self._subscription is None:
            config = self._config
            self._subscription = Subscription(config, self._redis.links()[0], config.channels, config.patterns)
            if self._listened:
                log.warning("listening again; what was published in between is lost")
            self._listened = True
        return self._subscription

    def _hang_up(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.close()

    def _record(self, channel: str, data: bytes) -> SourceRecord:
        return SourceRecord(
            None,
            None,
            self._config.topic.replace("${channel}", channel),
            key_schema=STRING_SCHEMA,
            key=channel,
            value_schema=BYTES_SCHEMA if self._as_bytes else STRING_SCHEMA,
            value=data if self._as_bytes else self._text(data),
        )


class RedisPubSubSource(SourceConnector[RedisPubSubSourceConfig]):
    """One task: every listener is given every message."""

    task = RedisPubSubSourceTask

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return super().task_configs(min(max_tasks, 1))

    def exactly_once_support(self, props: object) -> ExactlyOnceSupport:
        return ExactlyOnceSupport.UNSUPPORTED
