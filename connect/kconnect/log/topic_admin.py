"""Creating, changing and deleting topics: what requests ask for, checked as Kafka checks it."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING

from kconnect.log.errors import RequestError
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.storage.topic import OFFSETS_TOPIC, TRANSACTIONS_TOPIC, Topic, check_topic_name
from kconnect.log.topic_config import InvalidTopicConfigError, TopicConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kconnect.log.settings import BrokerSettings
    from kconnect.log.storage.syncer import Syncer
    from kconnect.log.storage.topic_store import TopicStore

NODE_ID = 1
_MAX_PARTITIONS = 10_000


class TopicAdmin:
    """What requests may do to topics. Every method raises RequestError, and then has changed nothing.

    `on_delete` hears the names of deleted topics.
    """

    def __init__(
        self, topics: TopicStore, syncer: Syncer, settings: BrokerSettings, on_delete: Callable[[str], None]
    ) -> None:
        self._topics = topics
        self._syncer = syncer
        self._settings = settings
        self._on_delete = on_delete

    def find_or_create(self, name: str) -> Topic:
        """The topic, made on first use where the settings allow it."""
        topic = self._topics.by_name.get(name)
        if topic is not None:
            return topic
        if name == OFFSETS_TOPIC:
            return self.offsets_topic()
        if name == TRANSACTIONS_TOPIC:
            return self.transactions_topic()
        check_topic_name(name, self._topics.by_name)
        if not self._settings.auto_create_topics:
            raise RequestError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        return self._create(name, self._settings.num_partitions, {})

    def offsets_topic(self) -> Topic:
        """The topic of committed offsets, made on first use. Its records are synced before they count."""
        settings = self._settings
        return self._internal_topic(
            OFFSETS_TOPIC, settings.offsets_topic_partitions, settings.offsets_topic_segment_bytes
        )

    def transactions_topic(self) -> Topic:
        """The topic of transactional ids, made on first use. Its records are synced before they count."""
        settings = self._settings
        return self._internal_topic(
            TRANSACTIONS_TOPIC, settings.transaction_state_partitions, settings.transaction_state_segment_bytes
        )

    def _internal_topic(self, name: str, partitions: int, segment_bytes: int) -> Topic:
        configs = {
            "cleanup.policy": "compact",
            "compression.type": "producer",
            "segment.bytes": str(segment_bytes),
            "flush.messages": "1",
        }
        return self._topics.by_name.get(name) or self._create(name, partitions, configs)

    def create(
        self,
        name: str,
        *,
        partitions: int,
        replication_factor: int,
        assignments: dict[int, Sequence[int]],
        configs: dict[str, str],
        validate_only: bool,
    ) -> tuple[Topic | None, int]:
        """(the new topic or None, its number of partitions); -1 partitions or replicas stand for the default."""
        check_topic_name(name, self._topics.by_name)
        if name in self._topics.by_name:
            raise RequestError(ErrorCode.TOPIC_ALREADY_EXISTS, f"topic {name!r} exists already")
        if assignments:
            if partitions != -1 or replication_factor != -1:
                raise RequestError(
                    ErrorCode.INVALID_REQUEST, "with replica assignments, partitions and replication factor must be -1"
                )
            _check_assignments(assignments)
            partitions = len(assignments)
        else:
            partitions = self._settings.num_partitions if partitions == -1 else partitions
            _check_partitions(partitions)
            _check_replication_factor(replication_factor)
        _check_configs(configs)
        if validate_only:
            return None, partitions
        return self._create(name, partitions, configs), partitions

    def _create(self, name: str, partitions: int, configs: dict[str, str]) -> Topic:
        try:
            return self._topics.create(name, partitions, configs)
        except OSError as e:
            raise _storage_error(f"topic {name!r} cannot be created", e) from e

    def add_partitions(
        self, topic: Topic, count: int, assignments: Sequence[Sequence[int]] | None, *, validate_only: bool
    ) -> None:
        """Let `topic` have `count` partitions."""
        present = len(topic.partitions)
        if count <= present:
            raise RequestError(
                ErrorCode.INVALID_PARTITIONS,
                f"topic {topic.name!r} has {present} partitions already, not below {count}",
            )
        _check_partitions(count)
        if assignments is not None:
            if len(assignments) != count - present:
                raise RequestError(
                    ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"{count - present} new partitions need as many assignments"
                )
            _check_assignments(dict(enumerate(assignments)))
        if validate_only:
            return
        try:
            self._topics.add_partitions(topic, count)
        except OSError as e:
            raise _storage_error(f"partitions of {topic.name!r} cannot be created", e) from e

    def configure(self, topic: Topic, overrides: dict[str, str], *, validate_only: bool) -> None:
        """Replace what was set of the topic's configs."""
        _check_configs(overrides)
        if validate_only:
            return
        try:
            self._topics.configure(topic, overrides)
        except OSError as e:
            raise _storage_error(f"configs of {topic.name!r} cannot be kept", e) from e

    def delete(self, topic: Topic) -> None:
        """Forget `topic`; its files go later, elsewhere than on the loop."""
        if topic.is_internal:
            raise RequestError(ErrorCode.INVALID_REQUEST, f"{topic.name} belongs to the log itself")
        for partition in topic.partitions:
            self._syncer.forget(partition)
        try:
            folders = self._topics.delete(topic)
        except OSError as e:
            raise _storage_error(f"topic {topic.name!r} cannot be deleted", e) from e
        for folder in folders:
            self._syncer.run(partial(shutil.rmtree, folder, ignore_errors=True))
        self._on_delete(topic.name)


def _check_partitions(partitions: int) -> None:
    if not 0 < partitions <= _MAX_PARTITIONS:
        raise RequestError(
            ErrorCode.INVALID_PARTITIONS, f"{partitions} partitions: 1 to {_MAX_PARTITIONS} are possible"
        )


def _check_replication_factor(factor: int) -> None:
    if factor not in (-1, 1):
        raise RequestError(
            ErrorCode.INVALID_REPLICATION_FACTOR,
            f"replication factor {factor}: the log has one broker, so only 1 is possible",
        )


def _check_assignments(assignments: dict[int, Sequence[int]]) -> None:
    if sorted(assignments) != list(range(len(assignments))):
        raise RequestError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, "partitions must be numbered from 0 without gaps")
    for partition, brokers in assignments.items():
        if list(brokers) != [NODE_ID]:
            raise RequestError(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT, f"partition {partition} can lie on broker {NODE_ID} alone"
            )


def _check_configs(configs: dict[str, str]) -> None:
    try:
        TopicConfig.of(configs)
    except InvalidTopicConfigError as e:
        raise RequestError(ErrorCode.INVALID_CONFIG, str(e)) from e


def _storage_error(what: str, error: OSError) -> RequestError:
    return RequestError(ErrorCode.KAFKA_STORAGE_ERROR, f"{what}: {error.strerror}")
