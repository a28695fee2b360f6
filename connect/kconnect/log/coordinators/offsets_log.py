"""`__consumer_offsets` as a log of its own kind: appended by the coordinator, read back at start."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from kconnect.log.coordinators.offset_records import GroupRecord, OffsetRecord, read_record
from kconnect.log.coordinators.placement import partition_for
from kconnect.log.coordinators.replay import replay
from kconnect.log.errors import RequestError
from kconnect.log.protocol.batch import Attribute
from kconnect.log.protocol.control import ControlType, read_end_marker
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.records import Record, build_batch
from kconnect.log.storage.topic import OFFSETS_TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from kconnect.log.coordinators.transaction import ProducerIdentity
    from kconnect.log.protocol.batch import BatchHeader
    from kconnect.log.storage.partition import Partition
    from kconnect.log.storage.syncer import Syncer
    from kconnect.log.storage.topic_store import TopicStore
    from kconnect.log.topic_admin import TopicAdmin

    class Restorer(Protocol):
        """Who takes up what is read back; `producer_id` is -1 outside of transactions."""

        def restore(self, entry: OffsetRecord | GroupRecord, producer_id: int) -> None: ...

        def end_transaction(self, producer_id: int, partition: int, *, commit: bool) -> None: ...


_LOG = logging.getLogger(__name__)

Entry = tuple[bytes, bytes | None]


class OffsetsLog:
    """Where the coordinator keeps what must outlive it."""

    def __init__(self, topics: TopicStore, admin: TopicAdmin, syncer: Syncer) -> None:
        self._topics = topics
        self._admin = admin
        self._syncer = syncer

    def append(self, group_id: str, entries: Sequence[Entry], done: Callable[[int | None], None]) -> None:
        """Append keys and values of one group, once all data that is older is synced.

        `done(offset)` of the first of them follows when they are safe, `done(None)` when they could not be
        appended or synced. Raises RequestError where they never can be appended.
        """
        partition = self._partition_of(group_id)
        batch = build_batch(_records(entries))
        if len(batch) > partition.config.max_message_bytes:
            raise RequestError(ErrorCode.MESSAGE_TOO_LARGE, f"{len(batch)} bytes are too many for one batch")

        def write(older_is_safe: bool) -> None:
            try:
                if not older_is_safe:
                    raise RequestError(ErrorCode.KAFKA_STORAGE_ERROR, "older data could not be synced")
                offset, _ = partition.append(memoryview(batch))
            except RequestError as e:
                _LOG.warning("nothing can be kept for group %s: %s", group_id, e)
                done(None)
                return
            end = partition.log_end_offset
            self._syncer.sync(lambda: done(offset if partition.high_watermark >= end else None))

        self._syncer.write_behind(write)

    def append_in_transaction(self, group_id: str, producer: ProducerIdentity, entries: Sequence[Entry]) -> int:
        """Append to a transaction, whose end makes them count, and sees to the syncing; returns the first offset.

        Raises RequestError.
        """
        batch = build_batch(
            _records(entries),
            attributes=Attribute.TRANSACTIONAL,
            producer_id=producer.producer_id,
            producer_epoch=producer.epoch,
        )
        return self._partition_of(group_id).append_offsets(memoryview(batch))

    def partition_index(self, group_id: str) -> int:
        """In which partition of the topic a group's records lie. Raises RequestError."""
        return partition_for(group_id, len(self._admin.offsets_topic().partitions))

    def _partition_of(self, group_id: str) -> Partition:
        return self._admin.offsets_topic().partitions[self.partition_index(group_id)]

    def replay(self, restorer: Restorer) -> None:
        """Give back everything that was appended, in order. Raises LogError where it cannot be read."""
        topic = self._topics.by_name.get(OFFSETS_TOPIC)
        for partition in topic.partitions if topic else ():
            _replay_partition(partition, restorer)


def _replay_partition(partition: Partition, restorer: Restorer) -> None:
    def apply(header: BatchHeader, records: list[Record]) -> None:
        producer_id = header.producer_id if header.is_transactional else -1
        if not header.is_control:
            for record in records:
                entry = read_record(record)
                if entry is not None:
                    restorer.restore(entry, producer_id)
        elif records:
            commit = read_end_marker(records[0]).type is ControlType.COMMIT
            restorer.end_transaction(producer_id, partition.index, commit=commit)

    replay(partition, apply, remedy="restore the file, or delete it to let groups begin anew")


def _records(entries: Sequence[Entry]) -> list[Record]:
    now = time.time_ns() // 1_000_000
    return [Record(offset, now, key, value) for offset, (key, value) in enumerate(entries)]
