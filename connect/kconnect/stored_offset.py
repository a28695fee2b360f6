"""An offset that a sink keeps beside its data, and what must hold before it is believed."""

from __future__ import annotations

import msgspec

from kconnect.errors import ConnectError
from kconnect.record import TopicPartition
from kconnect.sink import PartitionLog


class StoredOffset(msgspec.Struct, frozen=True, gc=False):
    """How far a target has the records of a partition: `offset` is that of the next one.

    What changes it is the transaction that writes the data. The ids say which log it counts in; None: not known.
    """

    offset: int
    cluster_id: str | None = None
    topic_id: str | None = None

    @classmethod
    def of(cls, offset: int, log: PartitionLog) -> StoredOffset:
        return cls(offset, log.cluster_id, log.topic_id)

    def check(self, partition: TopicPartition, log: PartitionLog, place: str) -> None:
        """Raises ConnectError when the offset was not counted in this log, so that to go on from it would skip records.
        `place` is where it is stored, for the message."""
        reason = self._contradiction(log)
        if reason is not None:
            raise ConnectError(
                f"{partition}: {place} says that everything before offset {self.offset} is written, but {reason}. To "
                "go on from there would skip records. If the target's data is to stay and the topic to be read from "
                "another offset on, alter the connector's offsets, or reset them"
            )

    def _contradiction(self, log: PartitionLog) -> str | None:
        if _differ(self.cluster_id, log.cluster_id):
            return f"that was counted in the cluster {self.cluster_id}, and this is {log.cluster_id}"
        if _differ(self.topic_id, log.topic_id):
            return f"the topic was made anew since: its id was {self.topic_id} and is {log.topic_id}"
        if self.offset > log.end_offset:
            return f"the log ends at {log.end_offset}: it was cut, restored from an older copy, or made anew"
        return None


def _differ(stored: str | None, found: str | None) -> bool:
    return stored is not None and found is not None and stored != found
