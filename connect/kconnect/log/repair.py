"""Giving up what is damaged, which is what `kconnect broker repair` does.

A partition goes offline when something that was synced is missing or broken in its files. Repair keeps what is
sound before the first damage, moves nothing, and lets the log go on at the offset where it would have gone
on: offsets are not given out twice, so that nobody takes new records for old ones.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from kconnect.log.errors import LogError
from kconnect.log.protocol.batch import empty_batch
from kconnect.log.storage.checkpoint import LeaderEpochs, read_offsets
from kconnect.log.storage.data_dir import DataDir
from kconnect.log.storage.recovery import recover
from kconnect.log.storage.segment import Segment

_INDEX_INTERVAL = 4096
_MAX_RELATIVE_OFFSET = 0x7FFFFFFE


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What became of a partition: records before `kept_until` are left, new ones begin at `next_offset`."""

    kept_until: int
    next_offset: int
    cut_bytes: int


def repair(data: Path, partition: str) -> Repaired:
    """Cut `partition` (`topic-0`) at its first damage. The broker must not run.

    Raises LogError (DataDirError while a broker has the folder).
    """
    data_dir = DataDir.open(data)
    try:
        topic, _, index = partition.rpartition("-")
        folder = data_dir.path / partition
        if not topic or not index.isdigit() or not (folder / "partition.metadata").exists():
            raise LogError(f"{data_dir.path} has no partition {partition!r}; name it TOPIC-NUMBER")
        key = topic, int(index)
        recovery_point = read_offsets(data_dir.recovery_checkpoint).get(key, 0)
        log_start = read_offsets(data_dir.log_start_checkpoint).get(key, 0)
        # The end that was is no orderly one any more: leader epochs have to grow.
        data_dir.clean_shutdown_marker.unlink(missing_ok=True)
        recovered = recover(folder, recovery_point=0, log_start_offset=log_start, index_interval=_INDEX_INTERVAL)
        _fill(folder, recovered.segments, recovered.log_end_offset, recovery_point)
        for segment in recovered.segments:
            segment.flush_indexes()
            segment.close()
        return Repaired(
            kept_until=recovered.log_end_offset,
            next_offset=max(recovered.log_end_offset, recovery_point),
            cut_bytes=recovered.cut_bytes,
        )
    except OSError as e:
        raise LogError(f"{partition} cannot be repaired: {e}") from e
    finally:
        data_dir.close()


def _fill(folder: Path, segments: list[Segment], first: int, end: int) -> None:
    """Let empty batches, as compaction leaves them, stand for the offsets from `first` to `end`.

    Without them a consumer that comes there would be given nothing, and wait, until somebody writes.
    """
    leader_epoch = max(0, LeaderEpochs(folder).latest)
    while first < end:
        last = min(end - 1, first + _MAX_RELATIVE_OFFSET)
        if segments[-1].base_offset != first:
            segments.append(Segment.create(folder, first, index_interval=_INDEX_INTERVAL))
        now = time.time_ns() // 1_000_000
        batch = empty_batch(first, last, leader_epoch=leader_epoch, max_timestamp=now)  # retention goes by that
        segments[-1].append(batch, last, now)
        first = last + 1
