"""The settings of a broker, typed; names and defaults are Kafka's unless a comment says why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kconnect.log.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kconnect.log.listener import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    """What may be set for a whole broker. Times are seconds."""

    num_partitions: int = 1
    auto_create_topics: bool = True
    limits: Limits = field(default_factory=Limits)
    # One partition, where Kafka has 50 to spread them over brokers: each costs files and syncs.
    offsets_topic_partitions: int = 1
    offsets_topic_segment_bytes: int = 100 << 20
    transaction_state_partitions: int = 1
    transaction_state_segment_bytes: int = 100 << 20
    transaction_max_timeout: float = 900.0
    transactional_id_expiration: float = 7 * 86_400.0
    # No pause before the first rebalance of a group: one node serves few clients that start apart.
    group_initial_rebalance_delay: float = 0.0
    group_min_session_timeout: float = 6.0
    group_max_session_timeout: float = 1800.0
    # Committed offsets of groups without members go when nothing was committed for so long.
    offsets_retention: float = 7 * 86_400.0
    offsets_retention_check_interval: float = 600.0
    retention_check_interval: float = 300.0
    checkpoint_interval: float = 60.0
    # A crash makes the next start read what was appended since the last checkpoint: a bound on that.
    checkpoint_bytes: int = 256 << 20
    producer_expiration: float = 86_400.0
    cleaner_backoff: float = 15.0
    cleaner_dedupe_buffer_size: int = 128 << 20
    # Of no counterpart in Kafka: room on the disk that data does not take, so that offsets can be committed when it is
    # full.
    reserve_bytes: int = 8 << 20
    # Where Prometheus finds the broker's figures; nowhere where it is None.
    metrics_listener: Endpoint | None = None
    # Topic configs, by their topic names, for topics that do not say otherwise.
    topic_defaults: Mapping[str, str] = field(default_factory=dict)
