"""What a partition remembers of its idempotent producers, to refuse gaps and answer repetitions."""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import google_crc32c

from kconnect.log.errors import RequestError
from kconnect.log.protocol import ErrorCode
from kconnect.log.storage.atomic import replace_file

if TYPE_CHECKING:
    from pathlib import Path

REMEMBERED_BATCHES = 5
"""As many requests as an idempotent producer may have in flight."""

_SEQUENCE_MASK = 0x7FFFFFFF
_SNAPSHOT_HEAD = struct.Struct(">hI")
_SNAPSHOT_ENTRY = struct.Struct(">qhiqiqiq")
_SNAPSHOT_VERSION = 1


class AppendedBatch(NamedTuple):
    """One batch of a producer that is in the log."""

    first_sequence: int
    last_sequence: int
    base_offset: int
    last_offset: int


class _Producer:
    __slots__ = ("batches", "epoch", "timestamp")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.batches: deque[AppendedBatch] = deque(maxlen=REMEMBERED_BATCHES)
        self.timestamp = -1


class ProducerStates:
    """The producers of one partition, by id. Timestamps are milliseconds since 1970."""

    __slots__ = ("_producers",)

    def __init__(self) -> None:
        self._producers: dict[int, _Producer] = {}

    def __len__(self) -> int:
        return len(self._producers)

    def check(self, producer_id: int, epoch: int, first_sequence: int, record_count: int) -> AppendedBatch | None:
        """The earlier batch that this one repeats, or None where it may be appended.

        Raises RequestError: INVALID_PRODUCER_EPOCH for a producer that was replaced,
        OUT_OF_ORDER_SEQUENCE_NUMBER for a gap.
        """
        producer = self._producers.get(producer_id)
        if producer is None:
            return None
        if epoch < producer.epoch:
            raise RequestError(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"producer {producer_id} has epoch {producer.epoch} here, the batch says {epoch}",
            )
        if epoch > producer.epoch:
            expected = 0
        else:
            last_sequence = (first_sequence + record_count - 1) & _SEQUENCE_MASK
            for batch in producer.batches:
                if batch.first_sequence == first_sequence and batch.last_sequence == last_sequence:
                    return batch
            if not producer.batches:
                return None
            expected = (producer.batches[-1].last_sequence + 1) & _SEQUENCE_MASK
        if first_sequence != expected:
            raise RequestError(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"producer {producer_id} sent sequence {first_sequence}, {expected} is next",
            )
        return None

    def appended(
        self, producer_id: int, epoch: int, first_sequence: int, base_offset: int, last_offset: int, timestamp: int
    ) -> None:
        """Remember a batch that is in the log now."""
        producer = self._producers.get(producer_id)
        if producer is None:
            producer = self._producers[producer_id] = _Producer(epoch)
        elif producer.epoch != epoch:
            producer.epoch = epoch
            producer.batches.clear()
        if first_sequence >= 0:
            last_sequence = (first_sequence + last_offset - base_offset) & _SEQUENCE_MASK
            producer.batches.append(AppendedBatch(first_sequence, last_sequence, base_offset, last_offset))
        producer.timestamp = timestamp

    def expire(self, before: int) -> None:
        """Forget producers that wrote nothing since the timestamp `before`."""
        stale = [id_ for id_, producer in self._producers.items() if producer.timestamp < before]
        for id_ in stale:
            del self._producers[id_]

    def snapshot(self) -> bytes:
        """The content of a Kafka producer snapshot file: the last batch of every producer."""
        body = bytearray(struct.pack(">i", len(self._producers)))
        for id_, producer in self._producers.items():
            last = producer.batches[-1] if producer.batches else AppendedBatch(-1, -1, -1, -1)
            body += _SNAPSHOT_ENTRY.pack(
                id_,
                producer.epoch,
                last.last_sequence,
                last.last_offset,
                last.last_offset - last.base_offset,
                producer.timestamp,
                -1,  # coordinator epoch
                -1,  # first offset of an open transaction
            )
        return _SNAPSHOT_HEAD.pack(_SNAPSHOT_VERSION, google_crc32c.value(bytes(body))) + body

    @classmethod
    def from_snapshot(cls, content: bytes) -> ProducerStates | None:
        """What `snapshot` wrote; None where the bytes are damaged."""
        if len(content) < _SNAPSHOT_HEAD.size + 4:
            return None
        version, crc = _SNAPSHOT_HEAD.unpack_from(content)
        entries = content[_SNAPSHOT_HEAD.size + 4 :]
        if (
            version != _SNAPSHOT_VERSION
            or crc != google_crc32c.value(content[_SNAPSHOT_HEAD.size :])
            or len(entries) % _SNAPSHOT_ENTRY.size
        ):
            return None
        states = cls()
        for id_, epoch, last_sequence, last_offset, delta, timestamp, _, _ in _SNAPSHOT_ENTRY.iter_unpack(entries):
            producer = states._producers[id_] = _Producer(epoch)
            producer.timestamp = timestamp
            if last_sequence >= 0:
                first = (last_sequence - delta) & _SEQUENCE_MASK
                producer.batches.append(AppendedBatch(first, last_sequence, last_offset - delta, last_offset))
        return states


def write_snapshot(folder: Path, offset: int, content: bytes) -> None:
    """Keep a snapshot that stands for all batches before `offset`. Raises OSError."""
    replace_file(_snapshot_path(folder, offset), content, sync=False)


def load_snapshot(folder: Path, *, at_most: int) -> tuple[int, ProducerStates]:
    """(offset, states) of the newest sound snapshot not beyond `at_most`; (0, nothing known) without one.

    Snapshots beyond `at_most`, and damaged ones, are removed.
    """
    for offset in sorted(_snapshot_offsets(folder), reverse=True):
        path = _snapshot_path(folder, offset)
        states = ProducerStates.from_snapshot(path.read_bytes()) if offset <= at_most else None
        if states is not None:
            return offset, states
        path.unlink()
    return 0, ProducerStates()


def drop_snapshots(folder: Path, *, keep: int) -> None:
    """Remove all but the newest `keep` snapshots."""
    for offset in sorted(_snapshot_offsets(folder))[:-keep]:
        _snapshot_path(folder, offset).unlink()


def _snapshot_offsets(folder: Path) -> list[int]:
    """The offsets of the snapshots that are there, in no order."""
    return [int(path.stem) for path in folder.glob("*.snapshot") if path.stem.isdigit()]


def _snapshot_path(folder: Path, offset: int) -> Path:
    return folder / f"{offset:020d}.snapshot"
