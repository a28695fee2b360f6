"""Which segments are old or many enough to go, and when the active one is due to be sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kconnect.log.topic_config import TopicConfig


class Aged(Protocol):
    """What the rules look at in a segment."""

    size: int

    @property
    def max_timestamp(self) -> int:
        """The largest timestamp of its records, -1 without any."""


def expired_segments(segments: Sequence[Aged], config: TopicConfig, now: int) -> int:
    """How many of the oldest `segments` may be deleted at `now` (milliseconds since 1970).

    By time the active segment, the last, may be among them, by size never. Nothing goes of a topic that
    is compacted only.
    """
    if "delete" not in config.cleanup_policy:
        return 0
    by_time = 0
    if config.retention_ms >= 0:
        for segment in segments:
            # Compaction leaves empty ones behind.
            if segment.size and (segment.max_timestamp < 0 or now - segment.max_timestamp <= config.retention_ms):
                break
            by_time += 1
    by_size = 0
    if config.retention_bytes >= 0:
        excess = sum(segment.size for segment in segments) - config.retention_bytes
        for segment in segments[:-1]:
            if excess < segment.size:
                break
            excess -= segment.size
            by_size += 1
    return max(by_time, by_size)


class Active(Protocol):
    """What the rules look at in the segment that is appended to: see Segment."""

    size: int
    begun_at: int
    jitter: float


def rolling_age(segment: Active, config: TopicConfig) -> int:
    """After how many milliseconds an active segment is sealed, so that retention and compaction can look at it."""
    age = config.segment_ms
    if "compact" in config.cleanup_policy:
        age = min(age, config.max_compaction_lag_ms)
    return age - int(segment.jitter * min(config.segment_jitter_ms, age))


def is_due_to_roll(active: Active, config: TopicConfig, now: int) -> bool:
    """Whether the active segment is old at `now`, though nothing later may have come."""
    return active.size > 0 and now - active.begun_at > rolling_age(active, config)
