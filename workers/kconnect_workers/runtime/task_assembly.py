"""Puts a task together from its configuration: the plugin, its transforms and converters, Kafka clients, offsets."""

from __future__ import annotations

import contextlib
import logging
from typing import Any, Protocol

from confluent_kafka import Consumer, KafkaError, Producer

from kconnect import kafka
from kconnect.errors import ConfigError
from kconnect.source import SourceConnector, SourceTask
from kconnect_workers.connector_config import ConnectorConfig
from kconnect_workers.runtime import messages
from kconnect_workers.runtime.error_handling import ErrorHandler, ErrorPolicy, ErrorReporter
from kconnect_workers.runtime.host import Host
from kconnect_workers.runtime.messages import RunTask
from kconnect_workers.runtime.offsets import OffsetLog, Offsets, OffsetTopic, WorkerOffsets
from kconnect_workers.runtime.plugin_call import plugin_call
from kconnect_workers.runtime.plugin_loader import PluginLoader
from kconnect_workers.runtime.record_sender import RecordSender
from kconnect_workers.runtime.source_task import WorkerSourceTask
from kconnect_workers.runtime.task_control import TaskControl
from kconnect_workers.states import TaskId
from kconnect_workers.worker_config import WorkerConfig

clients_log = logging.getLogger("kconnect.kafka")

DEFAULT_OFFSETS_TOPIC = "connect-offsets"
_READER_GROUP = "connect-offsets-reader"


class WorkerTask(Protocol):
    """A source or sink task with its loop."""

    def run(self) -> None: ...

    def stats(self) -> messages.Stats: ...


class TaskAssembly:
    """One task's parts. `close` releases those that hold something."""

    def __init__(self, host: Host, run: RunTask, control: TaskControl) -> None:
        self.id = TaskId(run.connector, run.task)
        self._host = host
        self._run = run
        self._control = control
        self._closing = contextlib.ExitStack()
        self._loader = PluginLoader(f"task {self.id}", run.worker_props)
        self.worker = WorkerConfig.parse(self._loader.resolved(run.worker_props))
        self.connector_props = self._loader.resolved(run.connector_props)
        self.task_props = self._loader.resolved(run.task_props)
        self.connector_class = self._loader.connector_class(self.connector_props.get("connector.class", ""))

    def task(self) -> WorkerTask:
        """The task, ready to run."""
        if issubclass(self.connector_class, SourceConnector):
            return self._source_task(self.connector_class)
        raise ConfigError("not a source")

    def close(self) -> None:
        self._closing.close()

    def _source_task(self, connector_class: type[SourceConnector[Any]]) -> WorkerSourceTask:
        task = self._new_task(connector_class)
        producer = self._producer()
        errors = self._errors(ConnectorConfig.parse(self.connector_props), reporter=None)
        wants_records = type(task).commit_record is not SourceTask.commit_record
        key_converter = self._loader.converter("key", self.connector_props)
        value_converter = self._loader.converter("value", self.connector_props)
        header_converter = self._loader.header_converter(self.connector_props)
        for converter in (key_converter, value_converter, header_converter):
            self._closing.callback(converter.close)
        sender = RecordSender(
            producer,
            key_converter=key_converter,
            value_converter=value_converter,
            header_converter=header_converter,
            chain=None,
            errors=errors,
            stopping=self._control.stopping,
            on_record=task.commit_record if wants_records else None,
        )
        return WorkerSourceTask(
            self.id,
            task,
            props=self.task_props,
            control=self._control,
            sender=sender,
            errors=errors,
            offsets=Offsets(self.id.connector, self._offset_log(producer)),
            flush_interval_s=self.worker.offset_flush_interval_ms / 1000,
            flush_timeout_s=self.worker.offset_flush_timeout_ms / 1000,
        )

    def _new_task(self, connector_class: type[SourceConnector[Any]]) -> SourceTask[Any]:
        with plugin_call(connector_class.task, "__init__", f"task {self.id}"):
            return connector_class.task()

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

    def _producer(self) -> Producer:
        client_id = f"connector-producer-{self.id}"
        props = {"client.id": client_id, **self.worker.client_props("producer"), **self._overrides("producer")}
        return kafka.producer(props, logger=clients_log, error_cb=_log_client_error)

    def _offset_log(self, producer: Producer) -> OffsetLog:
        """Offsets are written by the records' producer, unless the connector has changed that for its own ends."""
        if self._run.worker_keeps_offsets:
            return WorkerOffsets(self._host, self.id.connector)
        topic = self.connector_props.get("offsets.storage.topic") or self.worker.originals.get(
            "offset.storage.topic", DEFAULT_OFFSETS_TOPIC
        )
        return offset_topic(self.worker, topic, producer=None if self._overrides("producer") else producer)


def offset_topic(worker: WorkerConfig, topic: str, producer: Producer | None = None) -> OffsetTopic:
    """The offsets topic, by the worker's own clients."""

    def make_producer() -> Producer:
        return producer or kafka.producer(worker.client_props("producer"), logger=clients_log)

    def make_consumer() -> Consumer:
        props = {
            **worker.client_props("consumer"),
            "group.id": _READER_GROUP,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
        return kafka.consumer(props, logger=clients_log)

    return OffsetTopic(topic, make_producer, make_consumer)


def _log_client_error(error: KafkaError) -> None:
    clients_log.warning("%s", error.str())
