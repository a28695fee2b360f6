"""Which part of a partition compaction may look at, and whether it is worth it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kconnect.log.topic_config import TopicConfig


class Cleanable(Protocol):
    """What the rules look at in a segment; timestamps are milliseconds since 1970, -1 without records."""

    base_offset: int
    size: int

    @property
    def max_timestamp(self) -> int:
        """The largest one of its records."""

    @property
    def first_timestamp(self) -> int:
        """That of its first batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The oldest `segments` of a partition, up to `end_offset`; `dirty_ratio` of their bytes were never looked at."""

    segments: int
    first_dirty_offset: int
    end_offset: int
    dirty_ratio: float


def find_candidate(
    segments: Sequence[Cleanable],
    config: TopicConfig,
    *,
    first_dirty_offset: int,
    last_stable_offset: int,
    now: int,
) -> Candidate | None:
    """What is due at `now` (milliseconds since 1970), or None. The last of `segments` is the active one, and stays.

    Transactions have to be decided, and records older than `min.compaction.lag.ms`. It is due where
    `min.cleanable.dirty.ratio` is exceeded, or something waits for longer than `max.compaction.lag.ms`.
    """
    if "compact" not in config.cleanup_policy:
        return None
    clean_bytes = dirty_bytes = count = 0
    end_offset, oldest = first_dirty_offset, now
    for segment, following in pairwise(segments):
        if following.base_offset > last_stable_offset:
            break
        if following.base_offset <= first_dirty_offset:
            clean_bytes += segment.size
        else:
            if config.min_compaction_lag_ms > 0 and segment.max_timestamp > now - config.min_compaction_lag_ms:
                break
            dirty_bytes += segment.size
            end_offset = following.base_offset
            if segment.first_timestamp >= 0:
                oldest = min(oldest, segment.first_timestamp)
        count += 1
    if not dirty_bytes:
        return None
    ratio = dirty_bytes / (clean_bytes + dirty_bytes)
    if ratio <= config.min_cleanable_dirty_ratio and now - oldest <= config.max_compaction_lag_ms:
        return None
    return Candidate(segments=count, first_dirty_offset=first_dirty_offset, end_offset=end_offset, dirty_ratio=ratio)
