"""The MongoDB sink: records as documents that are inserted, replaced, updated, deleted."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress

from kconnect import (
    ConfigError,
    DataError,
    RetriableError,
    SinkConnector,
    SinkRecord,
    SinkTask,
    TopicPartition,
)
from kconnect.config import ConfigValue
from kconnect_mongodb.bulk_writer import BulkWriter
from kconnect_mongodb.client import Client, client_of, closed
from kconnect_mongodb.connection_config import add_error, refusals
from kconnect_mongodb.failures import translating
from kconnect_mongodb.sink_config import OVERRIDE, UNCOVERED, MongoSinkConfig, overridden
from kconnect_mongodb.topic_plan import TopicPlan

log = logging.getLogger(__name__)


class MongoSinkTask(SinkTask[MongoSinkConfig]):
    """What is put is in MongoDB when `put` returns. Records that it refuses are reported one by one."""

    _client: Client | None = None

    def start(self, config: MongoSinkConfig) -> None:
        self._address = config.address
        self._client = client_of(config, "sink")
        self._writer = BulkWriter(config, self._client, self._address, self._report)
        for topic in _named_topics(config.originals):
            self._writer.plan_of(topic)
        self._is_checked = False
        with suppress(RetriableError):  # MongoDB may come later; a wrong password is told now
            self._check_once()

    def put(self, records: Sequence[SinkRecord]) -> None:
        self._check_once()
        self._writer.write(records)

    def close(self, partitions: Sequence[TopicPartition]) -> None:
        if self._client is not None:
            self._writer.forget()

    def stop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            closed(client)

    def _check_once(self) -> None:
        """The login is tried with a command that needs one."""
        if not self._is_checked and self._client is not None:
            with translating(self._address):
                self._client.admin.command("ping")
            self._is_checked = True

    def _report(self, record: SinkRecord, error: DataError, config: MongoSinkConfig) -> None:
        tolerance = (config.tolerance or "").lower()
        reporter = self.context.errant_record_reporter
        if tolerance == "none" or (reporter is None and not tolerance):
            raise error
        if reporter is not None:
            reporter.report(record, error)
        if reporter is None or config.log_errors:
            log.warning("passed over, as mongo.errors.tolerance says: %s", error)


class MongoSink(SinkConnector[MongoSinkConfig]):
    task = MongoSinkTask

    def validate(self, props: Mapping[str, str]) -> list[ConfigValue]:
        values = super().validate(props) + refusals(UNCOVERED, props)
        if not any(value.errors for value in values):
            try:
                config = MongoSinkConfig.parse(props)
                for topic in _named_topics(props):
                    TopicPlan(config, topic)
            except ConfigError as error:
                add_error(values, error)
        return values

    def alter_offsets(self, props: Mapping[str, str], offsets: Mapping[TopicPartition, int | None]) -> bool:
        return True  # they are the consumer group's alone


def _named_topics(props: Mapping[str, str]) -> list[str]:
    """Those that the configuration names, or one that stands for all."""
    topics = [topic.strip() for topic in props.get("topics", "").split(",") if topic.strip()]
    overrides = {overridden(name, MongoSinkConfig.config_def.keys)[0] for name in props if name.startswith(OVERRIDE)}
    return sorted({*topics, *overrides}) or ["topic"]
