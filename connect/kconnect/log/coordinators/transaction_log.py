"""`__transaction_state` as a log of its own kind: appended by the coordinator, read back at start."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kconnect.log.coordinators.placement import partition_for
from kconnect.log.coordinators.replay import replay
from kconnect.log.coordinators.transaction_records import read_transaction, transaction_key, transaction_value
from kconnect.log.errors import RequestError
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.records import Record, build_batch
from kconnect.log.storage.topic import TRANSACTIONS_TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable

    from kconnect.log.coordinators.transaction import TransactionMetadata
    from kconnect.log.protocol.batch import BatchHeader
    from kconnect.log.storage.partition import Partition
    from kconnect.log.storage.syncer import Syncer
    from kconnect.log.storage.topic_store import TopicStore
    from kconnect.log.topic_admin import TopicAdmin


class TransactionLog:
    """Where the coordinator keeps what must outlive it."""

    def __init__(self, topics: TopicStore, admin: TopicAdmin, syncer: Syncer) -> None:
        self._topics = topics
        self._admin = admin
        self._syncer = syncer

    def append(self, transactional_id: str, metadata: TransactionMetadata | None) -> None:
        """Append what is known of an id, None to forget it; a later sync takes it along.

        Raises RequestError COORDINATOR_NOT_AVAILABLE.
        """
        value = None if metadata is None else transaction_value(metadata)
        record = Record(0, time.time_ns() // 1_000_000, transaction_key(transactional_id), value)
        try:
            self._partition_of(transactional_id).append(memoryview(build_batch([record])))
        except RequestError as e:
            # As Kafka: clients ask for their coordinator again, and come back.
            raise RequestError(ErrorCode.COORDINATOR_NOT_AVAILABLE, e.message) from e

    def append_synced(self, metadata: TransactionMetadata, done: Callable[[bool], None]) -> None:
        """Append once all data that is older is synced; `done` follows, with whether it is safe."""

        def write(older_is_safe: bool) -> None:
            try:
                if not older_is_safe:
                    raise RequestError(ErrorCode.KAFKA_STORAGE_ERROR, "older data could not be synced")
                self.append(metadata.transactional_id, metadata)
                partition = self._partition_of(metadata.transactional_id)
            except RequestError:
                done(False)
                return
            end = partition.log_end_offset
            self._syncer.sync(lambda: done(partition.high_watermark >= end))

        self._syncer.write_behind(write)

    def coordinator_epoch(self, transactional_id: str) -> int:
        """The epoch that markers carry: it grows with every start after a crash. Raises RequestError."""
        return self._partition_of(transactional_id).leader_epoch

    def _partition_of(self, transactional_id: str) -> Partition:
        partitions = self._admin.transactions_topic().partitions
        return partitions[partition_for(transactional_id, len(partitions))]

    def check_readable(self) -> None:
        """Raises RequestError COORDINATOR_NOT_AVAILABLE where not all that is kept could be read."""
        topic = self._topics.by_name.get(TRANSACTIONS_TOPIC)
        for partition in topic.partitions if topic else ():
            if partition.offline is not None:
                raise RequestError(ErrorCode.COORDINATOR_NOT_AVAILABLE, partition.offline)

    def replay(self) -> dict[str, TransactionMetadata]:
        """What is known of each id. Raises LogError where it cannot be read."""
        known: dict[str, TransactionMetadata] = {}

        def apply(_: BatchHeader, records: list[Record]) -> None:
            for record in records:
                entry = read_transaction(record)
                if entry is None:
                    continue
                transactional_id, metadata = entry
                known.pop(transactional_id, None)
                if metadata is not None:
                    known[transactional_id] = metadata

        topic = self._topics.by_name.get(TRANSACTIONS_TOPIC)
        for partition in topic.partitions if topic else ():
            replay(partition, apply, remedy="restore the file, or delete it to abort what is ongoing")
        return known
