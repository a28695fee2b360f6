"""What a worker of a pool can be told besides: the group, and the topics in which the pool keeps its state."""

from __future__ import annotations

import logging
from typing import Annotated, Any

from kconnect.config import HIGH, LOW, ConfigError, Range, ValidList, key
from kconnect.validators import CaseInsensitiveValidString, ValidString
from kconnect_workers.config import exactly_once
from kconnect_workers.config.number_types import Long, Millis, Short
from kconnect_workers.config.worker_config import WorkerConfig

_logger = logging.getLogger(__name__)


def positive_or_broker_default(name: str, value: Any) -> None:
    """A count of at least one, or -1 for the broker's default."""
    if value is None or (value < 1 and value != -1):
        raise ConfigError("must be at least 1, or -1 for the broker's default", key=name, value=value)


_REPLICATION_FACTORS = tuple(f"{store}.storage.replication.factor" for store in ("config", "offset", "status"))
_ON_EMBEDDED_LOG = {
    "session.timeout.ms": "6000",
    "heartbeat.interval.ms": "1000",
    "scheduled.rebalance.max.delay.ms": "1000",
    exactly_once.SUPPORT: "enabled",
}
"""A lost worker is noticed within a session, and nobody waits for it long: its tasks go on elsewhere in seconds."""

_SIGNATURES = ("HmacMD5", "HmacSHA1", "HmacSHA224", "HmacSHA256", "HmacSHA384", "HmacSHA512")


class DistributedConfig(WorkerConfig):
    """A worker of a pool."""

    group_id: str | None = key(importance=HIGH, doc="Name of the pool: workers with the same one share the work.")
    session_timeout_ms: int = key(
        default=10000,
        importance=HIGH,
        doc="A worker that was silent for so long, in milliseconds, is taken for dead.",
    )
    rebalance_timeout_ms: int = key(
        default=60000, importance=HIGH, doc="How long workers may take to join a rebalance, in milliseconds."
    )
    heartbeat_interval_ms: int = key(
        default=3000, importance=HIGH, doc="How often a worker says that it lives, in milliseconds."
    )
    connect_protocol: Annotated[str, CaseInsensitiveValidString("EAGER", "COMPATIBLE", "SESSIONED")] = key(
        default="sessioned", importance=LOW, doc="How the pool shares work, by Kafka Connect's names."
    )
    scheduled_rebalance_max_delay_ms: Annotated[int, Range(0, 2**31 - 1)] = key(
        default=300000,
        importance=LOW,
        doc="How long the work of a worker that left waits for it to come back, in milliseconds.",
    )
    worker_sync_timeout_ms: int = key(
        default=3000,
        doc="How long a worker that is behind the config topic may take to catch up before it leaves the group.",
    )
    worker_unsync_backoff_ms: int = key(
        default=300000, doc="How long a worker that could not catch up stays out of the group, in milliseconds."
    )
    client_id: str = key(default="", importance=LOW, doc="Name that the worker's clients give to the brokers.")
    request_timeout_ms: Annotated[int, Range(0)] = key(
        default=40000, doc="How long a request to a broker may take, in milliseconds."
    )
    retry_backoff_ms: Millis = key(
        default=100, importance=LOW, doc="Wait before a failed request is tried again, in milliseconds."
    )
    retry_backoff_max_ms: Millis = key(
        default=1000, importance=LOW, doc="The longest wait before a failed request is tried again, in milliseconds."
    )
    reconnect_backoff_ms: Millis = key(
        default=50, importance=LOW, doc="Wait before a broker is connected to again, in milliseconds."
    )
    reconnect_backoff_max_ms: Millis = key(
        default=1000, importance=LOW, doc="The longest wait before a broker is connected to again, in milliseconds."
    )
    socket_connection_setup_timeout_ms: Long = key(
        default=10000, importance=LOW, doc="How long connecting to a broker may take at first, in milliseconds."
    )
    socket_connection_setup_timeout_max_ms: Long = key(
        default=30000, importance=LOW, doc="How long connecting to a broker may take at most, in milliseconds."
    )
    connections_max_idle_ms: Long = key(
        default=540000, importance=LOW, doc="Idle connections are closed after this time, in milliseconds."
    )
    send_buffer_bytes: Annotated[int, Range(-1)] = key(
        default=131072, importance=LOW, doc="Size of the sockets' send buffer; -1 for the system's."
    )
    receive_buffer_bytes: Annotated[int, Range(-1)] = key(
        default=32768, importance=LOW, doc="Size of the sockets' receive buffer; -1 for the system's."
    )
    metadata_max_age_ms: Millis = key(
        default=300000, importance=LOW, doc="Age at which metadata is asked for anew, in milliseconds."
    )
    metadata_recovery_strategy: Annotated[str, CaseInsensitiveValidString("NONE", "REBOOTSTRAP")] = key(
        default="rebootstrap", importance=LOW, doc="What to do when no known broker answers."
    )

    offset_storage_topic: str = key(importance=HIGH, doc="Topic that holds source offsets.")
    offset_storage_partitions: int = key(
        default=25,
        importance=LOW,
        validator=positive_or_broker_default,
        doc="Partitions of the offsets topic, when it is created; -1 for the broker's default.",
    )
    offset_storage_replication_factor: Short = key(
        default=3,
        importance=LOW,
        validator=positive_or_broker_default,
        doc="Replication factor of the offsets topic, when it is created; -1 for the broker's default.",
    )
    config_storage_topic: str = key(importance=HIGH, doc="Topic that holds connector configs.")
    config_storage_replication_factor: Short = key(
        default=3,
        importance=LOW,
        validator=positive_or_broker_default,
        doc="Replication factor of the config topic, when it is created; -1 for the broker's default.",
    )
    status_storage_topic: str = key(importance=HIGH, doc="Topic that holds the states of connectors and tasks.")
    status_storage_partitions: int = key(
        default=5,
        importance=LOW,
        validator=positive_or_broker_default,
        doc="Partitions of the status topic, when it is created; -1 for the broker's default.",
    )
    status_storage_replication_factor: Short = key(
        default=3,
        importance=LOW,
        validator=positive_or_broker_default,
        doc="Replication factor of the status topic, when it is created; -1 for the broker's default.",
    )

    exactly_once_source_support: Annotated[str, CaseInsensitiveValidString("DISABLED", "PREPARING", "ENABLED")] = key(
        default="disabled",
        importance=HIGH,
        doc="Whether source connectors write in transactions: disabled, preparing (while a pool is rolled), enabled.",
    )
    inter_worker_key_generation_algorithm: Annotated[str, ValidString(*_SIGNATURES)] = key(
        default="HmacSHA256", importance=LOW, doc="How keys for requests between workers are made."
    )
    inter_worker_key_size: Annotated[int, Range(1)] | None = key(
        default=None, importance=LOW, doc="Size of those keys in bits; the algorithm's own if not given."
    )
    inter_worker_key_ttl_ms: Annotated[int, Range(0, 2**31 - 1)] = key(
        default=3600000, importance=LOW, doc="How long such a key is used, in milliseconds; 0 for ever."
    )
    inter_worker_signature_algorithm: Annotated[str, ValidString(*_SIGNATURES)] = key(
        default="HmacSHA256", importance=LOW, doc="How requests between workers are signed."
    )
    inter_worker_verification_algorithms: Annotated[list[str], ValidList(*_SIGNATURES, allow_empty=False)] = key(
        default=["HmacSHA256"], importance=LOW, doc="Signatures that are accepted from other workers."
    )

    worker_dir: str | None = key(
        default=None,
        importance=LOW,
        doc="Folder of what the worker keeps on its own disk, such as the ids of its processes; no two workers share "
        "one. A folder of the user's own data, by group.id and port, if not given.",
    )

    def on_embedded_log(self) -> DistributedConfig:
        """This config on the embedded log, which is one broker and answers at once: what is not given has other
        defaults, and replication factors are taken as 1, with a warning for those that are given."""
        replicated = [key for key in _REPLICATION_FACTORS if self.originals.get(key, "1") not in ("1", "-1")]
        if replicated:
            _logger.warning("%s: the embedded log is one broker, so each is taken as 1", ", ".join(replicated))
        return DistributedConfig.parse(
            {**_ON_EMBEDDED_LOG, **self.originals, **dict.fromkeys(_REPLICATION_FACTORS, "1")}
        )

    def _check(self) -> None:
        if self.is_embedded:
            raise ConfigError(
                "is required: the workers of a pool share one log",
                key="bootstrap.servers",
                suggestion="name the brokers of an Apache Kafka, or start one `kconnect broker` for all of them",
            )
        signature = self.inter_worker_signature_algorithm
        if signature not in self.inter_worker_verification_algorithms:
            raise ConfigError(
                "is not among inter.worker.verification.algorithms, so no worker would accept its own requests",
                key="inter.worker.signature.algorithm",
                value=signature,
            )
