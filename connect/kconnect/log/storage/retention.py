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

    @property
    def first_timestamp(self) -> int:
        """The timestamp of its first batch, -1 without any."""


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
            if segment.max_timestamp < 0 or now - segment.max_timestamp <= config.retention_ms:
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


def is_due_to_roll(active: Aged, config: TopicConfig, now: int) -> bool:
    """Whether the active segment's first records are older than `segment.ms`."""
    return active.size > 0 and active.first_timestamp >= 0 and now - active.first_timestamp > config.segment_ms
