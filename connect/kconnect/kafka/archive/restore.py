"""Bringing an archive into a cluster."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from confluent_kafka.cimpl import NewTopic

from kconnect.errors import AlreadyExistsError, ConnectError, RetriableError
from kconnect.kafka.archive.manifest import ArchivedGroup, ArchivedTopic
from kconnect.kafka.archive.plain_batches import to_produce
from kconnect.kafka.client import Client
from kconnect.log.protocol import ErrorCode, ProtocolError, requests, responses
from kconnect.log.protocol.batch import LENGTH_PREFIX, BatchHeader, check_crc, read_header
from kconnect.log.protocol.records import read_records

__all__ = ["import_groups", "import_topic"]

_LAST_BY_NAME = 12  # newer versions of Produce name topics by their ids
_PATIENCE_SECONDS = 30.0
_PAUSE_SECONDS = 0.1
_ADMIN_SECONDS = 30.0
_NOT_APPENDED = (
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.LEADER_NOT_AVAILABLE,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode.NOT_ENOUGH_REPLICAS,
)
"""Answers after which a batch may be sent again: it is certain that it is not there, and it may pass."""

_NOT_COMMITTED_YET = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)
_HAS_MEMBERS = (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.NON_EMPTY_GROUP)

Offsets = Mapping[tuple[str, int], Mapping[int, int]]
"""By topic and partition, what a committed offset becomes."""


def import_topic(
    client: Client,
    admin: AdminClient,
    folder: Path,
    topic: ArchivedTopic,
    groups: Sequence[ArchivedGroup],
    *,
    replication_factor: int = -1,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[tuple[str, int], dict[int, int]]:
    """Make the topic and write its records, in their order; returns what offsets of `groups` in it become.

    Offsets begin at 0 and have no gaps. Configs that concern the times of records are set behind the last record, so
    that records keep theirs. `replication_factor` -1 is the cluster's default. Raises AlreadyExistsError where there is
    such a topic, RetriableError when brokers do not answer (the topic is incomplete then, and to be deleted before
    another attempt), ConnectError where the cluster refuses or the archive is damaged.
    """
    timing = {name: value for name, value in topic.configs.items() if name.startswith("message.timestamp.")}
    configs = {name: value for name, value in topic.configs.items() if name not in timing}
    _create(admin, topic, configs, replication_factor)
    became: dict[tuple[str, int], dict[int, int]] = {}
    for partition in topic.partitions:
        key = topic.topic, partition.partition
        committed = sorted({o.offset for g in groups for o in g.offsets if (o.topic, o.partition) == key})
        translation = Translation(committed)
        for header, batch in batches_in(folder / f"{topic.topic}-{partition.partition}"):
            base_offset = _produce(client, *key, batch)
            translation.moved(header, batch, base_offset)
            progress(header.size)
        became[key] = translation.done()
    if timing:
        _configure(admin, topic.topic, timing)
    return became


def import_groups(admin: AdminClient, groups: Iterable[ArchivedGroup], offsets: Offsets) -> list[str]:
    """Commit for each group what its offsets became; returns the groups that have some there.

    Raises ConnectError where one has members, RetriableError when brokers do not answer.
    """
    done = []
    for group in groups:
        moved = [
            TopicPartition(o.topic, o.partition, offsets[o.topic, o.partition][o.offset], metadata=o.metadata)
            for o in group.offsets
            if (o.topic, o.partition) in offsets
        ]
        if moved:
            _commit(admin, group.group, moved)
            done.append(group.group)
    return done


def _commit(admin: AdminClient, group: str, offsets: list[TopicPartition]) -> None:
    """Commits for a group without members; a coordinator that is about to serve it is waited for."""
    doing = f"committing for group {group}"
    patience = time.monotonic() + _PATIENCE_SECONDS
    while True:
        asked = admin.alter_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, offsets)], request_timeout=_ADMIN_SECONDS
        )
        try:
            told = asked[group].result(_ADMIN_SECONDS)
        except TimeoutError as error:
            raise RetriableError(f"{doing}: no answer in time") from error
        except KafkaException as error:
            refusals = [error.args[0]]
        else:
            refusals = [partition.error for partition in told.topic_partitions if partition.error]
        if not refusals:
            return
        lasting = [refusal for refusal in refusals if refusal.code() not in _NOT_COMMITTED_YET]
        if lasting and lasting[0].code() in _HAS_MEMBERS:
            raise ConnectError(f"{doing}: it has members there; stop them, and import again")
        if lasting or time.monotonic() > patience:
            raise _failure(doing, (lasting or refusals)[0])
        time.sleep(_PAUSE_SECONDS)


class Translation:
    """What the committed offsets of one partition become while its batches are written elsewhere, one by one."""

    def __init__(self, committed: Sequence[int]) -> None:
        self._left = list(committed)
        self._became: dict[int, int] = {}
        self._end = 0

    def moved(self, header: BatchHeader, batch: bytes, base_offset: int) -> None:
        """A batch, as it was archived, begins at `base_offset` now."""
        count = bisect_left(self._left, header.last_offset + 1)
        due, self._left = self._left[:count], self._left[count:]
        if due:
            before = record_offsets(header, batch)
            self._became |= {offset: base_offset + bisect_left(before, offset) for offset in due}
        self._end = base_offset + header.record_count

    def done(self) -> dict[int, int]:
        """Old to new; what was committed behind the last record is the end."""
        return self._became | dict.fromkeys(self._left, self._end)


def record_offsets(header: BatchHeader, batch: bytes) -> Sequence[int]:
    """The offsets of a batch's records."""
    if header.record_count == header.last_offset_delta + 1:
        return range(header.base_offset, header.last_offset + 1)
    return [record.offset for record in read_records(header, batch)]


def batches_in(folder: Path) -> Iterator[tuple[BatchHeader, bytes]]:
    """Every batch of an archived partition, in order. Raises ConnectError where one is damaged or cannot be read."""
    for file in sorted(folder.glob("*.log")):
        try:
            with file.open("rb") as opened:
                while prefix := opened.read(LENGTH_PREFIX):
                    batch = prefix + opened.read(max(0, int.from_bytes(prefix[8:], "big", signed=True)))
                    header = read_header(batch)
                    check_crc(header, batch)
                    yield header, batch
        except (OSError, ProtocolError) as error:
            raise ConnectError(f"{file} is damaged or cannot be read: {error}; export again") from error


def _produce(client: Client, topic: str, partition: int, batch: bytes) -> int:
    """The offset at which its first record is. Sent again only where it is certain not to be there."""
    try:
        records = to_produce(read_header(batch), batch)
    except ImportError as error:
        raise ConnectError(f"a batch of {topic}-{partition} cannot be encoded anew: {error}") from error
    data = requests.Produce.PartitionProduceData(index=partition, records=records)
    request = requests.Produce(
        acks=-1,
        timeout_ms=int(_PATIENCE_SECONDS * 1000),
        topic_data=[requests.Produce.TopicProduceData(name=topic, partition_data=[data])],
    )
    patience = time.monotonic() + _PATIENCE_SECONDS
    while True:
        answer = client.ask_leader(topic, partition, request, responses.Produce, at_most=_LAST_BY_NAME)
        (told,) = answer.responses[0].partition_responses
        if told.error_code == ErrorCode.NONE:
            return told.base_offset
        refusal = ErrorCode(told.error_code)
        if refusal not in _NOT_APPENDED or time.monotonic() > patience:
            why = f"{refusal.name} {told.error_message or ''}".rstrip()
            raise ConnectError(f"the cluster refuses records of {topic}-{partition}: {why}")
        time.sleep(_PAUSE_SECONDS)
        client.forget_leaders()


def _create(admin: AdminClient, topic: ArchivedTopic, configs: dict[str, str], replication_factor: int) -> None:
    wanted = NewTopic(topic.topic, len(topic.partitions), replication_factor, config=configs)
    asked = admin.create_topics([wanted], request_timeout=_ADMIN_SECONDS, operation_timeout=_ADMIN_SECONDS)
    try:
        asked[topic.topic].result(_ADMIN_SECONDS)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            raise AlreadyExistsError(
                f"there is a topic {topic.topic} already; delete it, or name the topics that are to be imported"
            ) from error
        doing = f"creating topic {topic.topic} ({', '.join(f'{k}={v}' for k, v in configs.items()) or 'no configs'})"
        raise _failure(doing, error.args[0]) from error
    except TimeoutError as error:
        raise RetriableError(f"creating topic {topic.topic}: no answer in time") from error


def _configure(admin: AdminClient, topic: str, configs: Mapping[str, str]) -> None:
    entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in configs.items()]
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
    asked = admin.incremental_alter_configs([resource], request_timeout=_ADMIN_SECONDS)
    try:
        asked[resource].result(_ADMIN_SECONDS)
    except TimeoutError as error:
        raise RetriableError(f"configuring topic {topic}: no answer in time") from error
    except KafkaException as error:
        raise _failure(f"configuring topic {topic}", error.args[0]) from error


def _failure(doing: str, error: KafkaError) -> ConnectError:
    kind = RetriableError if error.code() in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT) else ConnectError
    return kind(f"{doing}: {error.str()}")
