"""Where the processes of a source connector find its offsets: in the offsets topic, or through the worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from kconnect import kafka
from kconnect_workers.config.worker_config import WorkerConfig
from kconnect_workers.hosts.client_logs import client_log
from kconnect_workers.hosts.host import Host
from kconnect_workers.hosts.messages import RunConnector, RunTask
from kconnect_workers.stores.entry_log import Apply, Entry
from kconnect_workers.stores.internal_topics import own_offsets_topic, prepare_topics
from kconnect_workers.stores.topic_reader import READING
from kconnect_workers.tasks.offset_storage import OffsetStorage
from kconnect_workers.tasks.offset_topic import OffsetTopic

_DEFAULT_TOPIC = "connect-offsets"
_READER_GROUP = "connect-offsets-reader"


def offset_storage(
    host: Host,
    run: RunConnector | RunTask,
    worker: WorkerConfig,
    props: Mapping[str, str],
    producer: Producer | None = None,
) -> OffsetStorage:
    """The offsets of the connector that `props` configure; written by `producer` if there is one, and otherwise by the
    worker's settings."""
    if run.worker_keeps_offsets:
        return OffsetStorage(run.connector, WorkerOffsets(host, run.connector))
    topic, shared = offsets_topic(run.worker_props, props), offsets_topic(run.worker_props, {})
    if topic == shared:
        return OffsetStorage(run.connector, offset_topic(worker, topic, producer))
    wanted = own_offsets_topic(worker, topic)
    own = offset_topic(worker, topic, producer, lambda admin: prepare_topics(admin, [wanted]))
    return OffsetStorage(run.connector, own, offset_topic(worker, shared))


def offsets_topic(worker_props: Mapping[str, str], props: Mapping[str, str]) -> str:
    """The topic of the offsets of the connector that `props` configure."""
    return props.get("offsets.storage.topic") or worker_props.get("offset.storage.topic", _DEFAULT_TOPIC)


def offset_topic(
    worker: WorkerConfig,
    topic: str,
    producer: Producer | None = None,
    prepare: Callable[[AdminClient], None] | None = None,
) -> OffsetTopic:
    """The offsets topic, by clients of the worker's settings."""
    said = client_log(worker.client_props("admin"))

    def make_producer() -> Producer:
        return producer or kafka.producer(worker.client_props("producer"), **said.callbacks)

    def make_consumer() -> Consumer:
        props = {**worker.client_props("consumer"), "group.id": _READER_GROUP, **READING}
        return kafka.consumer(props, **said.callbacks)

    def make_admin() -> AdminClient:
        return kafka.admin(worker.client_props("admin"), **said.callbacks)

    return OffsetTopic(
        topic, make_producer=make_producer, make_consumer=make_consumer, make_admin=make_admin, prepare=prepare
    )


class WorkerOffsets:
    """An OffsetLog that asks the worker, which keeps a file."""

    def __init__(self, host: Host, connector: str) -> None:
        self._host = host
        self._connector = connector
        self._seen: set[bytes] = set()

    def read(self, apply: Apply) -> None:
        """The worker tells what there is: what there was, and is no more, has been reset."""
        entries = dict(self._host.read_offsets(self._connector))
        for key in self._seen - entries.keys():
            apply(key, None)
        for key, value in entries.items():
            apply(key, value)
        self._seen = set(entries)

    def write(self, entries: Sequence[Entry], timeout_s: float) -> None:
        self._host.write_offsets(list(entries))

    def idle(self) -> None:
        pass

    def close(self) -> None:
        pass
