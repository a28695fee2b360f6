"""Reading an internal topic back, from its beginning to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.errors import CorruptLogError, LogError
from kconnect.log.protocol.errors import ProtocolError
from kconnect.log.protocol.records import Record, read_records

if TYPE_CHECKING:
    from collections.abc import Callable

    from kconnect.log.protocol.batch import BatchHeader
    from kconnect.log.storage.partition import Partition


def replay(partition: Partition, apply: Callable[[BatchHeader, list[Record]], None], *, remedy: str) -> None:
    """Give every batch of a partition, control batches too, to `apply`, in the order of the log.

    Raises LogError, which ends with `remedy`, where a batch cannot be read or `apply` raises ProtocolError.
    """
    for segment in partition.segments:
        try:
            for position, header in segment.walk(0):
                apply(header, read_records(header, segment.read(position, header.size)))
        except (OSError, CorruptLogError, ProtocolError) as e:
            raise LogError(f"{segment.path} cannot be read: {e}; {remedy}") from e
