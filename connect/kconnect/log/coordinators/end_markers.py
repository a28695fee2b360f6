"""Writing the markers that end a transaction, and telling those who wait for its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.errors import RequestError
from kconnect.log.protocol.control import ControlType, EndMarker
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.storage.topic import OFFSETS_TOPIC

if TYPE_CHECKING:
    from kconnect.log.coordinators.coordinator import GroupCoordinator
    from kconnect.log.coordinators.transaction import ProducerIdentity, TopicPartition
    from kconnect.log.storage.topic_store import TopicStore


class EndMarkers:
    """Ends transactions in the partitions that they wrote to, group offsets among them."""

    def __init__(self, topics: TopicStore, groups: GroupCoordinator) -> None:
        self._topics = topics
        self._groups = groups

    def write(
        self, partition: TopicPartition, producer: ProducerIdentity, *, commit: bool, coordinator_epoch: int
    ) -> None:
        """End what the producer has open in `partition`.

        Raises RequestError: UNKNOWN_TOPIC_OR_PARTITION, and what `Partition.append_end_marker` raises.
        """
        name, index = partition
        topic = self._topics.by_name.get(name)
        if topic is None or not 0 <= index < len(topic.partitions):
            raise RequestError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no partition {name}-{index}")
        log = topic.partitions[index]
        marker = EndMarker(ControlType.COMMIT if commit else ControlType.ABORT, coordinator_epoch)
        log.append_end_marker(marker, producer.producer_id, producer.epoch)
        if name == OFFSETS_TOPIC:
            self._groups.end_transaction(producer.producer_id, index, commit=commit)
        log.wake_watchers()
