"""What the broker asks a compactor to do, and what it hears of it."""

from __future__ import annotations

import msgspec

from kconnect.log.storage.transaction_index import AbortedTransaction


class ProducerEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The last that an active producer wrote: `last_offset` of its last batch of data, -1 where there is only a marker.

    What it says has to stay in the log: sequence and epoch are looked up there after a crash.
    """

    producer_id: int
    epoch: int
    last_offset: int


class CompactionJob(msgspec.Struct, frozen=True, kw_only=True):
    """Sealed segments of one partition, by base offset, oldest first, and the rules.

    Records from `first_dirty_offset` to `end_offset`, the end of the last segment, have not been looked at before.
    Times are milliseconds, `now` since 1970.
    """

    folder: str
    segments: list[int]
    first_dirty_offset: int
    end_offset: int
    now: int
    segment_bytes: int
    index_interval_bytes: int
    delete_retention_ms: int
    map_bytes: int
    producers: list[ProducerEnd] = []
    aborted: list[AbortedTransaction] = []


class CleanedSegment(msgspec.Struct, frozen=True, kw_only=True):
    """A segment that was written, `.cleaned` and synced, and those that it stands for, oldest first."""

    base_offset: int
    replaces: list[int]


class CompactionResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was written; records from `first_dirty_offset` on are for the next time.

    `error` where nothing came of it; `may_pass` says that the next time it may.
    """

    segments: list[CleanedSegment] = []
    first_dirty_offset: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    error: str | None = None
    may_pass: bool = False
