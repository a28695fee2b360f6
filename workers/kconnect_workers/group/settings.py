"""What a member of a group is configured with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from kconnect.errors import ConfigError
from kconnect_workers.config.distributed_config import DistributedConfig
from kconnect_workers.group.protocol import ConnectProtocol


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings:
    """Kafka Connect's settings of the same names, with its defaults; times are in milliseconds."""

    group_id: str
    connect_protocol: ConnectProtocol = ConnectProtocol.SESSIONED
    session_timeout_ms: int = 10_000
    rebalance_timeout_ms: int = 60_000
    heartbeat_interval_ms: int = 3_000
    scheduled_rebalance_max_delay_ms: int = 300_000
    request_timeout_ms: int = 40_000
    retry_backoff_ms: int = 100
    retry_backoff_max_ms: int = 1_000

    def __post_init__(self) -> None:
        if self.heartbeat_interval_ms >= self.session_timeout_ms:
            raise ConfigError(
                "a worker would be taken for dead between two heartbeats",
                key="heartbeat.interval.ms",
                value=self.heartbeat_interval_ms,
                suggestion=f"less than session.timeout.ms, {self.session_timeout_ms}",
            )

    @classmethod
    def of(cls, config: DistributedConfig) -> Self:
        """The group's part of a worker's config. Raises ConfigError."""
        if not config.group_id:
            raise ConfigError("a worker of a pool is told the pool's name", key="group.id")
        return cls(
            group_id=config.group_id,
            connect_protocol=ConnectProtocol[config.connect_protocol.upper()],
            session_timeout_ms=config.session_timeout_ms,
            rebalance_timeout_ms=config.rebalance_timeout_ms,
            heartbeat_interval_ms=config.heartbeat_interval_ms,
            scheduled_rebalance_max_delay_ms=config.scheduled_rebalance_max_delay_ms,
            request_timeout_ms=config.request_timeout_ms,
            retry_backoff_ms=config.retry_backoff_ms,
            retry_backoff_max_ms=config.retry_backoff_max_ms,
        )
