"""`__consumer_offsets` as a log of its own kind: appended by the coordinator, read back at start."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from kconnect.log.coordinators.offset_records import GroupRecord, OffsetRecord, read_record
from kconnect.log.errors import CorruptLogError, LogError, RequestError
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.protocol.errors import ProtocolError
from kconnect.log.protocol.records import Record, build_batch, read_records
from kconnect.log.storage.topic import OFFSETS_TOPIC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kconnect.log.storage.partition import Partition
    from kconnect.log.storage.syncer import Syncer
    from kconnect.log.storage.topic_store import TopicStore
    from kconnect.log.topic_admin import TopicAdmin

_LOG = logging.getLogger(__name__)


class OffsetsLog:
    """Where the coordinator keeps what must outlive it."""

    def __init__(self, topics: TopicStore, admin: TopicAdmin, syncer: Syncer) -> None:
        self._topics = topics
        self._admin = admin
        self._syncer = syncer

    def append(
        self, group_id: str, entries: Sequence[tuple[bytes, bytes | None]], done: Callable[[bool], None]
    ) -> None:
        """Append keys and values of one group, once all data that is older is synced.

        `done(True)` follows when they are safe, `done(False)` when they could not be appended or synced. Raises
        RequestError where they never can be appended.
        """
        now = time.time_ns() // 1_000_000
        records = [Record(offset, now, key, value) for offset, (key, value) in enumerate(entries)]
        partition = self._partition_of(group_id)
        batch = build_batch(records)
        if len(batch) > partition.config.max_message_bytes:
            raise RequestError(ErrorCode.MESSAGE_TOO_LARGE, f"{len(batch)} bytes are too many for one batch")

        def write(older_is_safe: bool) -> None:
            try:
                if not older_is_safe:
                    raise RequestError(ErrorCode.KAFKA_STORAGE_ERROR, "older data could not be synced")
                partition.append(memoryview(batch))
            except RequestError as e:
                _LOG.warning("nothing can be kept for group %s: %s", group_id, e)
                done(False)
                return
            end = partition.log_end_offset
            self._syncer.sync(lambda: done(partition.high_watermark >= end))

        self._syncer.write_behind(write)

    def _partition_of(self, group_id: str) -> Partition:
        partitions = self._admin.offsets_topic().partitions
        return partitions[(_java_hash(group_id) & 0x7FFFFFFF) % len(partitions)]

    def replay(self) -> Iterator[OffsetRecord | GroupRecord]:
        """Everything that was appended, in order. Raises LogError where it cannot be read."""
        topic = self._topics.by_name.get(OFFSETS_TOPIC)
        for partition in topic.partitions if topic else ():
            for segment in partition.segments:
                try:
                    for position, header in segment.walk(0):
                        if header.is_control:
                            continue
                        for record in read_records(header, segment.read(position, header.size)):
                            entry = read_record(record)
                            if entry is not None:
                                yield entry
                except (OSError, CorruptLogError, ProtocolError) as e:
                    raise LogError(
                        f"committed offsets cannot be read from {segment.path}: {e}; "
                        "restore the file, or delete it to let groups begin anew"
                    ) from e


def _java_hash(text: str) -> int:
    """What Java's String.hashCode gives, unsigned: groups lie in the partitions where Kafka looks for them."""
    result = 0
    encoded = text.encode("utf-16-be", "surrogatepass")
    for i in range(0, len(encoded), 2):
        result = (31 * result + (encoded[i] << 8 | encoded[i + 1])) & 0xFFFFFFFF
    return result
