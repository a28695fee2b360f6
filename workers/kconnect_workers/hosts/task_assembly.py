"""Puts a task together from its configuration: the plugin, its transforms and converters, Kafka clients, offsets."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, Protocol

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from kconnect import kafka
from kconnect.converter import Converter, HeaderConverter
from kconnect.errors import ConfigError, ConnectError
from kconnect.kafka.client import Client
from kconnect.kafka.settings import known
from kconnect.sink import SinkConnector
from kconnect.source import SourceConnector, SourceTask
from kconnect_workers.config import exactly_once
from kconnect_workers.config.connector_config import ConnectorConfig, SinkConnectorConfig, SourceConnectorConfig
from kconnect_workers.config.exactly_once import TransactionBoundary
from kconnect_workers.config.source_errors import SourceErrorsConfig
from kconnect_workers.config.topic_creation import topic_creation_rules
from kconnect_workers.config.worker_config import WorkerConfig
from kconnect_workers.hosts.client_logs import client_log
from kconnect_workers.hosts.host import Host
from kconnect_workers.hosts.messages import RunTask
from kconnect_workers.hosts.offset_logs import offset_storage, offsets_topic
from kconnect_workers.hosts.plugin_loader import PluginLoader
from kconnect_workers.states import TaskId
from kconnect_workers.tasks.chain import TransformationChain
from kconnect_workers.tasks.dead_letter_queue import DeadLetterQueue
from kconnect_workers.tasks.errant_records import WorkerErrantRecordReporter
from kconnect_workers.tasks.error_handling import ErrorHandler, ErrorPolicy, ErrorReporter
from kconnect_workers.tasks.exactly_once import ExactlyOnceCommits, Outcomes
from kconnect_workers.tasks.new_topic import ensure_topic
from kconnect_workers.tasks.offset_commits import AtLeastOnceCommits, CommitTeller
from kconnect_workers.tasks.offset_storage import OffsetStorage
from kconnect_workers.tasks.partition_logs import PartitionLogs
from kconnect_workers.tasks.plugin_call import plugin_call
from kconnect_workers.tasks.predecessor import evict_predecessor
from kconnect_workers.tasks.raw_messages import RawMessages
from kconnect_workers.tasks.record_decoder import RecordDecoder
from kconnect_workers.tasks.record_sender import RecordSender
from kconnect_workers.tasks.sink_consumer import SinkConsumer
from kconnect_workers.tasks.sink_task import WorkerSinkTask
from kconnect_workers.tasks.source_dead_letters import SourceDeadLetters
from kconnect_workers.tasks.source_task import WorkerSourceTask
from kconnect_workers.tasks.subscription import ListedTopics, MatchingTopics
from kconnect_workers.tasks.task_control import TaskControl
from kconnect_workers.tasks.task_stats import TaskStats
from kconnect_workers.tasks.topic_creator import TopicCreator
from kconnect_workers.tasks.topic_ids import AskTopicIds, TopicIds
from kconnect_workers.tasks.transactions import Transactions
from kconnect_workers.tasks.used_topics import UsedTopics

log = logging.getLogger(__name__)

# Bounds of what librdkafka may hold, which are generous by default: a task holds little of its own. A consumer whose
# queue is full looks again after a second by default: a quick task would wait for most of it.
_PRODUCER_DEFAULTS = {"buffer.memory": str(32 * 1024 * 1024)}
_CONSUMER_DEFAULTS = {"queued.max.messages.kbytes": str(16 * 1024), "fetch.queue.backoff.ms": "10"}
_MAX_POLL_RECORDS = 500
_TOPIC_IDS_TIMEOUT_S = 5.0
_LARGEST_POLL = 1_000_000  # what librdkafka gives at a time


class WorkerTask(Protocol):
    """A source or sink task with its loop."""

    def run(self) -> None: ...

    def stats(self) -> TaskStats: ...


class _Converters(NamedTuple):
    key: Converter
    value: Converter
    header: HeaderConverter


class TaskAssembly:
    """One task's parts. `close` releases those that hold something."""

    def __init__(self, host: Host, run: RunTask, control: TaskControl, topics: UsedTopics) -> None:
        self.id = TaskId(run.connector, run.task)
        self._host = host
        self._run = run
        self._control = control
        self._closing = contextlib.ExitStack()
        self._owner = f"task {self.id}"
        self._loader = PluginLoader(self._owner, run.worker_props, run.plugins)
        self.worker = WorkerConfig.parse(self._loader.resolved(run.worker_props))
        self._on_topic = topics.use if self.worker.topic_tracking_enable else None
        self.connector_props = self._loader.resolved(run.connector_props)
        self.task_props = self._loader.resolved(run.task_props)
        self.connector_class = self._loader.connector_class(self.connector_props.get("connector.class", ""))
        source = issubclass(self.connector_class, SourceConnector)
        kind: Literal["producer", "consumer"] = "producer" if source else "consumer"
        self._client_log = client_log(
            {**self.worker.client_props(kind), **self._overrides(kind)}, lambda text: host.remark("brokers", text)
        )

    def task(self) -> WorkerTask:
        """The task, ready to run."""
        if issubclass(self.connector_class, SourceConnector):
            return self._source_task(self.connector_class)
        return self._sink_task(self.connector_class)

    def close(self) -> None:
        self._closing.close()

    def _source_task(self, connector_class: type[SourceConnector[Any]]) -> WorkerSourceTask:
        with plugin_call(connector_class.task, "__init__", self._owner):
            task = connector_class.task()
        producer = self._source_producer()
        offsets = self._offset_storage(producer)
        errors = self._errors(ConnectorConfig.parse(self.connector_props), reporter=None)
        converters = self._converters()
        wants_records = type(task).commit_record is not SourceTask.commit_record
        outcomes = Outcomes(self.id, task) if wants_records and self._exactly_once else None
        sender = RecordSender(
            producer,
            key_converter=converters.key,
            value_converter=converters.value,
            header_converter=converters.header,
            chain=self._chain(),
            errors=errors,
            stopping=self._control.stopping,
            on_record=outcomes.add if outcomes else task.commit_record if wants_records else None,
            before_topic=self._before_topic(),
            on_topic=self._on_topic,
            dead_letters=self._source_dead_letters(converters),
            transactional=self._exactly_once,
        )
        teller = CommitTeller(self.id, task)
        return WorkerSourceTask(
            self.id,
            task,
            props=self.task_props,
            control=self._control,
            sender=sender,
            errors=errors,
            offsets=offsets,
            commits=self._exactly_once_commits(producer, sender, offsets, teller, outcomes)
            if self._exactly_once
            else self._at_least_once_commits(sender, offsets, teller),
            check_lease=self._host.check_lease,
        )

    def _at_least_once_commits(
        self, sender: RecordSender, offsets: OffsetStorage, teller: CommitTeller
    ) -> AtLeastOnceCommits:
        return AtLeastOnceCommits(
            self.id,
            sender,
            offsets,
            teller,
            check_lease=self._host.check_lease,
            interval_s=self.worker.offset_flush_interval_ms / 1000,
            timeout_s=self.worker.offset_flush_timeout_ms / 1000,
        )

    def _exactly_once_commits(
        self,
        producer: Producer,
        sender: RecordSender,
        offsets: OffsetStorage,
        teller: CommitTeller,
        outcomes: Outcomes | None,
    ) -> ExactlyOnceCommits:
        config = SourceConnectorConfig.parse(self.connector_props)
        transactions = Transactions(
            self.id,
            producer,
            transactional_id=exactly_once.transactional_id(self._run.worker_props, self.id),
            offsets_topic=offsets_topic(self._run.worker_props, self.connector_props),
            check_lease=self._host.check_lease,
            stopping=self._control.stopping,
            timeout_s=self.worker.offset_flush_timeout_ms / 1000,
        )
        interval_ms = config.transaction_boundary_interval_ms
        return ExactlyOnceCommits(
            sender,
            offsets,
            transactions,
            teller,
            boundary=TransactionBoundary(config.transaction_boundary.lower()),
            interval_s=(self.worker.offset_flush_interval_ms if interval_ms is None else interval_ms) / 1000,
            outcomes=outcomes,
        )

    @property
    def _exactly_once(self) -> bool:
        return exactly_once.is_enabled(self._run.worker_props)

    def _source_producer(self) -> Producer:
        settings = self._overrides("producer")
        if self._exactly_once:
            wanted = {
                "transactional.id": exactly_once.transactional_id(self._run.worker_props, self.id),
                "enable.idempotence": "true",
            }
            for name in sorted(name for name in wanted if settings.get(name, wanted[name]) != wanted[name]):
                log.warning(
                    "producer.override.%s=%s has no effect: exactly.once.source.support needs %s",
                    name,
                    settings[name],
                    wanted[name],
                )
            settings |= wanted
        return self._producer(f"connector-producer-{self.id}", settings)

    def _before_topic(self) -> Callable[[str], None] | None:
        create = self._topic_creation()
        if not self._exactly_once:
            return create
        offsets = offsets_topic(self._run.worker_props, self.connector_props)

        def before_topic(topic: str) -> None:
            if topic == offsets:
                # Its next read of its offsets would wait for the end of its own transaction.
                raise ConnectError(
                    f"{self.id}: with exactly-once support, no source may write to its offsets topic, {topic}"
                )
            if create is not None:
                create(topic)

        return before_topic

    def _topic_creation(self) -> Callable[[str], None] | None:
        """None where topics are left to the brokers."""
        rules = topic_creation_rules(self.connector_props) if self.worker.topic_creation_enable else []
        if not rules:
            return None
        return TopicCreator(rules, self._admin).ensure

    def _sink_task(self, connector_class: type[SinkConnector[Any]]) -> WorkerSinkTask:
        with plugin_call(connector_class.task, "__init__", self._owner):
            task = connector_class.task()
        config = SinkConnectorConfig.parse(self.connector_props)
        reports = self._dead_letter_queue(config)
        errors = self._errors(config, reporter=reports)
        converters = self._converters()
        decoder = RecordDecoder(
            key_converter=converters.key,
            value_converter=converters.value,
            header_converter=converters.header,
            chain=self._chain(),
            errors=errors,
            on_topic=self._on_topic,
            columnar=type(task).columnar,
        )
        props = {**_CONSUMER_DEFAULTS, **self._consumer_props()}
        raw = None if reports is None else self._raw_messages(props)
        reports_errors = reports is not None or config.errors_log_enable
        if props["client.id"] == self._consumer_id:  # and nobody else's
            evict_predecessor(props)
        consumer = kafka.consumer(props, **self._client_log.callbacks)
        return WorkerSinkTask(
            self.id,
            task,
            props=self.task_props,
            control=self._control,
            consumer=self._sink_consumer(consumer, props),
            group_id=props["group.id"],
            subscription=ListedTopics(config.topics) if config.topics else MatchingTopics(config.topics_regex),
            decoder=decoder,
            errors=errors,
            reports=reports,
            raw_messages=raw,
            errant_record_reporter=WorkerErrantRecordReporter(type(task), errors, raw) if reports_errors else None,
            partition_log=PartitionLogs(consumer, self._admin).of,
            check_lease=self._host.check_lease,
            commit_interval_s=self.worker.offset_flush_interval_ms / 1000,
        )

    def _sink_consumer(self, consumer: Consumer, props: Mapping[str, str]) -> SinkConsumer:
        return SinkConsumer(
            consumer,
            TopicIds(self._ask_topic_ids(props), interval_s=self.worker.offset_flush_interval_ms / 1000),
            cooperative="cooperative" in props.get("partition.assignment.strategy", "").lower(),
            resets=props.get("auto.offset.reset", "").lower() not in ("none", "error"),
            max_poll_records=min(int(props.get("max.poll.records", _MAX_POLL_RECORDS)), _LARGEST_POLL),
            commit_timeout_s=self.worker.offset_flush_timeout_ms / 1000,
        )

    def _ask_topic_ids(self, consumer_props: Mapping[str, str]) -> AskTopicIds:
        """By a small client of our own: one of librdkafka's takes megabytes, and the consumer's does not tell."""
        props = known(consumer_props, "admin")
        try:
            client = Client(props, client_id=f"connector-topics-{self.id}", timeout=_TOPIC_IDS_TIMEOUT_S)
        except ConfigError as e:  # a way to log in that librdkafka alone has
            log.info("%s: a topic that is made anew while it is read will not be noticed: %s", self.id, e)
            return lambda _topics: {}
        self._closing.callback(client.close)
        return client.topic_ids

    def _converters(self) -> _Converters:
        converters = _Converters(
            self._loader.converter("key", self.connector_props),
            self._loader.converter("value", self.connector_props),
            self._loader.header_converter(self.connector_props),
        )
        for converter in converters:
            self._closing.callback(converter.close)
        return converters

    def _chain(self) -> TransformationChain | None:
        """None when there is nothing to transform."""
        if not self.connector_props.get("transforms", "").strip():
            return None
        chain = TransformationChain.from_props(self.connector_props, self._loader.plugins)
        self._closing.callback(chain.close)
        return chain or None

    def _dead_letter_queue(self, config: SinkConnectorConfig) -> DeadLetterQueue | None:
        topic = config.errors_deadletterqueue_topic_name.strip()
        if not topic:
            return None
        overrides = self._overrides("producer")
        ensure_topic(self._admin(), NewTopic(topic, 1, config.errors_deadletterqueue_topic_replication_factor))
        producer = self._producer(f"connector-dlq-producer-{self.id}", overrides)
        headers = config.errors_deadletterqueue_context_headers_enable
        return DeadLetterQueue(topic, producer, self.id, headers=headers, stopping=self._control.stopping)

    def _source_dead_letters(self, converters: _Converters) -> SourceDeadLetters | None:
        config = SourceErrorsConfig.parse(self.connector_props)
        topic = config.errors_deadletterqueue_topic_name.strip()
        if not topic:
            return None
        ensure_topic(self._admin(), NewTopic(topic, 1, config.errors_deadletterqueue_topic_replication_factor))
        return SourceDeadLetters(
            topic,
            self.id,
            key_converter=converters.key,
            value_converter=converters.value,
            header_converter=converters.header,
            context=config.errors_deadletterqueue_context_headers_enable,
        )

    def _raw_messages(self, consumer_props: Mapping[str, str]) -> RawMessages:
        """By a consumer that reads as the task's does, and joins no group."""
        props = {**consumer_props, "client.id": f"connector-reader-{self.id}", "enable.partition.eof": "true"}
        raw = RawMessages(lambda: kafka.consumer(props, **self._client_log.callbacks))
        self._closing.callback(raw.close)
        return raw

    def _errors(self, config: ConnectorConfig, reporter: ErrorReporter | None) -> ErrorHandler:
        timeout_ms = config.errors_retry_timeout
        policy = ErrorPolicy(
            tolerate_all=config.errors_tolerance == "all",
            retry_timeout_s=None if timeout_ms < 0 else timeout_ms / 1000,
            retry_delay_max_s=config.errors_retry_delay_max_ms / 1000,
            log_enabled=config.errors_log_enable,
            log_messages=config.errors_log_include_messages,
        )
        return ErrorHandler(self.id, policy, self._control.stopping, reporter)

    def _overrides(self, client: str) -> dict[str, str]:
        prefix = f"{client}.override."
        return {k.removeprefix(prefix): v for k, v in self.connector_props.items() if k.startswith(prefix)}

    def _admin(self) -> AdminClient:
        return kafka.admin(
            {**self.worker.client_props("admin"), **self._overrides("admin")}, **self._client_log.callbacks
        )

    def _producer(self, client_id: str, overrides: Mapping[str, str]) -> Producer:
        props = {**_PRODUCER_DEFAULTS, "client.id": client_id, **self.worker.client_props("producer"), **overrides}
        return kafka.producer(props, **self._client_log.callbacks)

    @property
    def _consumer_id(self) -> str:
        return f"connector-consumer-{self.id}"

    def _consumer_props(self) -> dict[str, str]:
        return {
            "group.id": f"connect-{self.id.connector}",
            "client.id": self._consumer_id,
            **self.worker.client_props("consumer"),
            **self._overrides("consumer"),
        }

    def _offset_storage(self, producer: Producer) -> OffsetStorage:
        """Offsets are written by the records' producer, unless the connector has changed that for its own ends (but in
        transactions)."""
        shared = producer if self._exactly_once or not self._overrides("producer") else None
        return offset_storage(self._host, self._run, self.worker, self.connector_props, shared)
