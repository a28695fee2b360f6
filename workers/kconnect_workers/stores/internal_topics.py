"""The compacted topics that a worker keeps its configs, statuses and offsets in."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType, TopicDescription
from confluent_kafka.cimpl import NewTopic

from kconnect.errors import ConfigError, ConnectError
from kconnect.kafka.topics import replicas
from kconnect.log.storage.data_dir import CLUSTER_ID_PREFIX
from kconnect_workers.config.distributed_config import DistributedConfig
from kconnect_workers.config.worker_config import WorkerConfig

QUIET = {"log_level": "0", "log.connection.close": "false"}
"""For a worker's own clients: what fails is told by the call that fails, and not on stderr besides."""

_SECONDS = 10.0
_DENIED = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED}
_SET_BY_KEYS = {"topic", "partitions", "replication.factor", "cleanup.policy"}
_COMPACT = {"cleanup.policy": "compact"}
_SYNCED = {"flush.messages": "1"}

_PAUSE = 0.1

T = TypeVar("T")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalTopic:
    """A topic as it is wanted. `key` is the worker's setting that names it, `holds` says what is in it. -1 partitions
    or replicas: as many as the brokers give by themselves."""

    name: str
    key: str
    holds: str
    partitions: int = 1
    replication_factor: int = 1
    config: Mapping[str, str] = field(default_factory=dict)
    """Settings of the topic besides its compaction."""
    one_partition: bool = False
    """Whether more partitions than one are refused, since their records would have no order."""
    power_safe: bool = False
    """Whether, on the embedded log, a record counts only when it and those before it are synced."""


class InternalTopics(NamedTuple):
    """The three topics of a worker."""

    configs: InternalTopic
    statuses: InternalTopic
    offsets: InternalTopic

    @classmethod
    def of_one_broker(cls, *, configs: str, statuses: str, offsets: str) -> InternalTopics:
        """Of one partition each, which is enough for the embedded log."""
        return cls(
            InternalTopic(name=configs, key="config.storage.topic", holds="connector configs", one_partition=True),
            InternalTopic(name=statuses, key="status.storage.topic", holds="connector and task statuses"),
            _offsets(offsets, "offset.storage.topic", partitions=1, replication_factor=1, config={}),
        )

    @classmethod
    def of_pool(cls, config: DistributedConfig) -> InternalTopics:
        """As a worker's settings want them."""
        return cls(
            InternalTopic(
                name=config.config_storage_topic,
                key="config.storage.topic",
                holds="connector configs",
                replication_factor=config.config_storage_replication_factor,
                config=_settings(config, "config.storage."),
                one_partition=True,
            ),
            InternalTopic(
                name=config.status_storage_topic,
                key="status.storage.topic",
                holds="connector and task statuses",
                partitions=config.status_storage_partitions,
                replication_factor=config.status_storage_replication_factor,
                config=_settings(config, "status.storage."),
            ),
            _offsets(
                config.offset_storage_topic,
                "offset.storage.topic",
                partitions=config.offset_storage_partitions,
                replication_factor=config.offset_storage_replication_factor,
                config=_settings(config, "offset.storage."),
            ),
        )


def own_offsets_topic(worker: WorkerConfig, name: str) -> InternalTopic:
    """A connector's own, by its `offsets.storage.topic`: like the worker's, and of one partition where a standalone
    worker has that."""
    shared = DistributedConfig.config_def.keys if "group.id" in worker.originals else {}
    wanted = {
        setting: int(worker.originals.get(key, shared[key].default if key in shared else 1))
        for setting, key in (
            ("partitions", "offset.storage.partitions"),
            ("replication_factor", "offset.storage.replication.factor"),
        )
    }
    return _offsets(name, "offsets.storage.topic", **wanted, config=_settings(worker, "offset.storage."))


def _offsets(
    name: str, key: str, *, partitions: int, replication_factor: int, config: Mapping[str, str]
) -> InternalTopic:
    """Outside systems are told to forget what a source offset covers."""
    return InternalTopic(
        name=name,
        key=key,
        holds="source offsets",
        partitions=partitions,
        replication_factor=replication_factor,
        config=config,
        power_safe=True,
    )


def prepare_topics(admin: AdminClient, topics: Sequence[InternalTopic]) -> None:
    """Create those that do not exist; a cluster of one broker keeps one replica, whatever is wanted. Blocks.

    ConfigError, naming the worker's setting, for one that exists and would lose or mix up what it is to keep, or that
    does not exist and may not be created; ConnectError for one that cannot be created otherwise."""
    fitted = _fitted(admin, topics)
    denied = {topic.name for topic in fitted if not _create(admin, topic)}
    for topic in fitted:
        _check_partitions(admin, topic, denied=topic.name in denied)
        _check_compaction(admin, topic)


def _settings(config: WorkerConfig, prefix: str) -> dict[str, str]:
    given = {name: str(value) for name, value in config.originals_with_prefix(prefix).items()}
    for name in ("cleanup.policy", *(("partitions",) if prefix == "config.storage." else ())):
        if name in given:
            _logger.warning("%s%s=%s: without effect, the topic has to be otherwise", prefix, name, given[name])
    return {name: value for name, value in given.items() if name not in _SET_BY_KEYS}


def _fitted(admin: AdminClient, topics: Sequence[InternalTopic]) -> Sequence[InternalTopic]:
    """As they can be had on this cluster."""
    try:
        cluster = admin.list_topics(timeout=_SECONDS)
    except KafkaException as e:
        names = ", ".join(topic.name for topic in topics)
        raise ConnectError(f"the internal topics {names} cannot be looked for: {e.args[0].str()}") from e
    if str(cluster.cluster_id).startswith(CLUSTER_ID_PREFIX):
        topics = [replace(topic, config={**_SYNCED, **topic.config}) if topic.power_safe else topic for topic in topics]
    brokers = len(cluster.brokers)
    return [replace(topic, replication_factor=replicas(topic.replication_factor, brokers=brokers)) for topic in topics]


def _create(admin: AdminClient, topic: InternalTopic) -> bool:
    """False when the worker may not; another may have created it."""
    new = NewTopic(topic.name, topic.partitions, topic.replication_factor, config={**_COMPACT, **topic.config})
    [outcome] = admin.create_topics([new], operation_timeout=_SECONDS, request_timeout=_SECONDS).values()
    try:
        outcome.result()
    except KafkaException as e:
        if e.args[0].code() in _DENIED:
            return False
        if e.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise ConnectError(f"the internal topic {topic.name} cannot be created: {e.args[0].str()}") from e
    else:
        _logger.info("topic %s was created, for %s", topic.name, topic.holds)
    return True


def _check_partitions(admin: AdminClient, topic: InternalTopic, *, denied: bool) -> None:
    def describe() -> TopicDescription:
        asked = admin.describe_topics(TopicCollection([topic.name]), request_timeout=_SECONDS)
        described: TopicDescription = asked[topic.name].result()
        return described

    try:
        described = describe() if denied else _once_known(describe)
    except KafkaException as e:
        code = e.args[0].code()
        if code in _DENIED or (denied and code == KafkaError.UNKNOWN_TOPIC_OR_PART):
            raise ConfigError(
                "does not exist, and this worker is not allowed to create it"
                if code == KafkaError.UNKNOWN_TOPIC_OR_PART
                else "this worker is not allowed to see it",
                key=topic.key,
                value=topic.name,
                suggestion="let the worker's user create, describe, read and write it"
                + (", or create it by hand, compacted" if denied else ""),
            ) from e
        raise ConnectError(f"the internal topic {topic.name} cannot be looked at: {e.args[0].str()}") from e
    if topic.one_partition and len(described.partitions) != 1:
        raise ConfigError(
            f"has {len(described.partitions)} partitions, and {topic.holds} need one, to be in one order",
            key=topic.key,
            value=topic.name,
            suggestion="name another topic, or delete this one to have it created",
        )


def _once_known(ask: Callable[[], T]) -> T:
    """What `ask` answers about a topic that was just created, perhaps by another worker: not every broker knows it at
    once."""
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            return ask()
        except KafkaException as e:
            if e.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)


def _check_compaction(admin: AdminClient, topic: InternalTopic) -> None:
    resource = ConfigResource(ResourceType.TOPIC, topic.name)
    try:
        found = _once_known(lambda: admin.describe_configs([resource], request_timeout=_SECONDS)[resource].result())
    except KafkaException as e:
        if e.args[0].code() in _DENIED:
            _logger.warning(
                "topic %s is taken to be compacted: this worker is not allowed to look (DescribeConfigs)", topic.name
            )
            return
        raise ConnectError(f"the settings of the internal topic {topic.name} cannot be read: {e.args[0].str()}") from e
    policy = str(found["cleanup.policy"].value)
    if policy != "compact":
        raise ConfigError(
            f"its cleanup.policy is {policy!r}, which would come to lose {topic.holds}",
            key=topic.key,
            value=topic.name,
            suggestion="set the topic's cleanup.policy to compact, or name another topic",
        )
